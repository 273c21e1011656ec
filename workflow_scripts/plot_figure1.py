"""Draw Figure 1: images, human maps, and a network's maps with and without DCLS.

The images are at even steps of the rank of their mean rho over the networks shown, from the best
agreement to the worst, among images with a defined rho.
"""

import argparse
from pathlib import Path

from human_alignment.common.cli import UserError, run
from human_alignment.data.data_file import DataFile
from human_alignment.outcome.map_figures import AGREEMENT, by_agreement, figure1, read_rho
from human_alignment.outcome.style import save
from human_alignment.scores.protocol import PROTOCOL_HELP, protocol_argument


def main(argv: list[str] | None = None) -> None:
    """Parse, choose, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="data file with human maps")
    parser.add_argument("--heatmaps", nargs="*", default=[], help="with DCLS, then without")
    parser.add_argument("--scores", nargs="*", type=Path, default=[], help="in the same order")
    parser.add_argument("--images", type=int, default=6, help="how many")
    parser.add_argument("--image-ids", nargs="+", help="these images instead of the rule's")
    parser.add_argument("--protocol", type=protocol_argument, required=True, help=PROTOCOL_HELP)
    parser.add_argument("--explainer", default="threshold_grad_cam")
    parser.add_argument("--note", default="", help="a sentence under the figure")
    parser.add_argument("--output", nargs="+", required=True, help=".png, .pdf or .svg")
    arguments = parser.parse_args(argv)
    if len(arguments.heatmaps) != len(arguments.scores):
        raise UserError("--heatmaps and --scores must name the same networks, in the same order")
    rho = read_rho(arguments.scores, arguments.explainer)
    notes = [arguments.note]
    with DataFile(arguments.data) as data:
        if arguments.image_ids:
            ids = arguments.image_ids
        elif len(rho):
            ids = by_agreement(rho, arguments.images)
            notes = [AGREEMENT, *notes]
        else:
            ids = data.image_ids[: arguments.images]
        figure = figure1(
            data,
            arguments.heatmaps,
            rho,
            ids,
            arguments.explainer,
            arguments.protocol,
            notes,
        )
    save(figure, arguments.output)


if __name__ == "__main__":
    run(main)
