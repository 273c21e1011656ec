"""The figure of the comparisons: paired differences on the same images."""

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..scores.comparisons import KINDS
from ..scores.pairs import Pair
from ..scores.summary import explainer_name, explainer_order
from .preference import ANYONE, Preference
from .style import EXPLAINER_LOOKS, GREY, STYLE, WIDTH, empty_figure, new_figure, room_for

SIGNIFICANT = 0.05  # of the corrected p-value, two-sided
TITLES = dict(
    zip(KINDS, ("with DCLS minus without", "Threshold-Grad-CAM minus Grad-CAM"), strict=True)
)


@mpl.rc_context(STYLE)
def paired_differences(
    table: pd.DataFrame, note: str = "", preference: Preference = ANYONE
) -> Figure:
    """A panel per comparison: mean paired difference of rho and its 95 % interval.

    Filled marks have a corrected p below 0.05 and an interval without zero: the test asks about
    the median and the interval is of the mean, so that one alone may be found. The numbers at the
    right are the shares of images on which the first is closer to the human map.  table:
    scores/comparisons.csv; its comparisons under controls are left out.  preference: who has rows
    where there are too many for all.
    """
    table = table[table["comparison"].isin(TITLES)]
    kinds = [kind for kind in TITLES if kind in set(table["comparison"])]
    if not kinds:
        return empty_figure("No two networks or explainers can be compared.", note)
    sizes, others = {}, {}
    for kind in kinds:
        sizes[kind], others[kind] = _rows(table[table["comparison"] == kind], preference)
    heights = [max(3, sum(len(part) for _, part in rows)) for rows in sizes.values()]
    remark = "Filled: Wilcoxon signed-rank p < 0.05 after Holm, and an interval without zero. "
    remark += "Closer: share of images on which the first is closer to the human map."
    width = WIDTH + room_for(name for rows in sizes.values() for name, _ in rows)
    height = 0.6 + 0.16 * sum(heights) + 0.5 * len(kinds)
    figure = new_figure(height, [_said(others), remark, note], width)
    panels = figure.subplots(len(kinds), squeeze=False, height_ratios=heights)[:, 0]
    for axes, kind in zip(panels, kinds, strict=True):
        axes.set_title(TITLES[kind])
        _draw_differences(axes, sizes[kind])
    panels[-1].set_xlabel("difference of Spearman's ρ on the same\nimages, 95 % interval")
    looks = {name: EXPLAINER_LOOKS[name] for name in explainer_order(table["explainer"])}
    handles = [
        Line2D([], [], marker=mark, ms=3.5, linewidth=0.8, color=colour, label=explainer_name(name))
        for name, (colour, mark) in looks.items()
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=2)
    return figure


def _rows(
    table: pd.DataFrame, preference: Preference
) -> tuple[list[tuple[str, pd.DataFrame]], str]:
    """Models in the table's order, each with its rows, and a sentence on those left out."""
    own = table.drop_duplicates("model").set_index("model")["network"]
    models = {Pair(label, network): label for label, network in own.items()}
    shown, others = preference.rows(list(models), "tables/comparisons.html")
    return [(models[pair], table[table["model"] == models[pair]]) for pair in shown], others


def _said(others: dict[str, str]) -> str:
    """The sentences on rows left out, each after the title of its panel."""
    return " ".join(f"{TITLES[kind]}: {words}" for kind, words in others.items() if words)


def _draw_differences(axes: Axes, rows: list[tuple[str, pd.DataFrame]]) -> None:
    beside = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
    beside |= {"xytext": (2, 0), "color": GREY}
    axes.annotate("closer", (1, -1), va="center", **beside)  # the column's header
    place, ticks = 0, []
    for _, part in rows:
        ticks.append(place + (len(part) - 1) / 2)
        for one in part.itertuples():
            colour, mark = EXPLAINER_LOOKS[one.explainer]
            found = one.p_holm < SIGNIFICANT and (one.low > 0 or one.high < 0)
            fill = colour if found else "white"
            axes.plot([one.low, one.high], [place, place], color=colour, linewidth=0.8)
            axes.plot(one.difference, place, mark, ms=3.5, color=colour, markerfacecolor=fill)
            axes.annotate(f"{one.superiority:.2f}", (1, place), va="center", **beside)
            place += 1
        place += 0.4
    axes.axvline(0, color=GREY, linewidth=0.6, zorder=0)
    axes.set_yticks(ticks, [name for name, _ in rows])
    axes.set_ylim(place - 0.4, -1.5)
    axes.tick_params(axis="y", length=0)
