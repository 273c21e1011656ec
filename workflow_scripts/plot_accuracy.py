"""Draw top-1 accuracy against score, with their correlation over networks."""

import argparse
from pathlib import Path

from human_alignment.common.cli import run
from human_alignment.outcome.accuracy_figure import accuracy_against_score
from human_alignment.outcome.preference import add_label_flag
from human_alignment.outcome.reference_scores import read_references
from human_alignment.outcome.style import save
from human_alignment.scores.run_tables import read_table
from human_alignment.scores.summary import read_summary


def main(argv: list[str] | None = None) -> None:
    """Parse, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--summary", required=True, type=Path, help="scores/summary.csv")
    parser.add_argument("--correlations", required=True, type=Path, help="scores/correlations.csv")
    parser.add_argument(
        "--references", type=Path, nargs="?", help="tables/references.csv, for bands"
    )
    add_label_flag(parser)
    parser.add_argument("--note", default="", help="a sentence to put small below the figure")
    parser.add_argument("--output", nargs="+", type=Path, required=True, help="figure: .png .pdf")
    arguments = parser.parse_args(argv)
    summary, correlations = read_summary(arguments.summary), read_table(arguments.correlations)
    references = read_references(arguments.references) if arguments.references else None
    figure = accuracy_against_score(
        summary, correlations, arguments.note, references, arguments.label
    )
    save(figure, arguments.output)


if __name__ == "__main__":
    run(main)
