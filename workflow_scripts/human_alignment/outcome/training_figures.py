"""What the networks learned: DCLS positions and learning curves."""

from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from scipy.ndimage import gaussian_filter

from ..scores.pairs import pairs
from .preference import ANYONE, Preference
from .style import COLOURS, GREY, LEGEND, STYLE, WIDTH, empty_figure, new_figure, say_instead

DENSITY = "magma_r"  # colours of a density, from pale to dark
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
    networks: dict[str, tuple[int, dict[str, np.ndarray]]],
    note: str = "",
    others: str = "",
    maps: Mapping[str, Mapping[str, tuple[int, int]]] | None = None,
) -> Figure:
    """A row per network, a column per stage: the density of learned DCLS positions.

    networks: by model, the side of the dilated kernel in pixels, and by stage the offsets (n, 2)
        of the kernel's elements from its centre.
    others: a sentence on networks that are not among them.
    maps: by model and stage, rows and columns of the map that the kernels go over. A pixel of the
        kernel that is further from the centre than the map's last pixel from its first meets none:
        that part of a window is hatched.
    Each panel has its own scale, from pale (none) to its densest point.
    """
    stages = sorted({stage for _, found in networks.values() for stage in found}, key=_order)
    if not stages:
        return empty_figure("No network of this study has DCLS.", note)
    labels = list(dict.fromkeys(map(_stage_name, stages)))
    hidden = any(
        max(1, side // 2) > min((maps or {}).get(name, {}).get(stage, (np.inf,))) - 1
        for name, (side, found) in networks.items()
        for stage in found
    )
    remark = "Each panel is the whole window of the dilated kernel, whose size is at the left, in "
    remark += "pixels (px) of the stage\u2019s map. Above it: the number of positions, and the "
    remark += "standard deviation of their offsets from the kernel\u2019s centre."
    beyond = "Hatched: further out than the stage\u2019s map is long, so that the kernel meets no "
    beyond += "pixel there, wherever it is."
    width = max(WIDTH, 0.5 + 0.85 * len(labels))
    notes = [others, remark, beyond if hidden else "", note]
    figure = new_figure(0.7 + 1.03 * len(networks), notes, width)
    panels = figure.subplots(len(networks), len(labels), squeeze=False)
    for row, (name, (side, found)) in zip(panels, networks.items(), strict=True):
        drawn = {_stage_name(stage): points for stage, points in found.items()}
        own = (maps or {}).get(name, {})
        sizes = {_stage_name(stage): size for stage, size in own.items()}
        for axes, label in zip(row, labels, strict=True):
            axes.set_box_aspect(1)
            if label in drawn:
                reach = max(1, side // 2)
                _draw_positions(axes, drawn[label], reach)
                _hatch(axes, reach, sizes.get(label))
            else:
                say_instead(axes, "no DCLS")
        row[0].text(
            -0.5, 0.5, f"{name}\n{side} × {side} px", rotation=90, ha="center", va="center",
            transform=row[0].transAxes,
        )  # fmt: skip
    for axes, label in zip(panels[0], labels, strict=True):
        axes.annotate(label, (0.5, 1), (0, 21), "axes fraction", "offset points", ha="center",
                      fontsize=STYLE["axes.titlesize"])  # fmt: skip
    key = figure.colorbar(
        ScalarMappable(cmap=DENSITY),
        ax=panels,
        location="bottom",
        aspect=50,
        pad=0.03,
        ticks=[0, 1],
    )
    key.set_ticklabels(["none", "densest of its panel"])
    key.set_label("positions per square pixel", labelpad=-6)
    key.ax.get_xticklabels()[0].set_ha("left")
    key.ax.get_xticklabels()[1].set_ha("right")
    key.ax.tick_params(length=0)
    return figure


def _hatch(axes: Axes, reach: int, size: tuple[int, int] | None) -> None:
    """Hatch the part of a window that lies beyond a map of so many rows and columns."""
    if size is None:
        return
    down, across = (min(reach, one - 1) for one in size)
    frame = [(-reach, -reach), (reach, -reach), (reach, reach), (-reach, reach)]
    hole = [(-across, -down), (-across, down), (across, down), (across, -down)]
    if (down, across) == (reach, reach):
        return
    outline = [*frame, frame[0], *hole, hole[0]]
    codes = ([Path.MOVETO] + [Path.LINETO] * 3 + [Path.CLOSEPOLY]) * 2
    style = {"facecolor": "none", "edgecolor": GREY, "linewidth": 0.5, "hatch": "////////"}
    axes.add_patch(PathPatch(Path(outline, codes), **style))


def _draw_positions(axes: Axes, points: np.ndarray, reach: int) -> None:
    window = [-reach, reach, reach, -reach]
    shown = density(points, reach)
    axes.imshow(shown, cmap=DENSITY, vmin=0, extent=window, interpolation="bilinear")
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
