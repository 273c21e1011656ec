"""Print networks' top classes for one picture, and draw an overlay per explainer.

The weights are a file of this pipeline, or a published checkpoint together with --model. Without
--weights a network of timm (timm:resnet50.a1_in1k) has timm's own weights from the Hugging Face
hub. Several networks stand side by side, each under its name. Under geometry `crop` a network sees
the usual centre crop, and the rest of the picture is dimmed in the figure; under `full` it sees all
of the picture, squeezed to a square.
"""

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import human_alignment.networks.startup  # noqa: F401 (before torch)
import numpy as np
import torch
from human_alignment.common.arguments import THREADS_HELP, cores, positive
from human_alignment.common.cli import UserError, run
from human_alignment.data.classes import class_names
from human_alignment.data.pictures import read_picture, seen_part, shrunk
from human_alignment.heatmaps.arguments import PAPER_EXPLAINERS, add_explainers
from human_alignment.heatmaps.attributions import ATTRIBUTIONS, Masking
from human_alignment.heatmaps.explainers import EXPLAINERS
from human_alignment.heatmaps.one_picture import Explanation, explain_picture, load_network
from human_alignment.networks.conversion import default_source, present
from human_alignment.networks.records import NETWORK_HELP, Network, network_argument
from human_alignment.networks.zoo import prepare_for_inference
from human_alignment.outcome.overlays import Row, draw_grid, heatmap_overlay
from human_alignment.outcome.style import save
from human_alignment.scores.postprocess import postprocess
from human_alignment.scores.protocol import PROTOCOL_HELP, Protocol, protocol_argument
from human_alignment.scores.summary import explainer_name

LONGEST = 800  # pixels of a picture's long side in the figure
COLUMN = 2.2  # inches
COLUMNS = 4  # at most in a row


class Wanted(NamedTuple):
    """A network to explain.

    name: in the figure.  weights: file on this machine.  record: None where the file knows it.
    source: where the weights come from, if not from their path.
    """

    name: str
    weights: Path
    record: Network | None
    source: str | None


def wanted_networks(models: list[str], weights: list[str]) -> list[Wanted]:
    """The networks that the command line names; weights that are on the hub are fetched.

    Raises UserError when neither gives the weights, and when both differ in number.
    """
    if models and weights and len(models) != len(weights):
        raise UserError(
            f"--weights names {len(weights)} files, --model {len(models)} networks; give one file "
            "for each, in the same order"
        )
    found = []
    for text, file in itertools.zip_longest(models, weights):
        record = network_argument(text) if text else None
        source, path = None, file and Path(file)
        if not file:
            record, source = default_source(record)
            path = present(source)
        found.append(Wanted(_name(text, record) or path.name, path, record, source))
    if not found:
        raise UserError("name a network: --weights FILE, or --model timm:NAME for timm's weights")
    return found


def _name(text: str | None, record: Network | None) -> str | None:
    """What a network is called in the figure: timm's name, or as the command line has it."""
    if record is None:
        return None
    return record.arguments.get("name", record.family if text.startswith("{") else text)


def overlays(
    picture: np.ndarray, found: Explanation, network: Network, protocol: Protocol
) -> dict[str, np.ndarray]:
    """By explainer its map over the part of the picture that the network saw; the rest dimmed."""
    rows, columns = seen_part(*picture.shape[:2], network.transform, protocol.geometry)
    drawn = {}
    for name, raw in found.maps.items():
        canvas = (picture * 0.35).astype(np.uint8)
        applied = postprocess(protocol, name, raw[None], network.transform.crop)[0]
        canvas[rows, columns] = heatmap_overlay(picture[rows, columns], applied)
        drawn[name] = canvas
    return drawn


def rows_of(picture: np.ndarray, drawn: list[tuple[str, dict[str, np.ndarray]]]) -> Iterator[Row]:
    """Rows of the figure, of COLUMNS pictures at most.

    Of one network the explainers stand side by side, behind the picture. Of several the networks
    do, with a row for each explainer, below the picture.
    drawn: by network its name and its overlays by explainer.
    """
    if len(drawn) == 1:
        ((network, maps),) = drawn
        tiles = [(explainer_name(name), tile) for name, tile in maps.items()]
        for part in _parts(tiles, COLUMNS - 1):
            yield _row(network, [("picture", picture), *part])
        return
    yield _row("", [("picture", picture)])
    for part in _parts(drawn, COLUMNS):
        for name in part[0][1]:
            yield _row(explainer_name(name), [(network, maps[name]) for network, maps in part])


def _parts(items: list, size: int) -> Iterator[list]:
    """Consecutive parts of a list, each of `size` items but the last."""
    return (items[start : start + size] for start in range(0, len(items), size))


def _row(title: str, tiles: list[tuple[str, np.ndarray]]) -> Row:
    """A row of labelled pictures."""
    return Row(title, [tile for _, tile in tiles], [label for label, _ in tiles])


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
        nargs="+",
        default=[],
        metavar="NETWORK",
        help=f"{NETWORK_HELP}; a weights file of this pipeline does not need it",
    )
    parser.add_argument(
        "--weights",
        nargs="+",
        default=[],
        help="weights file or published checkpoint of each network; default: timm's, from the hub",
    )
    add_explainers(parser, [*EXPLAINERS, *ATTRIBUTIONS], PAPER_EXPLAINERS)
    parser.add_argument("--class", type=int, dest="target", help="to explain; default: predicted")
    parser.add_argument("--top", type=int, default=5, help="how many classes to print")
    parser.add_argument("--masks", type=int, default=4000, help="of RISE; each a forward pass")
    parser.add_argument(
        "--protocol", type=protocol_argument, default="released", help=PROTOCOL_HELP
    )
    parser.add_argument("--threads", type=positive, default=cores(), help=THREADS_HELP)
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
    protocol, masking = arguments.protocol, Masking(arguments.masks)
    picture = read_picture(arguments.picture)
    small = shrunk(picture, LONGEST)
    height, width = picture.shape[:2]
    print(f"{arguments.picture}: {width} x {height} pixels")
    wanted = wanted_networks(arguments.model, arguments.weights)
    drawn, notes = [], []
    for one in wanted:
        model, network = load_network(one.weights, one.record, one.source)
        names = class_names(network.num_classes)
        found = explain_picture(
            prepare_for_inference(model),
            network,
            picture,
            list(dict.fromkeys(arguments.explainers)),
            arguments.target,
            protocol.geometry,
            protocol.layer,
            masking,
        )
        lines = described(found, names, arguments.top)
        heading = f"{one.name}. " if len(wanted) > 1 else ""
        print(*([one.name] if heading else []), *lines, sep="\n")
        drawn.append((one.name, overlays(small, found, network, protocol)))
        explained = f"{names[found.target]}, {found.probabilities[found.target]:.1%}."
        likeliest = "; ".join(" ".join(line.split()) for line in lines)
        notes += [f"{heading}Explained: {explained}", f"Most probable: {likeliest}."]
    rows = list(rows_of(small, drawn))
    figure = draw_grid(rows, notes, COLUMN * max(len(row.pictures) for row in rows))
    save(figure, arguments.output)


if __name__ == "__main__":
    run(main)
