"""Heatmaps laid over images, and grids of such pictures (Figures 1, 5, 6 and the samples)."""

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


def _tallest(row: list[np.ndarray | None]) -> float:
    """Largest height of a row's pictures over their width, from a third to two."""
    shapes = [picture.shape for picture in row if picture is not None]
    return float(np.clip(max((h / w for h, w, *_ in shapes), default=1.0), 1 / 3, 2))


@mpl.rc_context(STYLE)
def draw_grid(
    pictures: list[list[np.ndarray | None]],
    row_titles: list[str],
    labels: list[list[str]],
    notes: list[str],
    width: float,
) -> Figure:
    """Rows of pictures, each row with a title at its left and a label above every picture.

    A row of None says its title in place of what is missing. width: of the figure, in inches.
    A row is as high as its tallest picture asks for, up to twice its width.
    """
    columns = max(len(row) for row in pictures)
    side = (width - 0.25) / columns
    height = sum(side * (_tallest(row) + 0.13) for row in pictures) + 0.1
    figure = new_figure(height, notes, width)
    axes = figure.subplots(len(pictures), columns, squeeze=False)
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=0.02, hspace=0.02)
    for row, title in enumerate(row_titles):
        for column, place in enumerate(axes[row]):
            place.set(xticks=[], yticks=[])
            place.spines[:].set_visible(False)
            picture = pictures[row][column] if column < len(pictures[row]) else None
            if picture is None:
                place.set_axis_off()
                continue
            place.imshow(picture, cmap="gray")
            if labels[row][column]:
                place.set_title(labels[row][column], fontsize=7, pad=1.5, color=GREY)
        if title and pictures[row][0] is None:
            say_instead(axes[row][columns // 2], title)
        elif title:
            axes[row][0].set_ylabel(title, fontsize=7)
    return figure
