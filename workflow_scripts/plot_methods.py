"""Draw Figure 5 or 6: images, and one network's maps of them by the paper's two explainers.

Rows of the network without DCLS come first, then those of the network with it. The images are at
even steps over the data file, unless their ids are given.
"""

import argparse

from human_alignment.common.cli import run
from human_alignment.data.data_file import DataFile
from human_alignment.outcome.map_figures import even_steps, methods_figure
from human_alignment.outcome.style import save
from human_alignment.scores.explainer_names import EXPLAINER_NAMES
from human_alignment.scores.protocol import PROTOCOL_HELP, protocol_argument
from human_alignment.scores.summary import papers_explainers


def main(argv: list[str] | None = None) -> None:
    """Parse, choose, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="data file of the images")
    parser.add_argument("--plain", nargs="?", help="heatmap file of the network without DCLS")
    parser.add_argument("--dcls", nargs="?", help="heatmap file of the network with DCLS")
    parser.add_argument("--network", required=True, help="its name, for the note")
    parser.add_argument(
        "--explainers",
        nargs="+",
        default=list(EXPLAINER_NAMES),
        metavar="NAME",
        help="of the study; drawn are the paper's two among them, or else the first of them",
    )
    parser.add_argument("--images", type=int, default=10, help="how many")
    parser.add_argument("--image-ids", nargs="+", help="these images instead of the rule's")
    parser.add_argument("--protocol", type=protocol_argument, required=True, help=PROTOCOL_HELP)
    parser.add_argument("--note", default="", help="a sentence under the figure")
    parser.add_argument("--output", nargs="+", required=True, help=".png, .pdf or .svg")
    arguments = parser.parse_args(argv)
    about = f"{arguments.network}. The class that the maps explain is above them."
    with DataFile(arguments.data) as data:
        if arguments.image_ids:
            index = [data.index(name) for name in arguments.image_ids]
        else:
            index = even_steps(len(data), arguments.images)
            if len(index) < len(data):
                about += f" Images at even steps over the {len(data):,} images of {data.dataset}."
        heatmaps, notes = (arguments.plain, arguments.dcls), [about, arguments.note]
        explainers = papers_explainers(arguments.explainers)
        figure = methods_figure(data, heatmaps, index, explainers, arguments.protocol, notes)
    save(figure, arguments.output)


if __name__ == "__main__":
    run(main)
