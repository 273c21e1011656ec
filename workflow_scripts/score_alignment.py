"""Score one network's heatmaps against the human maps of a data file.

Writes a row per image and explainer, and a summary with mean, score, 95 % interval and the
number of images left out by cause.
"""

import argparse

from human_alignment.common.cli import json_object, run
from human_alignment.common.files import write_json
from human_alignment.data.data_file import DataFile
from human_alignment.heatmaps.heatmap_file import HeatmapFile
from human_alignment.scores.protocol import PRESETS, Protocol
from human_alignment.scores.scoring import score, summarise, write_scores


def main(argv: list[str] | None = None) -> None:
    """Parse, score, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="data file with human maps")
    parser.add_argument("--heatmaps", required=True, help="heatmap file of one network")
    parser.add_argument("--output", required=True, help="scores per image to write (.csv)")
    parser.add_argument("--summary", required=True, help="summary to write (.json)")
    parser.add_argument("--protocol", default="released", help=" or ".join(PRESETS))
    parser.add_argument(
        "--override", type=json_object, default={}, help="protocol fields to change, as JSON"
    )
    parser.add_argument("--explainers", nargs="+", help="default: all in the heatmap file")
    parser.add_argument("--resamples", type=int, default=2000, help="of the bootstrap")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap")
    arguments = parser.parse_args(argv)
    protocol = Protocol.from_config(arguments.protocol, arguments.override)
    with DataFile(arguments.data) as data, HeatmapFile(arguments.heatmaps) as heatmaps:
        explainers = arguments.explainers or heatmaps.explainers
        scores = score(data, heatmaps, explainers, protocol)
        write_scores(arguments.output, heatmaps, scores)
        parameters = heatmaps.parameters
    summary = {
        name: {
            "parameters": parameters,
            **summarise(found, protocol, arguments.resamples, arguments.seed),
        }
        for name, found in scores.items()
    }
    write_json(arguments.summary, summary)


if __name__ == "__main__":
    run(main)
