"""Summarise the scores of all runs of a study in one table, a row per run and explainer.

Mean, score, its 95 % interval over images, and counts. Every table and figure reads this table. A
run's name is in its files' paths: `<folder>/<model>/<run>.parquet` for scores,
`<folder>/<model>/<run>.top1.json` for accuracy on other images than those that are scored.
"""

import argparse
from pathlib import Path

from human_alignment.common.cli import run
from human_alignment.common.files import written_whole
from human_alignment.scores.bootstrap import STATISTICS_FLAG
from human_alignment.scores.collected import collect
from human_alignment.scores.pairs import TWINS_FLAG


def main(argv: list[str] | None = None) -> None:
    """Parse, summarise, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--scores", nargs="+", type=Path, required=True, help="of all runs")
    parser.add_argument("--top1", nargs="*", type=Path, default=[], help="of the runs that have it")
    parser.add_argument(
        "--own-top1",
        nargs="+",
        metavar="MODEL",
        default=[],
        help="whose top-1 is that of the scored images",
    )
    parser.add_argument("--twins", **TWINS_FLAG)
    parser.add_argument("--statistics", **STATISTICS_FLAG)
    parser.add_argument("--output", required=True, help="table to write (.csv)")
    arguments = parser.parse_args(argv)
    files = arguments.scores, arguments.top1, arguments.twins
    summary = collect(*files, arguments.own_top1, **arguments.statistics)
    with written_whole(arguments.output) as partial:
        summary.to_csv(partial, index=False)


if __name__ == "__main__":
    run(main)
