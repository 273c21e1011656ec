"""Score one network's stored heatmaps against maps that know nothing of the image.

Writes every image's rho with the centred Gaussian and with the human map of another image; rho of
smoothed heatmaps with the own human map; and the spectrum of the raw heatmaps.
"""

import argparse

from human_alignment.common.cli import UserError, run
from human_alignment.data.data_file import DataFile
from human_alignment.heatmaps.heatmap_file import HeatmapFile
from human_alignment.scores.control_file import ControlFile, ControlSource, write_controls
from human_alignment.scores.controls import check_references, score_controls, smoothed_explainers
from human_alignment.scores.protocol import PROTOCOL_HELP, protocol_argument
from human_alignment.scores.reference_file import read_references
from human_alignment.scores.scoring import EXPLAINERS_FLAG, source_fields


def main(argv: list[str] | None = None) -> None:
    """Parse, score, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="data file with human maps")
    parser.add_argument("--heatmaps", required=True, help="heatmap file of one network")
    parser.add_argument("--references", required=True, help="of score_references.py --rho (.h5)")
    parser.add_argument(
        "--protocol", type=protocol_argument, default="released", help=PROTOCOL_HELP
    )
    parser.add_argument(
        "--cutoffs",
        nargs="+",
        type=float,
        default=[0.5, 1.0, 2.0],
        help="highest frequencies that smoothed heatmaps keep, in cycles per image",
    )
    parser.add_argument("--explainers", **EXPLAINERS_FLAG)
    parser.add_argument("--seed", type=int, default=0, help="of the pairs of images")
    parser.add_argument("--output", required=True, help="controls to write (.h5)")
    arguments = parser.parse_args(argv)
    cutoffs, seed = sorted(set(arguments.cutoffs)), arguments.seed
    if not all(0 < one < float("inf") for one in cutoffs) or seed < 0:
        raise UserError(
            f"--cutoffs are {arguments.cutoffs} and --seed is {seed}; allowed: numbers above 0, "
            "and a seed of 0 or more"
        )
    references = read_references(arguments.references)
    with DataFile(arguments.data) as data, HeatmapFile(arguments.heatmaps) as heatmaps:
        check_references(data, references, arguments.references)
        protocol, explainers = arguments.protocol, heatmaps.chosen(arguments.explainers)
        found = score_controls(data, heatmaps, explainers, references, protocol, cutoffs, seed)
        source = ControlSource(
            **source_fields(data, heatmaps, explainers),
            protocol=protocol,
            smoothed=smoothed_explainers(explainers),
            cutoffs=cutoffs,
            seed=seed,
        )
        ratio = references.ratio[heatmaps.rows]
        whole = ControlFile(source, found, ratio, heatmaps.rows)
    write_controls(arguments.output, whole)


if __name__ == "__main__":
    run(main)
