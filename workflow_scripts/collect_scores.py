"""Gather the summaries of all runs of a study into one table, a row per run and explainer.

Every table and figure reads this table. A run's name is in its files' paths:
`<folder>/<model>/<run>.json`, and `<run>.saliency.json` and the like, for scores,
`<folder>/<model>/<run>.top1.json` for accuracy.
"""

import argparse
from pathlib import Path

from human_alignment.common.cli import run
from human_alignment.common.files import written_whole
from human_alignment.scores.pairs import TWINS_FLAG
from human_alignment.scores.summary import collect


def main(argv: list[str] | None = None) -> None:
    """Parse, gather, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--summaries", nargs="+", type=Path, required=True, help="of all runs")
    parser.add_argument("--top1", nargs="*", type=Path, default=[], help="of the runs that have it")
    parser.add_argument("--twins", **TWINS_FLAG)
    parser.add_argument("--output", required=True, help="table to write (.csv)")
    arguments = parser.parse_args(argv)
    summary = collect(arguments.summaries, arguments.top1, arguments.twins)
    with written_whole(arguments.output) as partial:
        summary.to_csv(partial, index=False)


if __name__ == "__main__":
    run(main)
