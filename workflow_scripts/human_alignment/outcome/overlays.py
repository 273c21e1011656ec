"""Heatmaps laid over images, and grids of such pictures."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from ..data.resize import resize_bilinear
from .style import GREY, STYLE, new_figure, say_instead

COLOUR_MAP = "inferno"  # perceptually uniform, read the same with any colour vision
_LINE = 0.125  # inches: a line of a label or a title
_APART = 0.04  # inches between the labels of two pictures


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


def nothing_to_show(heatmap: np.ndarray) -> str:
    """Why a map cannot be drawn, in a word; empty where it can."""
    if not np.isfinite(heatmap).all():
        return "not finite"
    if np.ptp(heatmap) == 0:
        return "constant" if heatmap.any() else "empty"
    return ""


class Row(NamedTuple):
    """A row of a grid: its title, its pictures, and a label above each of them or none at all.

    A row without pictures shows its title in their place.  marks: a word across each picture,
    empty for none.
    """

    title: str
    pictures: Sequence[np.ndarray] = ()
    labels: Sequence[str] = ()
    marks: Sequence[str] = ()


def _height(row: Row) -> float:
    """Height of a row in units of a column's width: its tallest picture's, from a third to two."""
    ratios = [picture.shape[0] / picture.shape[1] for picture in row.pictures]
    return float(np.clip(max(ratios, default=1.0), 1 / 3, 2))


def wrapped(label: str, room: float) -> str:
    """A label in lines of at most `room` inches at the usual size; no letter is lost.

    A word that is wider than a line goes on in the next one, behind a hyphen.
    """
    lines = [""]
    for word in re.findall(r"\S+?-(?=\w)|\S+", label):  # `black-and-tan` may break at its hyphens
        gap = " " if lines[-1] and not lines[-1].endswith("-") else ""
        if _fits(lines[-1] + gap + word, room):
            lines[-1] += gap + word
            continue
        lines += [word] if lines[-1] else []
        lines[-1] = word
        while not _fits(lines[-1], room) and len(lines[-1]) > 5:
            word = lines[-1]
            most = next((n for n in range(len(word) - 3, 1, -1) if _fits(word[:n] + "-", room)), 2)
            lines[-1:] = [word[:most] + "-", word[most:]]
    return "\n".join(lines)


def _fits(text: str, room: float) -> bool:
    """Whether a text of the usual size is at most `room` inches wide."""
    font = FontProperties(family=STYLE["font.family"], size=STYLE["font.size"])
    across, *_ = text_to_path.get_text_width_height_descent(text, font, False)
    return across <= room * 72


@mpl.rc_context(STYLE)
def draw_grid(rows: list[Row], notes: list[str], width: float) -> Figure:
    """Rows of pictures, each with its title at the left. width: of the figure, in inches.

    A label that is wider than its picture goes on in further lines.
    """
    columns = max(len(row.pictures) for row in rows)
    titles = max(row.title.count("\n") + 1 if row.pictures else 0 for row in rows)
    side = (width - 0.1 - _LINE * titles) / columns
    labels = [[wrapped(label, side - _APART) for label in row.labels] for row in rows]
    lines = [max((text.count("\n") + 1 for text in texts), default=0) for texts in labels]
    height = sum(side * (_height(row) + 0.03) for row in rows) + _LINE * sum(lines) + 0.1
    figure = new_figure(height, notes, width)
    grid = figure.subplots(len(rows), columns, squeeze=False)
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.02, wspace=0.02, hspace=0.02)
    for row, texts, places in zip(rows, labels, grid, strict=True):
        for axes in places:
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        for axes in places[len(row.pictures) :]:
            axes.set_axis_off()
        for axes, picture in zip(places, row.pictures, strict=False):
            axes.imshow(picture, cmap="gray")
        for axes, label in zip(places, texts, strict=False):
            axes.set_title(label, fontsize=7, pad=3, color=GREY)
        for axes, mark in zip(places, row.marks, strict=False):
            style = {"ha": "center", "va": "center", "color": "white", "in_layout": False}
            behind = {"facecolor": "black", "alpha": 0.6, "linewidth": 0, "pad": 1.5}
            if mark:
                axes.text(0.5, 0.5, mark, transform=axes.transAxes, bbox=behind, **style)
        if row.pictures:
            places[0].set_ylabel(row.title, fontsize=7)
        else:
            say_instead(places[columns // 2], row.title)
    return figure
