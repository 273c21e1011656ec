"""Draw Figure 1: images, human maps, and a network's maps with and without DCLS.

The images are not picked by eye: they lie at even steps of the rank of their mean rho over the
networks shown, from the best agreement to the worst, among images with a defined rho.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from human_alignment.common.cli import UserError, json_object, run
from human_alignment.data.data_file import DataFile
from human_alignment.data.images import present
from human_alignment.heatmaps.heatmap_file import HeatmapFile
from human_alignment.outcome.overlays import draw_grid, heatmap_overlay
from human_alignment.outcome.style import save
from human_alignment.scores.postprocess import postprocess
from human_alignment.scores.protocol import Protocol
from human_alignment.scores.summary import explainer_name

WIDTH = 7.0  # inches: a page
RULE = (
    "Images at even steps from the best to the worst agreement (mean rho of the networks "
    "shown); above each map its rho."
)


def read_rho(paths: list[Path], explainer: str) -> pd.DataFrame:
    """Rho by image id, a column per network; images without a defined rho are dropped."""
    columns = []
    for path in paths:
        table = pd.read_csv(path)
        rows = table[table["explainer"] == explainer]
        columns.append(rows.set_index("image_id")["rho"].rename(str(path)))
    return pd.concat(columns, axis=1).dropna()


def choose(rho: pd.DataFrame, count: int) -> list[str]:
    """Image ids at even steps of the rank of their mean rho, best first."""
    ranked = rho.mean(axis=1).sort_values(ascending=False, kind="stable")
    steps = np.linspace(0, len(ranked) - 1, min(count, len(ranked))).round().astype(int)
    return [ranked.index[step] for step in steps]


def main(argv: list[str] | None = None) -> None:
    """Parse, choose, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="data file with human maps")
    parser.add_argument("--heatmaps", nargs="*", default=[], help="with DCLS, then without")
    parser.add_argument("--scores", nargs="*", type=Path, default=[], help="in the same order")
    parser.add_argument("--images", type=int, default=6, help="how many")
    parser.add_argument("--image-ids", nargs="+", help="these images instead of the rule's")
    parser.add_argument("--protocol", type=json_object, required=True, help="all fields, as JSON")
    parser.add_argument("--explainer", default="threshold_grad_cam")
    parser.add_argument("--note", default="", help="a sentence under the figure")
    parser.add_argument("--output", nargs="+", required=True, help=".png, .pdf or .svg")
    arguments = parser.parse_args(argv)
    if len(arguments.heatmaps) != len(arguments.scores):
        raise UserError("--heatmaps and --scores must name the same networks, in the same order")
    protocol = Protocol(**arguments.protocol)
    with DataFile(arguments.data) as data:
        rho = read_rho(arguments.scores, arguments.explainer) if arguments.scores else None
        if arguments.image_ids:
            ids = arguments.image_ids
        elif rho is not None and len(rho):
            ids = choose(rho, arguments.images)
        else:
            ids = data.image_ids[: arguments.images]
        index = [data.index(name) for name in ids]
        images = [present(data.images(i, i + 1)[0], data.image_size) for i in index]
        human = [data.human_maps(i, i + 1)[0] for i in index]
        size = data.image_size
    pictures = [images, [heatmap_overlay(*pair) for pair in zip(images, human, strict=True)]]
    titles, labels = ["image", "human"], [[""] * len(ids), [""] * len(ids)]
    for path, column in zip(arguments.heatmaps, arguments.scores, strict=True):
        with HeatmapFile(path) as heatmaps:
            raw = np.concatenate([heatmaps.maps(arguments.explainer, i, i + 1) for i in index])
            titles.append(heatmaps.model)
        maps = postprocess(protocol, arguments.explainer, raw, size)
        pictures.append([heatmap_overlay(*pair) for pair in zip(images, maps, strict=True)])
        known = rho[str(column)].reindex(ids)
        labels.append(["undefined" if np.isnan(v) else f"{v:.2f}" for v in known])
    if len(arguments.heatmaps) < 2:
        pictures.append([None] * len(ids))
        labels.append([""] * len(ids))
        titles.append("The study has no pair of this network with and without DCLS.")
    about = f"{explainer_name(arguments.explainer)}. {'' if arguments.image_ids else RULE}".strip()
    notes = [about] + ([arguments.note] if arguments.note else [])
    save(draw_grid(pictures, titles, labels, notes, WIDTH), arguments.output)


if __name__ == "__main__":
    run(main)
