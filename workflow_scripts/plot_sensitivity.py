"""Draw how far each field of the protocol moves the scores."""

import argparse
from pathlib import Path

from human_alignment.common.cli import run
from human_alignment.outcome.protocol_figures import sensitivity
from human_alignment.outcome.style import save, score_label
from human_alignment.scores.run_tables import read_table
from human_alignment.scores.summary import human_ceiling


def main(argv: list[str] | None = None) -> None:
    """Parse, read, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path, help="tables/sensitivity.csv")
    parser.add_argument("--note", default="", help="a sentence to put small below the figure")
    parser.add_argument("--output", nargs="+", type=Path, required=True, help="figure: .png .pdf")
    arguments = parser.parse_args(argv)
    table = read_table(arguments.table)
    label = score_label(human_ceiling(table, "human_ceiling_before"))
    save(sensitivity(table, label, arguments.note), arguments.output)


if __name__ == "__main__":
    run(main)
