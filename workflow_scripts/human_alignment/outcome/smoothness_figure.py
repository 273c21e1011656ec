"""The figure of smoothness: what scores become without fine detail, and how fine maps are."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..scores.pairs import NETWORK, Pair, pairs
from ..scores.summary import EXPLAINER_NAMES, explainer_name, explainer_order
from .preference import ANYONE, Preference
from .style import COLOURS, GREY, LEGEND, PAGE_WIDTH, STYLE, broken, empty_figure, new_figure

_COLUMNS = 4  # panels of networks in a row
_WHOLE = 1.4  # where a map with all its frequencies stands, over the highest cut-off


def chosen_explainer(table: pd.DataFrame) -> str:
    """The explainer that the figure shows: Threshold-Grad-CAM, if the study has it."""
    names = explainer_order(table["explainer"])
    return next((name for name in reversed(EXPLAINER_NAMES) if name in names), names[0])


@mpl.rc_context(STYLE)
def smoothness_figure(
    smoothness: pd.DataFrame,
    spectra: pd.DataFrame,
    note: str = "",
    preference: Preference = ANYONE,
) -> Figure:
    """A panel per pair of networks: score against the cut-off of a low-pass filter of the maps.

    Below it the share of the maps' power up to each frequency.  smoothness, spectra:
    tables/smoothness.csv and spectra.csv.  preference: who has a panel where there are too many
    for all.
    """
    known = smoothness.dropna(subset="score")
    if known.empty:
        return empty_figure("No network has scores of smoothed heatmaps.", note)
    explainer = chosen_explainer(known)
    known = known[known["explainer"] == explainer]
    own = spectra[spectra["explainer"] == explainer]
    of_study, others = preference.rows(pairs(known[NETWORK]), "tables/smoothness.html")
    columns = min(_COLUMNS, len(of_study))
    rows = -(-len(of_study) // columns)
    remark = (
        f"{explainer_name(explainer)}. Above: score of the heatmap without what is finer than the "
        "cut-off, with 95 % intervals; all: the heatmap as it is. Below: share of the heatmap's "
        "variance in coarser structure than that, a mean over images without an interval."
    )
    width = max(PAGE_WIDTH * columns / _COLUMNS, 3.4)
    figure = new_figure(0.5 + 2.1 * rows, [others, remark, note], width)
    panels = figure.subplots(
        2 * rows, columns, squeeze=False, sharex=True, height_ratios=[2, 1] * rows
    )
    top = known["cutoff"].max()
    for place, pair in enumerate(of_study):
        row, column = divmod(place, columns)
        above, below = panels[2 * row, column], panels[2 * row + 1, column]
        above.set_title(broken(pair.label))
        _draw_scores(above, known, pair, top * _WHOLE)
        _draw_spectra(below, own, pair, top)
    _share_axes(panels, known, top)
    for place in range(len(of_study), rows * columns):
        row, column = divmod(place, columns)
        panels[2 * row, column].set_axis_off()
        panels[2 * row + 1, column].set_axis_off()
    handles = [
        Line2D([], [], marker="o", ms=3, linewidth=0.8, color=COLOURS[dcls], label=LEGEND[dcls])
        for dcls in (0, 1)
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=2)
    return figure


def _draw_scores(axes: Axes, table: pd.DataFrame, pair: Pair, whole: float) -> None:
    """Scores by cut-off of both networks; whole: where the unfiltered map stands."""
    for dcls, network in enumerate(pair):
        own = table[table["network"] == network].sort_values("cutoff", na_position="last")
        if own.empty:
            continue
        x = own["cutoff"].fillna(whole).to_numpy() * (1 + 0.03 * (dcls - 0.5))
        bars = np.abs(own[["low", "high"]].to_numpy().T - own["score"].to_numpy())
        style = {"fmt": "o-", "ms": 2.5, "linewidth": 0.8, "elinewidth": 0.8}
        axes.errorbar(x, own["score"], yerr=bars, color=COLOURS[dcls], **style)


def _draw_spectra(axes: Axes, table: pd.DataFrame, pair: Pair, top: float) -> None:
    """Share of the power up to each frequency, of both networks; those above `top` are left out."""
    for dcls, network in enumerate(pair):
        own = table[table["network"] == network].sort_values("frequency")
        shown = own["frequency"] <= top
        style = {"ms": 2.5, "linewidth": 0.8, "color": COLOURS[dcls]}
        axes.plot(own["frequency"][shown], own["share"].cumsum()[shown], "o-", **style)


def _share_axes(panels: np.ndarray, table: pd.DataFrame, top: float) -> None:
    """One range of scores and of cut-offs for all panels, and their labels at the edges."""
    cutoffs = sorted(table["cutoff"].dropna().unique())
    low, high = (np.nanmin(table["low"].fillna(table["score"])),
                 np.nanmax(table["high"].fillna(table["score"])))  # fmt: skip
    room = 0.06 * (high - low or 0.1)
    first = panels[0, 0]  # whose x axis all others share
    first.set_xscale("log")
    first.minorticks_off()
    first.set_xticks([*cutoffs, top * _WHOLE], [*(f"{one:g}" for one in cutoffs), "all"])
    for row, axes_of_row in enumerate(panels):
        for column, axes in enumerate(axes_of_row):
            axes.set_ylim((low - room, high + room) if row % 2 == 0 else (0, 1.05))
            axes.tick_params(labelleft=column == 0, labelbottom=row % 2 == 1)
            if row % 2 == 1 and row == len(panels) - 1:
                axes.set_xlabel("cycles per image")
            axes.grid(axis="x", color=GREY, alpha=0.2, linewidth=0.5)
        axes_of_row[0].set_ylabel("score" if row % 2 == 0 else "share")
