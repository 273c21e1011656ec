"""Summarise scored references: a row each, and their summary with the human ceilings of the data.

Reads every record's rho as score_references.py writes it. Images are resampled for the intervals.
"""

import argparse

from human_alignment.common.cli import run
from human_alignment.common.files import write_json
from human_alignment.scores.bootstrap import STATISTICS_FLAG
from human_alignment.scores.reference_file import read_references
from human_alignment.scores.reference_summary import COLUMNS, reference_rows, summarise_references
from human_alignment.scores.score_rows import write_rows


def main(argv: list[str] | None = None) -> None:
    """Parse, read, summarise, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("rho", help="of score_references.py --rho (.h5)")
    parser.add_argument("--statistics", **STATISTICS_FLAG)
    parser.add_argument("--output", required=True, help="table to write (.csv)")
    parser.add_argument("--summary", required=True, help="summary to write (.json)")
    arguments = parser.parse_args(argv)
    summary = summarise_references(read_references(arguments.rho), **arguments.statistics)
    write_rows(arguments.output, COLUMNS, reference_rows(summary))
    write_json(arguments.summary, summary)


if __name__ == "__main__":
    run(main)
