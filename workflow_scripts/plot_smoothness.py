"""Plot scores against the cut-off of a low-pass filter of the heatmaps, and their spectra."""

import argparse
from pathlib import Path

from human_alignment.common.cli import run
from human_alignment.outcome.preference import add_preference_flags, preference
from human_alignment.outcome.smoothness_figure import smoothness_figure
from human_alignment.outcome.style import save
from human_alignment.scores.run_tables import read_table


def main(argv: list[str] | None = None) -> None:
    """Read both tables, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoothness", required=True, type=Path, help="tables/smoothness.csv")
    parser.add_argument("--spectra", required=True, type=Path, help="tables/spectra.csv")
    parser.add_argument(
        "--output", required=True, type=Path, nargs="+", help="one file per format: .png .pdf .svg"
    )
    add_preference_flags(parser)
    parser.add_argument("--note", default="", help="a sentence to put small below the figure")
    arguments = parser.parse_args(argv)
    names = ["model", "network", "explainer"]
    smoothness = read_table(arguments.smoothness, names, ["dcls", "cutoff", "score", "low", "high"])
    spectra = read_table(arguments.spectra, names, ["dcls", "frequency", "share"])
    figure = smoothness_figure(smoothness, spectra, arguments.note, preference(arguments))
    save(figure, arguments.output)


if __name__ == "__main__":
    run(main)
