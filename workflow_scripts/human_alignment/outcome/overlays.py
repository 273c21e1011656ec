"""Heatmaps laid over images, and grids of such pictures."""

from collections.abc import Sequence
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from ..data.resize import resize_bilinear
from .style import GREY, STYLE, new_figure, say_instead

COLOUR_MAP = "inferno"  # perceptually uniform, read the same with any colour vision


def unit_range(heatmap: np.ndarray) -> np.ndarray | None:
    """A map from 0 to 1; None if it has nothing to show (constant, or not finite)."""
    if not np.isfinite(heatmap).all() or np.ptp(heatmap) == 0:
        return None
    return (heatmap - heatmap.min()) / np.ptp(heatmap)


def heatmap_overlay(image: np.ndarray, heatmap: np.ndarray) -> np.ndarray:
    """Blend a map over an image, the more opaque the higher its value.

    image: uint8 (r, c, 3).  heatmap: (h, w), resized to the image, then min to max as 0 to 1.
    Returns uint8 (r, c, 3); the image itself when the map has nothing to show.
    """
    heatmap = unit_range(resize_bilinear(heatmap, *image.shape[:2]))
    if heatmap is None:
        return image
    colours = mpl.colormaps[COLOUR_MAP](heatmap)[..., :3] * 255
    opacity = 0.25 + 0.5 * heatmap[..., None]
    return (image * (1 - opacity) + colours * opacity).round().astype(np.uint8)


class Row(NamedTuple):
    """A row of a grid: its title, its pictures, and a label above each of them or none at all.

    A row without pictures shows its title in their place.
    """

    title: str
    pictures: Sequence[np.ndarray] = ()
    labels: Sequence[str] = ()


def _height(row: Row) -> float:
    """Height of a row in units of a column's width: its tallest picture's, from a third to two."""
    ratios = [picture.shape[0] / picture.shape[1] for picture in row.pictures]
    return float(np.clip(max(ratios, default=1.0), 1 / 3, 2))


@mpl.rc_context(STYLE)
def draw_grid(rows: list[Row], notes: list[str], width: float) -> Figure:
    """Rows of pictures, each with its title at the left. width: of the figure, in inches."""
    columns = max(len(row.pictures) for row in rows)
    side = (width - 0.25) / columns
    height = sum(side * (_height(row) + 0.13) for row in rows) + 0.1
    figure = new_figure(height, notes, width)
    grid = figure.subplots(len(rows), columns, squeeze=False)
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=0.02, hspace=0.02)
    for row, places in zip(rows, grid, strict=True):
        for axes in places:
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        for axes in places[len(row.pictures) :]:
            axes.set_axis_off()
        for axes, picture in zip(places, row.pictures, strict=False):
            axes.imshow(picture, cmap="gray")
        for axes, label in zip(places, row.labels, strict=False):
            axes.set_title(label, fontsize=7, pad=1.5, color=GREY)
        if row.pictures:
            places[0].set_ylabel(row.title, fontsize=7)
        else:
            say_instead(places[columns // 2], row.title)
    return figure
