"""The figure of the comparisons: paired differences on the same images."""

from itertools import cycle

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..scores.comparisons import KINDS
from ..scores.summary import explainer_name, explainer_order
from .style import GREY, STYLE, empty_figure, new_figure

SIGNIFICANT = 0.05  # of the corrected p-value, two-sided
EXPLAINER_COLOURS = ("#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")  # Okabe and Ito's
TITLES = dict(
    zip(KINDS, ("with DCLS minus without", "Threshold-Grad-CAM minus Grad-CAM"), strict=True)
)


@mpl.rc_context(STYLE)
def paired_differences(table: pd.DataFrame, note: str = "") -> Figure:
    """A panel per comparison: mean paired difference of rho and its 95 % interval.

    Filled marks have a corrected p below 0.05; the numbers at the right are the shares of images
    on which the first is closer to the human map.  table: scores/comparisons.csv; its comparisons
    under controls are left out.
    """
    table = table[table["comparison"].isin(TITLES)]
    kinds = [kind for kind in TITLES if kind in set(table["comparison"])]
    if not kinds:
        return empty_figure("No two networks or explainers can be compared.", note)
    sizes = {kind: _rows(table[table["comparison"] == kind]) for kind in kinds}
    heights = [max(3, sum(len(part) for _, part in rows)) for rows in sizes.values()]
    remark = "Filled: Wilcoxon signed-rank p < 0.05 after Holm. Right: share of images on which "
    remark += "the first is closer to the human map."
    figure = new_figure(0.6 + 0.16 * sum(heights) + 0.5 * len(kinds), [remark, note])
    panels = figure.subplots(len(kinds), squeeze=False, height_ratios=heights)[:, 0]
    colours = dict(zip(explainer_order(table["explainer"]), cycle(EXPLAINER_COLOURS)))
    for axes, kind in zip(panels, kinds, strict=True):
        axes.set_title(TITLES[kind])
        _draw_differences(axes, sizes[kind], colours)
    panels[-1].set_xlabel("difference of Spearman's ρ on the same\nimages, 95 % interval")
    handles = [
        Line2D([], [], marker="o", ms=3.5, linewidth=0.8, color=colour, label=explainer_name(name))
        for name, colour in colours.items()
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=2)
    return figure


def _rows(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Models in the table's order, each with its rows."""
    return [(name, table[table["model"] == name]) for name in dict.fromkeys(table["model"])]


def _draw_differences(axes: Axes, rows: list[tuple[str, pd.DataFrame]], colours: dict) -> None:
    place, ticks = 0, []
    for _, part in rows:
        ticks.append(place + (len(part) - 1) / 2)
        for one in part.itertuples():
            colour = colours[one.explainer]
            fill = colour if one.p_holm < SIGNIFICANT else "white"
            axes.plot([one.low, one.high], [place, place], color=colour, linewidth=0.8)
            axes.plot(one.difference, place, "o", ms=3.5, color=colour, markerfacecolor=fill)
            axes.annotate(
                f"{one.superiority:.2f}", (1, place), xycoords=("axes fraction", "data"),
                xytext=(2, 0), textcoords="offset points", va="center", color=GREY,
            )  # fmt: skip
            place += 1
        place += 0.4
    axes.axvline(0, color=GREY, linewidth=0.6, zorder=0)
    axes.set_yticks(ticks, [name for name, _ in rows])
    axes.set_ylim(place - 0.4, -1)
    axes.tick_params(axis="y", length=0)
