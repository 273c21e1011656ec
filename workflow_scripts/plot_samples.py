"""Draw a sheet of samples of a data file: image, human map, and the map over the image."""

import argparse

from human_alignment.common.cli import UserError, run
from human_alignment.data.data_file import DataFile
from human_alignment.outcome.map_figures import sample_sheet
from human_alignment.outcome.style import save


def main(argv: list[str] | None = None) -> None:
    """Parse, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="data file with human maps")
    parser.add_argument("--count", type=int, default=24, help="samples, evenly over the file")
    parser.add_argument("--output", nargs="+", required=True, help=".png, .pdf or .svg")
    arguments = parser.parse_args(argv)
    if arguments.count < 1:
        raise UserError(f"--count: {arguments.count} is not positive")
    with DataFile(arguments.data) as data:
        figure = sample_sheet(data, arguments.count)
    save(figure, arguments.output)


if __name__ == "__main__":
    run(main)
