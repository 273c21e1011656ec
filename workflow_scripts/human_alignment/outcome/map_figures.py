"""Figures of single images and their maps: Figure 1, Figures 5 and 6, and the sheet of samples.

No image is picked by eye: all of them are chosen at even steps, over the file or by agreement.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..common.cli import UserError
from ..data.classes import class_name, class_names
from ..data.data_file import DataFile
from ..data.images import present
from ..heatmaps.heatmap_file import HeatmapFile
from ..scores.postprocess import postprocess
from ..scores.protocol import Protocol
from ..scores.score_file import read_scores
from ..scores.scoring import check_same_images
from ..scores.summary import explainer_name
from .overlays import Row, draw_grid, heatmap_overlay, nothing_to_show
from .style import LEGEND, PAGE_WIDTH

BLOCK = 8  # samples side by side
COLUMN = 1.3  # inches: an image's room in Figures 5 and 6, if the page has that much
AGREEMENT = (
    "Images at even steps from the best to the worst agreement (mean rho of the networks shown); "
    "above each map its Spearman correlation ρ with the human map."
)


def even_steps(total: int, count: int) -> list[int]:
    """`count` of the positions 0 to `total` - 1 at even steps; all where `total` is smaller."""
    return np.linspace(0, total - 1, min(count, total)).round().astype(int).tolist()


def read_rho(paths: list[Path], explainer: str) -> pd.DataFrame:
    """Rho by image id, a column per network; images without a defined rho are dropped."""
    columns = []
    for path in paths:
        found = read_scores(path)
        if explainer not in found.scores:
            raise UserError(f"{path} has no {explainer!r} scores; it has {', '.join(found.scores)}")
        rho = found.scores[explainer].rho
        columns.append(pd.Series(rho, found.image_ids, name=str(path)))
    return pd.concat(columns, axis=1).dropna() if columns else pd.DataFrame()


def by_agreement(rho: pd.DataFrame, count: int) -> list[str]:
    """Image ids at even steps of the rank of their mean rho, best first.

    rho: index image id, a column per network.
    """
    ranked = rho.mean(axis=1).sort_values(ascending=False, kind="stable")
    return [ranked.index[step] for step in even_steps(len(ranked), count)]


def _images(data: DataFile, index: list[int]) -> list[np.ndarray]:
    """The images at these positions, as the study shows them."""
    return [present(data, i) for i in index]


def _row(
    title: str, images: list[np.ndarray], maps: Sequence[np.ndarray], labels: Sequence[str] = ()
) -> Row:
    """Maps over images; a map with nothing to show says so."""
    pictures = [heatmap_overlay(*pair) for pair in zip(images, maps, strict=True)]
    return Row(title, pictures, labels, list(map(nothing_to_show, maps)))


def _human_maps(data: DataFile, index: list[int]) -> list[np.ndarray]:
    return [data.human_maps(i, i + 1)[0] for i in index]


def _network_maps(
    heatmaps: HeatmapFile, explainer: str, index: list[int], protocol: Protocol, size: int
) -> np.ndarray:
    """Maps (n, size, size) of the images at these positions, as they are scored."""
    raw = np.concatenate([heatmaps.maps(explainer, i, i + 1, protocol.layer) for i in index])
    return postprocess(protocol, explainer, raw, size)


def figure1(
    data: DataFile,
    heatmaps: list[Path],
    rho: pd.DataFrame,
    ids: list[str],
    explainer: str,
    protocol: Protocol,
    notes: list[str],
) -> Figure:
    """Figure 1: images, human maps, and one explainer's maps of a network with and without DCLS.

    heatmaps: a file per network.  rho: index image id, a column per file.  ids: of the images.
    """
    index = [data.index(name) for name in ids]
    images = _images(data, index)
    rows = [Row("image", images), _row("human", images, _human_maps(data, index))]
    for path, column in zip(heatmaps, rho, strict=True):
        with HeatmapFile(path) as file:
            maps = _network_maps(file, explainer, index, protocol, data.image_size)
            labels = [_rho_label(value) for value in rho[column].reindex(ids)]
            rows.append(_row(file.model, images, maps, labels))
    if len(heatmaps) < 2:
        rows.append(Row("The study has no pair of this network with and without DCLS."))
    return draw_grid(rows, [f"{explainer_name(explainer)}.", *notes], PAGE_WIDTH)


def _rho_label(rho: float) -> str:
    return "ρ undefined" if np.isnan(rho) else f"ρ = {rho:.2f}".replace("-", "−")


def methods_figure(
    data: DataFile,
    heatmaps: tuple[Path | None, Path | None],
    index: list[int],
    explainers: list[str],
    protocol: Protocol,
    notes: list[str],
) -> Figure:
    """Figure 5 or 6: images, and a network's maps of them by each explainer.

    heatmaps: of the network without and with DCLS.  index: positions of the images in the data.
    """
    images = _images(data, index)
    rows = [Row("image", images)]
    for path, kind in zip(heatmaps, LEGEND, strict=True):
        if path:
            rows += _method_rows(path, kind, data, images, index, explainers, protocol)
        else:
            rows.append(Row(f"No maps of this network {kind}."))
    width = min(PAGE_WIDTH, max(PAGE_WIDTH / 2, COLUMN * len(index)))
    return draw_grid(rows, notes, width)


def _method_rows(
    path: Path,
    kind: str,
    data: DataFile,
    images: list[np.ndarray],
    index: list[int],
    explainers: list[str],
    protocol: Protocol,
) -> list[Row]:
    """A row per explainer; the first is labelled with the classes that its maps explain."""
    classes, rows = class_names(data.num_classes, data.class_names), []
    with HeatmapFile(path) as heatmaps:
        check_same_images(data, heatmaps)
        explained = heatmaps.labels if heatmaps.target == "label" else heatmaps.predicted
        labels = [class_name(classes, explained[i]) for i in index]
        for explainer in explainers:
            name = explainer_name(explainer)
            if explainer not in heatmaps.explainers:
                rows.append(Row(f"There are no {name} maps {kind}."))
                continue
            maps = _network_maps(heatmaps, explainer, index, protocol, data.image_size)
            title = f"{kind}\n{name}".replace("Threshold-", "Threshold-\n")
            rows.append(_row(title, images, maps, labels))
            labels = []
    return rows


def sample_sheet(data: DataFile, count: int) -> Figure:
    """Images at even steps over the file, in blocks of eight: image, human map, and overlay."""
    chosen, rows = even_steps(len(data), count), []
    names = class_names(data.num_classes, data.class_names)
    for start in range(0, len(chosen), BLOCK):
        block = chosen[start : start + BLOCK]
        images, maps = _images(data, block), _human_maps(data, block)
        labels = [class_name(names, data.labels[i]) for i in block]
        rows.append(Row("image", images, labels))
        rows.append(Row("human map", maps, marks=list(map(nothing_to_show, maps))))
        rows.append(_row("overlay", images, maps))
    about = f"{len(chosen)} of the {len(data)} images of {data.dataset}, evenly over the file."
    return draw_grid(rows, [about, data.description, *_skipped_entries(data)], PAGE_WIDTH)


def _skipped_entries(data: DataFile) -> list[str]:
    """How many entries the data file leaves out, and the first ten of them with the reason."""
    if not data.skipped:
        return []
    listed = [f"{entry['record']}: {entry['reason']}" for entry in data.skipped[:10]]
    more = ["..."] if len(data.skipped) > 10 else []
    return [f"{len(data.skipped)} entries were left out:", *listed, *more]
