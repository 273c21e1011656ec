"""How the protocol changes scores: the threshold sweep and the sensitivity to each field."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

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
_NO_EFFECT = 1e-9  # a smaller change of a score is rounding
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

    Zero is the score under the protocol to start from, the baseline, whose mean over networks
    stands above each panel. Each change has its 95 % interval. Fields that change no score of the
    study have no row and are named below. An explainer whose scores no field changes has one line
    of words.

    table: dcls, network, run, field, value, explainer, score, difference, low, high. Several runs
    are averaged, and so are their intervals.
    """
    known = table.dropna(subset="difference")
    explainers = explainer_order(known["explainer"])
    if not explainers:
        return empty_figure("No score changes: the two protocols are the same here.", note)
    names = dict.fromkeys(map(_field_name, table["field"], table["value"].astype(str)))
    known = known.assign(name=list(map(_field_name, known["field"], known["value"].astype(str))))
    moving = known[known["difference"].abs() > _NO_EFFECT]
    fields = [name for name in names if name in set(moving["name"])]
    still = ", ".join(name for name in names if name not in fields)
    if not fields:
        return empty_figure(f"No field of the protocol changes a score: {still}.", note)
    remark = "Zero: the baseline, each network's score under the protocol released; its mean over "
    remark += "networks is above a panel. Lines: 95\N{NO-BREAK SPACE}% intervals of the change."
    about = [f"No effect in this study: {still}." if still else "", remark, note]
    changed = set(moving["explainer"])
    heights = [len(fields) if name in changed else 0.8 for name in explainers]
    figure = new_figure(0.7 + sum(0.5 + 0.24 * one for one in heights), about)
    shape = {"sharex": True, "squeeze": False, "height_ratios": heights}
    panels = figure.subplots(len(explainers), **shape)[:, 0]
    for axes, explainer in zip(panels, explainers, strict=True):
        own = known[known["explainer"] == explainer]
        axes.set_title(explainer_name(explainer), pad=14)
        where = {"xycoords": "axes fraction", "textcoords": "offset points", "ha": "center"}
        axes.annotate(_baseline(own), (0.5, 1), (0, 4), color=GREY, **where)
        if explainer in changed:
            _draw_changes(axes, own, fields)
        else:
            say_instead(axes, "no effect of any field")
    last = [axes for axes, name in zip(panels, explainers, strict=True) if name in changed][-1]
    last.set_xlabel(f"change of the score\n({label})")
    last.tick_params(labelbottom=True)
    last.xaxis.set_major_locator(MaxNLocator(5))
    handles = [
        Line2D([], [], marker="o", ms=3, linewidth=0.6, color=COLOURS[dcls], label=LEGEND[dcls])
        for dcls in (0, 1)
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=2)
    return figure


def _field_name(field: str, value: str) -> str:
    """What the figure calls a field of the protocol with its changed value."""
    return (field if value == "paper" else f"{field}: {value}").replace("_", " ")


def _baseline(table: pd.DataFrame) -> str:
    """The mean scores under the protocol to start from, of one explainer, in words."""
    before = table.assign(before=table["score"] - table["difference"])
    means = before.groupby(["dcls", "network"])["before"].mean().groupby("dcls").mean()
    words = [f"{mean:.3f} {('plain', 'DCLS')[dcls]}" for dcls, mean in means.items()]
    return f"baseline: {', '.join(words)}"


def _draw_changes(axes: Axes, table: pd.DataFrame, fields: list[str]) -> None:
    """A row per field, in it a dot and an interval per network; words where nothing changes."""
    axes.axvline(0, color=GREY, linewidth=0.6)
    for place, field in enumerate(fields):
        part = table[table["name"] == field]
        if (part["difference"].abs() <= _NO_EFFECT).all():
            words = "no effect" if len(part) else "does not apply"
            axes.annotate(words, (0, place), (4, 0), textcoords="offset points", va="center",
                          color=GREY)  # fmt: skip
            continue
        for dcls in (0, 1):
            own = part[part["dcls"] == dcls].groupby("network")
            moved = own[["difference", "low", "high"]].mean()
            step = min(0.03, _SPREAD / len(moved)) if len(moved) else 0
            spread = (np.arange(len(moved)) - (len(moved) - 1) / 2) * step
            heights = place + (dcls - 0.5) * 0.34 + spread
            few = len(moved) <= MOST_ROWS
            width = {"linewidth": 0.6 if few else 0.3, "alpha": 1 if few else 0.5}
            axes.hlines(heights, moved["low"], moved["high"], color=COLOURS[dcls], **width)
            size = 2.5 if few else 1.2
            axes.plot(moved["difference"], heights, "o", ms=size, color=COLOURS[dcls])
    axes.set_yticks(range(len(fields)), fields)
    axes.set_ylim(len(fields) - 0.5, -0.5)
