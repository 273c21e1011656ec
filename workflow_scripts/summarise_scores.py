"""Summarise one run's score file: mean, score, 95 % interval and counts of each explainer."""

import argparse

from human_alignment.common.cli import run
from human_alignment.common.files import write_json
from human_alignment.scores.bootstrap import STATISTICS_FLAG
from human_alignment.scores.run_summary import summarise_run
from human_alignment.scores.score_file import read_scores


def main(argv: list[str] | None = None) -> None:
    """Parse, read, summarise, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scores", help="score file of score_alignment.py (.csv)")
    parser.add_argument("--statistics", **STATISTICS_FLAG)
    parser.add_argument("--output", required=True, help="summary to write (.json)")
    arguments = parser.parse_args(argv)
    found = read_scores(arguments.scores)
    summary = summarise_run(found.source, found.scores, **arguments.statistics)
    write_json(arguments.output, summary)


if __name__ == "__main__":
    run(main)
