"""What the networks learned: DCLS positions and learning curves."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.ndimage import gaussian_filter

from ..scores.pairs import pairs
from .preference import ANYONE, Preference
from .style import COLOURS, GREY, LEGEND, STYLE, WIDTH, empty_figure, new_figure, say_instead

CELLS = 8  # of the density, to a pixel
LINES = ("--", "-")  # without, with DCLS: both are seen where one covers the other
MEASURES = {  # columns of a curve, and their titles
    "loss": "loss",
    "train_top1": "top-1 (%)",
    "position_spread": "spread (px)",
}


def density(points: np.ndarray, reach: int) -> np.ndarray:
    """Kernel density of points (n, 2) in [-reach, reach]^2, in points per square pixel.

    Gaussian kernels of Scott's width, as `scipy.stats.gaussian_kde` has them, mirrored at the
    window's edges. They are summed on a grid, CELLS to a pixel: (rows, columns), for a million
    points too.
    """
    side = 2 * reach * CELLS
    edges = np.linspace(-reach, reach, side + 1)
    counts, _, _ = np.histogram2d(points[:, 1], points[:, 0], bins=[edges, edges])
    widths = CELLS * len(points) ** (-1 / 6) * points[:, ::-1].std(axis=0)
    return gaussian_filter(counts, np.maximum(widths, 1), mode="reflect") * CELLS**2


@mpl.rc_context(STYLE)
def learned_positions(
    networks: dict[str, tuple[int, dict[str, np.ndarray]]], note: str = "", others: str = ""
) -> Figure:
    """A row per network, a column per stage: the density of learned DCLS positions.

    networks: by model, the side of the dilated kernel in pixels, and by stage the offsets (n, 2)
        of the kernel's elements from its centre.
    others: a sentence on networks that are not among them.
    Each panel has its own scale, from pale (none) to its densest point.
    """
    stages = sorted({stage for _, found in networks.values() for stage in found}, key=_order)
    if not stages:
        return empty_figure("No network of this study has DCLS.", note)
    labels = list(dict.fromkeys(map(_stage_name, stages)))
    remark = (
        "Offsets from the kernel\u2019s centre in pixels (px) of the dilated kernel, up to the "
    )
    remark += "edge of its window. Above each panel: their number and standard deviation."
    width = max(WIDTH, 0.5 + 0.85 * len(labels))
    figure = new_figure(0.3 + 1.05 * len(networks), [others, remark, note], width)
    panels = figure.subplots(len(networks), len(labels), squeeze=False)
    for row, (name, (side, found)) in zip(panels, networks.items(), strict=True):
        drawn = {_stage_name(stage): points for stage, points in found.items()}
        for axes, label in zip(row, labels, strict=True):
            axes.set_box_aspect(1)
            if label in drawn:
                _draw_positions(axes, drawn[label], max(1, side // 2))
            else:
                say_instead(axes, "no DCLS")
        row[0].text(
            -0.5, 0.5, f"{name}\n{side} × {side} px", rotation=90, ha="center", va="center",
            transform=row[0].transAxes,
        )  # fmt: skip
    for axes, label in zip(panels[0], labels, strict=True):
        axes.annotate(label, (0.5, 1), (0, 21), "axes fraction", "offset points", ha="center",
                      fontsize=STYLE["axes.titlesize"])  # fmt: skip
    return figure


def _draw_positions(axes: Axes, points: np.ndarray, reach: int) -> None:
    window = [-reach, reach, reach, -reach]
    shown = density(points, reach)
    axes.imshow(shown, cmap="magma_r", vmin=0, extent=window, interpolation="bilinear")
    axes.set_xticks([-reach, 0, reach], [])
    axes.set_yticks([-reach, 0, reach])
    axes.tick_params(length=2, pad=1, labelleft=axes.get_subplotspec().is_first_col())
    title = f"n = {len(points):,}\n{points.std():.2f} px"
    axes.set_title(title, fontsize=STYLE["font.size"], pad=2)


def _order(stage: str) -> tuple:
    """Sort key: stages by number, then other layers, such as a stem, by name."""
    digits = "".join(filter(str.isdigit, stage))
    return (0, int(digits)) if digits else (1, stage)


def _stage_name(stage: str) -> str:
    """`stages.0`, `layer1` and `s1` are all stage 1: after a dot, counting begins at zero."""
    digits = "".join(filter(str.isdigit, stage))
    return f"stage {int(digits) + ('.' in stage)}" if digits else stage


@mpl.rc_context(STYLE)
def learning_curves(
    curves: pd.DataFrame, note: str = "", preference: Preference = ANYONE
) -> Figure:
    """A row per pair, a column per measure, against epochs; a line per network and seed.

    curves: rows of all runs' curve files with their names in front (`run_tables.gather`).
    preference: who has a row where there are too many for all.
    """
    models, others = preference.rows(pairs(curves), "the files weights/*/*.curve.csv")
    remark = "Loss and top-1 on augmented training images; spread: standard deviation of all DCLS "
    remark += "positions in pixels of the kernel."
    figure = new_figure(0.6 + 0.9 * len(models), [others, remark, note])
    panels = figure.subplots(len(models), len(MEASURES), squeeze=False, sharex=True, sharey="col")
    for row, model in zip(panels, models, strict=True):
        row[0].set_ylabel(model.label, fontsize=STYLE["font.size"])
        part = curves[curves["network"].isin(model)]
        for axes, measure in zip(row, MEASURES, strict=True):
            _draw_curves(axes, part.dropna(subset=measure), measure)
    for axes, title in zip(panels[0], MEASURES.values(), strict=True):
        axes.set_title(title)
    for axes in panels[-1]:
        axes.set_xlabel("epoch")
    handles = [
        Line2D([], [], color=COLOURS[dcls], linestyle=LINES[dcls], label=LEGEND[dcls])
        for dcls in (0, 1)
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=2)
    return figure


def _draw_curves(axes: Axes, part: pd.DataFrame, measure: str) -> None:
    if part.empty:
        axes.text(
            0.5, 0.5, "no DCLS", ha="center", va="center", color=GREY, transform=axes.transAxes
        )
    for (dcls, _), run in part.groupby(["dcls", "run"]):
        style = {"color": COLOURS[dcls], "linestyle": LINES[dcls], "linewidth": 0.8}
        axes.plot(run["epoch"], run[measure], marker="" if len(run) > 1 else ".", **style)
