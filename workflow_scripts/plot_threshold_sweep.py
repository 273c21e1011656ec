"""Draw score against threshold for every model, with the best threshold of each."""

import argparse
from pathlib import Path

from human_alignment.common.cli import run
from human_alignment.outcome.preference import add_preference_flags, preference
from human_alignment.outcome.protocol_figures import threshold_sweep
from human_alignment.outcome.style import save, score_label
from human_alignment.scores.run_tables import read_table
from human_alignment.scores.summary import human_ceiling


def main(argv: list[str] | None = None) -> None:
    """Parse, read, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--curves", type=Path, required=True, help="scores/sweeps.csv")
    parser.add_argument("--best", type=Path, required=True, help="tables/threshold_sweep.csv")
    parser.add_argument("--threshold", type=float, required=True, help="the protocol's own")
    add_preference_flags(parser)
    parser.add_argument("--note", default="", help="a sentence to put small below the figure")
    parser.add_argument("--output", nargs="+", type=Path, required=True, help="figure: .png .pdf")
    arguments = parser.parse_args(argv)
    curves = read_table(arguments.curves)
    figure = threshold_sweep(
        curves,
        read_table(arguments.best),
        score_label(human_ceiling(curves)),
        arguments.threshold,
        arguments.note,
        preference(arguments),
    )
    save(figure, arguments.output)


if __name__ == "__main__":
    run(main)
