"""Score one network's Threshold-Grad-CAM maps at many thresholds, from the stored raw maps.

Writes a row per threshold, and which threshold is best with what it scores on images that had no
part in choosing it. The human maps are ranked once for all thresholds.
"""

import argparse
from dataclasses import asdict, replace

from human_alignment.common.cli import UserError, json_object, run
from human_alignment.common.files import write_json, written_whole
from human_alignment.data.data_file import DataFile
from human_alignment.heatmaps.heatmap_file import HeatmapFile
from human_alignment.scores.protocol import PRESETS, Protocol
from human_alignment.scores.scoring import score_under
from human_alignment.scores.sweeps import cross_validate, table_of

EXPLAINER = "threshold_grad_cam"


def main(argv: list[str] | None = None) -> None:
    """Parse, score at every threshold, choose, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="data file with human maps")
    parser.add_argument("--heatmaps", required=True, help="heatmap file of one network")
    parser.add_argument("--thresholds", type=float, nargs="+", required=True, help="0 to 1 each")
    parser.add_argument("--folds", type=int, default=5, help="of the cross-validation")
    parser.add_argument("--protocol", default="released", help=" or ".join(PRESETS))
    parser.add_argument(
        "--override", type=json_object, default={}, help="protocol fields to change, as JSON"
    )
    parser.add_argument("--resamples", type=int, default=2000, help="of the bootstrap")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap and the folds")
    parser.add_argument("--output", required=True, help="scores by threshold to write (.csv)")
    parser.add_argument("--choice", required=True, help="best threshold to write (.json)")
    arguments = parser.parse_args(argv)
    if arguments.folds < 2:
        raise UserError(f"--folds {arguments.folds}: at least 2 are needed")
    protocol = Protocol.from_config(arguments.protocol, arguments.override)
    thresholds = sorted(set(arguments.thresholds))
    protocols = {value: replace(protocol, threshold=value) for value in thresholds}
    with DataFile(arguments.data) as data, HeatmapFile(arguments.heatmaps) as heatmaps:
        scores = score_under(data, heatmaps, [EXPLAINER], protocols)[EXPLAINER]
    settings = {"resamples": arguments.resamples, "seed": arguments.seed}
    table = table_of(scores, protocol, **settings)
    choice = cross_validate(scores, protocol, arguments.folds, **settings)
    with written_whole(arguments.output) as partial:
        table.to_csv(partial, index=False)
    write_json(arguments.choice, asdict(choice) if choice else None)


if __name__ == "__main__":
    run(main)
