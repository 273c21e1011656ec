"""Score one network's heatmaps against the human maps of a data file.

Writes a row per image and explainer, and beside it, as <output>.source.json, what the scores were
made from. With --summary also their mean, score and interval by explainer.
"""

import argparse

from human_alignment.common.cli import run
from human_alignment.common.files import write_json
from human_alignment.data.data_file import DataFile
from human_alignment.heatmaps.heatmap_file import HeatmapFile
from human_alignment.scores.bootstrap import STATISTICS_FLAG
from human_alignment.scores.protocol import PROTOCOL_HELP, protocol_argument
from human_alignment.scores.run_summary import summarise_run
from human_alignment.scores.score_file import ScoreSource, write_scores
from human_alignment.scores.scoring import EXPLAINERS_FLAG, score, source_fields


def main(argv: list[str] | None = None) -> None:
    """Parse, score, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="data file with human maps")
    parser.add_argument("--heatmaps", required=True, help="heatmap file of one network")
    parser.add_argument(
        "--output", required=True, help="scores per image to write (.parquet or .csv)"
    )
    parser.add_argument("--summary", help="their summary to write too (.json)")
    parser.add_argument(
        "--protocol", type=protocol_argument, default="released", help=PROTOCOL_HELP
    )
    parser.add_argument("--explainers", **EXPLAINERS_FLAG)
    parser.add_argument("--statistics", **STATISTICS_FLAG)
    arguments = parser.parse_args(argv)
    protocol = arguments.protocol
    with DataFile(arguments.data) as data, HeatmapFile(arguments.heatmaps) as heatmaps:
        explainers = heatmaps.chosen(arguments.explainers)
        scores = score(data, heatmaps, explainers, protocol)
        made_from = source_fields(data, heatmaps, explainers)
        source = ScoreSource(**made_from, protocol=protocol)
        records = heatmaps.image_ids, heatmaps.labels, scores, heatmaps.predicted
        write_scores(arguments.output, source, *records)
    if arguments.summary:
        write_json(arguments.summary, summarise_run(source, scores, **arguments.statistics))


if __name__ == "__main__":
    run(main)
