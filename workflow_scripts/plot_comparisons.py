"""Draw the paired differences: with DCLS against without, Threshold-Grad-CAM against Grad-CAM."""

import argparse
from pathlib import Path

from human_alignment.common.cli import run
from human_alignment.outcome.comparison_figures import paired_differences
from human_alignment.outcome.preference import add_preference_flags, preference
from human_alignment.outcome.style import save
from human_alignment.scores.run_tables import read_table


def main(argv: list[str] | None = None) -> None:
    """Parse, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--comparisons", required=True, type=Path, help="scores/comparisons.csv")
    add_preference_flags(parser)
    parser.add_argument("--note", default="", help="a sentence to put small below the figure")
    parser.add_argument("--output", nargs="+", type=Path, required=True, help="figure: .png .pdf")
    arguments = parser.parse_args(argv)
    table = read_table(arguments.comparisons)
    figure = paired_differences(table, arguments.note, preference(arguments))
    save(figure, arguments.output)


if __name__ == "__main__":
    run(main)
