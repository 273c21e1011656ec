"""Draw scores by stratum of images: by the human map, by prediction and by class."""

import argparse
from pathlib import Path

from human_alignment.common.cli import run
from human_alignment.outcome.preference import add_preference_flags, preference
from human_alignment.outcome.strata_figure import scores_by_stratum
from human_alignment.outcome.style import save
from human_alignment.scores.run_tables import read_table

TEXT = ["model", "network", "explainer", "stratification", "stratum"]
NUMBERS = ["dcls", "score", "low", "high"]


def main(argv: list[str] | None = None) -> None:
    """Parse, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strata", required=True, type=Path, help="tables/strata.csv")
    add_preference_flags(parser)
    parser.add_argument("--note", default="", help="a sentence to put small below the figure")
    parser.add_argument("--output", nargs="+", type=Path, required=True, help="figure: .png .pdf")
    arguments = parser.parse_args(argv)
    table = read_table(arguments.strata, TEXT, NUMBERS)
    save(scores_by_stratum(table, arguments.note, preference(arguments)), arguments.output)


if __name__ == "__main__":
    run(main)
