"""How the protocol changes scores: the threshold sweep and the sensitivity to each field."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..scores.pairs import pairs
from ..scores.summary import explainer_name, explainer_order
from .preference import ANYONE, MOST_ROWS, Preference
from .style import (
    COLOURS,
    GREY,
    LEGEND,
    STYLE,
    WIDTH,
    broken,
    empty_figure,
    new_figure,
    say_instead,
)

COLUMNS = 4  # panels of the sweep side by side
_SPREAD = 0.5  # height that the dots of a field share, in steps from one field to the next


@mpl.rc_context(STYLE)
def threshold_sweep(table: pd.DataFrame, choices: pd.DataFrame, label: str, usual: float,
                    note: str = "", preference: Preference = ANYONE) -> Figure:  # fmt: skip
    """A panel per pair: score against threshold, 95 % band, without and with DCLS.

    table: model, dcls, network, run, threshold, score, low, high; several runs are averaged.
    choices: network, best (threshold). usual: the protocol's threshold. label: of the score.
    preference: who has a panel where there are too many for all.
    """
    models, others = preference.rows(pairs(table), "tables/threshold_sweep.html")
    rows = -(-len(models) // COLUMNS)
    width = max(WIDTH, 1.75 * min(len(models), COLUMNS))
    figure = new_figure(0.5 + 1.45 * rows, [others, note], width)
    grid = figure.subplots(rows, min(len(models), COLUMNS), sharex=True, squeeze=False)
    for axes, model in zip(grid.flat, models, strict=False):
        axes.set_title(broken(model.label))
        axes.axvline(usual, color=GREY, linewidth=0.6, linestyle=":")
        for dcls, network in enumerate(model):
            best = choices[choices["network"] == network]["best"]
            _curve(axes, table[table["network"] == network], best.dropna(), dcls)
        if not axes.lines[1:]:
            say_instead(axes, "no score")
    for axes in grid.flat[len(models) :]:
        axes.set_axis_off()
    for axes in grid[:, 0]:
        axes.set_ylabel(label.replace(" / ", "\n/ "))
    for axes in grid.flat[max(0, len(models) - grid.shape[1]) : len(models)]:
        axes.set_xlabel("threshold\n(share of maximum)")
        axes.xaxis.set_tick_params(labelbottom=True)
    handles = [Line2D([], [], color=COLOURS[dcls], label=LEGEND[dcls]) for dcls in (0, 1)]
    handles += [
        Line2D([], [], marker="v", linestyle="", ms=4, color=GREY, label="best"),
        Line2D([], [], color=GREY, linewidth=0.6, linestyle=":", label=f"protocol's, {usual:g}"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=4 if width > 5 else 2)
    return figure


def _curve(axes: Axes, part: pd.DataFrame, best: pd.Series, dcls: int) -> None:
    """One network's mean curve over its runs, with a mark at the mean best threshold."""
    curve = part.dropna(subset="score").groupby("threshold")[["score", "low", "high"]].mean()
    if curve.empty:
        return
    axes.plot(curve.index, curve["score"], color=COLOURS[dcls], linewidth=1)
    axes.fill_between(
        curve.index, curve["low"], curve["high"], color=COLOURS[dcls], alpha=0.25, linewidth=0
    )
    if len(best):
        height = np.interp(best.mean(), curve.index, curve["score"])
        axes.plot(best.mean(), height, "v", ms=4, color=COLOURS[dcls], markeredgecolor="black",
                  markeredgewidth=0.4, zorder=3)  # fmt: skip


@mpl.rc_context(STYLE)
def sensitivity(table: pd.DataFrame, label: str, note: str = "") -> Figure:
    """A panel per explainer: how far each field of the protocol moves each network's score.

    table: dcls, network, run, field, value, explainer, difference.
    """
    known = table.dropna(subset="difference")
    explainers = explainer_order(known["explainer"])
    fields = list(dict.fromkeys(zip(table["field"], table["value"].astype(str), strict=True)))
    if not explainers:
        return empty_figure("No score changes: the two protocols are the same here.", note)
    height = 0.7 + len(explainers) * (0.35 + 0.24 * len(fields))
    figure = new_figure(height, [note])
    panels = figure.subplots(len(explainers), sharex=True, squeeze=False)[:, 0]
    for axes, explainer in zip(panels, explainers, strict=True):
        axes.set_title(explainer_name(explainer))
        axes.axvline(0, color=GREY, linewidth=0.6)
        for place, (field, _) in enumerate(fields):
            part = known[(known["explainer"] == explainer) & (known["field"] == field)]
            for dcls in (0, 1):
                moved = part[part["dcls"] == dcls].groupby("network")["difference"].mean()
                step = min(0.03, _SPREAD / len(moved)) if len(moved) else 0
                spread = (np.arange(len(moved)) - (len(moved) - 1) / 2) * step
                shift = (dcls - 0.5) * 0.34
                size = 2.5 if len(moved) <= MOST_ROWS else 1.2
                axes.plot(moved, place + shift + spread, "o", ms=size, color=COLOURS[dcls])
        names = [field if value == "paper" else f"{field}: {value}" for field, value in fields]
        axes.set_yticks(range(len(fields)), [name.replace("_", " ") for name in names])
        axes.set_ylim(len(fields) - 0.5, -0.5)
    panels[-1].set_xlabel(f"change of the score\n({label})")
    handles = [
        Line2D([], [], marker="o", linestyle="", ms=3, color=COLOURS[dcls], label=LEGEND[dcls])
        for dcls in (0, 1)
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=2)
    return figure
