"""Draw the learning curves of all trained networks."""

import argparse
from pathlib import Path

from human_alignment.common.cli import run
from human_alignment.outcome.preference import Preference, add_label_flag
from human_alignment.outcome.style import save
from human_alignment.outcome.training_figures import MEASURES, learning_curves
from human_alignment.scores.pairs import TWINS_FLAG
from human_alignment.scores.run_tables import gather


def main(argv: list[str] | None = None) -> None:
    """Parse, gather, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("curves", nargs="+", type=Path, help="<network>/<run>.curve.csv")
    parser.add_argument("--twins", **TWINS_FLAG)
    add_label_flag(parser)
    parser.add_argument("--note", default="", help="a sentence to put small below the figure")
    parser.add_argument("--output", nargs="+", type=Path, required=True, help="figure: .png .pdf")
    arguments = parser.parse_args(argv)
    curves = gather(arguments.curves, arguments.twins, numbers=["epoch", *MEASURES])
    figure = learning_curves(curves, arguments.note, Preference(arguments.label))
    save(figure, arguments.output)


if __name__ == "__main__":
    run(main)
