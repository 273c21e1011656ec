"""Summarise one run's scores under several protocols: what each field changes.

Writes a row per field and explainer: the score with the field changed, and its difference from the
score under the protocol to start from, paired by image, both with 95 % intervals.
"""

import argparse

from human_alignment.common.cli import run
from human_alignment.scores.bootstrap import STATISTICS_FLAG
from human_alignment.scores.score_file import write_rows
from human_alignment.scores.sensitivity import COLUMNS, sensitivity_rows
from human_alignment.scores.variant_file import read_variants


def main(argv: list[str] | None = None) -> None:
    """Parse, read, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("scores", help="scores by protocol of protocol_sensitivity.py (.h5)")
    parser.add_argument("--statistics", **STATISTICS_FLAG)
    parser.add_argument("--output", required=True, help="table to write (.csv)")
    arguments = parser.parse_args(argv)
    found = read_variants(arguments.scores)
    source = found.source
    made_from = found.scores, source.protocols, source.human_ceiling
    rows = sensitivity_rows(*made_from, **arguments.statistics)
    write_rows(arguments.output, COLUMNS, map(dict.values, rows))


if __name__ == "__main__":
    run(main)
