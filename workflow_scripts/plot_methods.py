"""Draw Figure 5 or 6: images, and one network's Grad-CAM and Threshold-Grad-CAM maps of them.

Rows of the network without DCLS come first, then those of the network with it. The images are not
picked by eye: they lie at even steps over the data file, unless their ids are given.
"""

import argparse

import numpy as np
from human_alignment.common.cli import json_object, run
from human_alignment.data.classes import class_names
from human_alignment.data.data_file import DataFile
from human_alignment.data.images import present
from human_alignment.heatmaps.heatmap_file import HeatmapFile
from human_alignment.outcome.overlays import draw_grid, heatmap_overlay
from human_alignment.outcome.style import save
from human_alignment.scores.postprocess import postprocess
from human_alignment.scores.protocol import Protocol
from human_alignment.scores.scoring import check_same_images

PAGE, COLUMN = 7.0, 1.3  # inches: the figure's width, or less for few images
LETTERS = 13  # that fit above a picture
METHODS = {"grad_cam": "Grad-CAM", "threshold_grad_cam": "Threshold-\nGrad-CAM"}
Row = tuple[str, list, list[str]]  # title, pictures (None: the title stands there), labels


def choose(data: DataFile, ids: list[str] | None, count: int) -> list[int]:
    """Positions of the images with these ids, or of `count` at even steps over the file."""
    if ids:
        return [data.index(name) for name in ids]
    steps = np.linspace(0, len(data) - 1, min(count, len(data)))
    return steps.round().astype(int).tolist()


def pictures_of(data: DataFile, index: list[int]) -> list[np.ndarray]:
    """The images at these positions, as the study shows them."""
    return [present(data.images(i, i + 1)[0], data.image_size) for i in index]


def shortened(name: str) -> str:
    """A class name that fits above a picture."""
    return name if len(name) <= LETTERS else name[: LETTERS - 1].rstrip(" ,") + "…"


def absent(sentence: str, count: int) -> Row:
    """A row that says what is missing."""
    return sentence, [None] * count, [""] * count


def network_rows(
    path: str, kind: str, data: DataFile, index: list[int], protocol: Protocol
) -> list[Row]:
    """A network's rows, one per method, the first labelled with the classes that are explained.

    kind: `without DCLS` or `with DCLS`.
    """
    images, names, rows = pictures_of(data, index), class_names(data.num_classes), []
    with HeatmapFile(path) as heatmaps:
        check_same_images(data, heatmaps)
        explained = heatmaps.labels if heatmaps.target == "label" else heatmaps.predicted
        labels = [shortened(names[explained[i]]) for i in index]
        for explainer, title in METHODS.items():
            if explainer not in heatmaps.explainers:
                rows.append(absent(f"There are no {explainer} maps {kind}.", len(index)))
                continue
            raw = np.concatenate([heatmaps.maps(explainer, i, i + 1) for i in index])
            maps = postprocess(protocol, explainer, raw, data.image_size)
            drawn = [heatmap_overlay(*pair) for pair in zip(images, maps, strict=True)]
            rows.append((f"{kind}\n{title}", drawn, labels))
            labels = [""] * len(index)
    return rows


def main(argv: list[str] | None = None) -> None:
    """Parse, choose, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="data file of the images")
    parser.add_argument("--plain", nargs="?", help="heatmap file of the network without DCLS")
    parser.add_argument("--dcls", nargs="?", help="heatmap file of the network with DCLS")
    parser.add_argument("--network", required=True, help="its name, for the note")
    parser.add_argument("--images", type=int, default=10, help="how many")
    parser.add_argument("--image-ids", nargs="+", help="these images instead of the rule's")
    parser.add_argument("--protocol", type=json_object, required=True, help="all fields, as JSON")
    parser.add_argument("--note", default="", help="a sentence under the figure")
    parser.add_argument("--output", nargs="+", required=True, help=".png, .pdf or .svg")
    arguments = parser.parse_args(argv)
    protocol = Protocol(**arguments.protocol)
    with DataFile(arguments.data) as data:
        index = choose(data, arguments.image_ids, arguments.images)
        rows = [("image", pictures_of(data, index), [""] * len(index))]
        for kind, path in (("without DCLS", arguments.plain), ("with DCLS", arguments.dcls)):
            if path:
                rows += network_rows(path, kind, data, index, protocol)
            else:
                rows.append(absent(f"No maps of this network {kind}.", len(index)))
        about = f"{arguments.network}. Above its maps the class that they explain."
        if not arguments.image_ids and len(index) < len(data):
            about += f" Images at even steps over the {len(data):,} of {data.dataset}."
    notes = [about] + ([arguments.note] if arguments.note else [])
    titles, pictures, labels = zip(*rows, strict=True)
    width = min(PAGE, max(PAGE / 2, COLUMN * len(index)))
    save(draw_grid(pictures, titles, labels, notes, width), arguments.output)


if __name__ == "__main__":
    run(main)
