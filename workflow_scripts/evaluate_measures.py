"""Agreement of one network's heatmaps with the human maps by measures other than Spearman's.

Writes a row per image and explainer with a column per measure, empty where it is undefined.
"""

import argparse

from human_alignment.common.cli import run
from human_alignment.common.files import written_whole
from human_alignment.data.data_file import DataFile
from human_alignment.heatmaps.heatmap_file import HeatmapFile
from human_alignment.scores.measures import MEASURES
from human_alignment.scores.measuring import measure_images
from human_alignment.scores.protocol import PROTOCOL_HELP, protocol_argument
from human_alignment.scores.scoring import EXPLAINERS_FLAG


def main(argv: list[str] | None = None) -> None:
    """Parse, evaluate, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="data file with human maps")
    parser.add_argument("--heatmaps", required=True, help="heatmap file of one network")
    parser.add_argument("--measures", nargs="+", required=True, choices=list(MEASURES))
    parser.add_argument(
        "--protocol", type=protocol_argument, default="released", help=PROTOCOL_HELP
    )
    parser.add_argument("--explainers", **EXPLAINERS_FLAG)
    parser.add_argument("--output", required=True, help="values per image (.parquet or .csv)")
    arguments = parser.parse_args(argv)
    with DataFile(arguments.data) as data, HeatmapFile(arguments.heatmaps) as heatmaps:
        explainers = heatmaps.chosen(arguments.explainers)
        table = measure_images(data, heatmaps, explainers, arguments.measures, arguments.protocol)
    write = table.to_csv if arguments.output.endswith(".csv") else table.to_parquet
    with written_whole(arguments.output) as partial:
        write(partial, index=False)


if __name__ == "__main__":
    run(main)
