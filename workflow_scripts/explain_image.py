"""Print a network's top classes for one picture, and draw an overlay per explainer.

The weights are a file of this pipeline, or a published checkpoint together with --model. Under
geometry `crop` the network sees the usual centre crop, and the rest of the picture is dimmed
in the figure; under `full` it sees all of the picture, squeezed to a square.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from human_alignment.common.arguments import positive
from human_alignment.common.cli import UserError, run
from human_alignment.data.classes import class_names
from human_alignment.data.pictures import read_picture, seen_part, shrunk
from human_alignment.heatmaps.arguments import PAPER_EXPLAINERS, add_explainers
from human_alignment.heatmaps.explainers import EXPLAINERS
from human_alignment.heatmaps.one_picture import Explanation, explain_picture, load_network
from human_alignment.networks.records import NETWORK_HELP, Network, network_argument
from human_alignment.networks.zoo import prepare_for_inference
from human_alignment.outcome.overlays import Row, draw_grid, heatmap_overlay
from human_alignment.outcome.style import save
from human_alignment.scores.postprocess import postprocess
from human_alignment.scores.protocol import PROTOCOL_HELP, Protocol, protocol_argument
from human_alignment.scores.summary import explainer_name

LONGEST = 800  # pixels of a picture's long side in the figure
COLUMN = 2.2  # inches


def overlays(
    picture: np.ndarray, found: Explanation, network: Network, protocol: Protocol
) -> list[np.ndarray]:
    """Each explainer's map over the part of the picture that the network saw; the rest dimmed."""
    rows, columns = seen_part(*picture.shape[:2], network.transform, protocol.geometry)
    drawn = []
    for name, raw in found.maps.items():
        canvas = (picture * 0.35).astype(np.uint8)
        applied = postprocess(protocol, name, raw[None], network.transform.crop)[0]
        canvas[rows, columns] = heatmap_overlay(picture[rows, columns], applied)
        drawn.append(canvas)
    return drawn


def described(found: Explanation, names: list[str], count: int) -> list[str]:
    """The most probable classes, a line each."""
    return [f"{found.probabilities[i]:7.1%}  {names[i]}" for i in found.top(count)]


def arguments_of(argv: list[str] | None) -> argparse.Namespace:
    """The command line's flags."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("picture", type=Path, help="any picture that Pillow reads")
    parser.add_argument(
        "--model",
        type=network_argument,
        metavar="NETWORK",
        help=f"{NETWORK_HELP}; only a published checkpoint needs it",
    )
    parser.add_argument("--weights", required=True, help="weights file or published checkpoint")
    add_explainers(parser, EXPLAINERS, PAPER_EXPLAINERS)
    parser.add_argument("--class", type=int, dest="target", help="to explain; default: predicted")
    parser.add_argument("--top", type=int, default=5, help="how many classes to print")
    parser.add_argument(
        "--protocol", type=protocol_argument, default="released", help=PROTOCOL_HELP
    )
    parser.add_argument("--threads", type=positive, default=1, help="CPU threads")
    parser.add_argument(
        "--output", nargs="+", required=True, help="figure to write: .png, .pdf or .svg"
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Read, explain, print, draw."""
    arguments = arguments_of(argv)
    if arguments.top < 1:
        raise UserError(f"--top: {arguments.top} is not positive")
    torch.set_num_threads(arguments.threads)
    protocol = arguments.protocol
    picture = read_picture(arguments.picture)
    model, network = load_network(arguments.weights, arguments.model)
    names = class_names(network.num_classes)
    found = explain_picture(
        prepare_for_inference(model),
        network,
        picture,
        list(dict.fromkeys(arguments.explainers)),
        arguments.target,
        protocol.geometry,
        protocol.layer,
    )
    lines = described(found, names, arguments.top)
    height, width = picture.shape[:2]
    print(f"{arguments.picture}: {width} x {height} pixels", *lines, sep="\n")
    small = shrunk(picture, LONGEST)
    pictures = [small, *overlays(small, found, network, protocol)]
    labels = ["picture", *map(explainer_name, found.maps)]
    explained = f"Explained: {names[found.target]}, {found.probabilities[found.target]:.1%}."
    likeliest = "Most probable: " + "; ".join(" ".join(line.split()) for line in lines) + "."
    row = Row("", pictures, labels)
    figure = draw_grid([row], [explained, likeliest], COLUMN * len(pictures))
    save(figure, arguments.output)


if __name__ == "__main__":
    run(main)
