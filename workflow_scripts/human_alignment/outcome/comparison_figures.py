"""Figures of the comparisons: paired differences on the same images, accuracy against score."""

from itertools import cycle

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..scores.comparisons import KINDS
from ..scores.pairs import pairs
from ..scores.summary import (
    EXPLAINER_NAMES,
    explainer_name,
    explainer_order,
    human_ceiling,
    scores_of,
)
from .labels import place_labels
from .style import (
    COLOURS,
    GREY,
    LEGEND,
    STYLE,
    WIDTH,
    empty_figure,
    new_figure,
    say_instead,
    score_label,
)

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


@mpl.rc_context(STYLE)
def accuracy_against_score(
    summary: pd.DataFrame, correlations: pd.DataFrame, note: str = ""
) -> Figure:
    """A panel per explainer of the paper (of a study without them: its first): top-1 against score.

    Fel et al. (2022) found more accurate networks less aligned.  summary: scores/summary.csv.
    correlations: scores/correlations.csv.
    """
    explainers = explainer_order(summary["explainer"])
    names = [name for name in explainers if name in EXPLAINER_NAMES] or explainers[:1]
    if not names:
        return empty_figure("No network has a score.", note)
    figure = new_figure(0.4 + 2.7 * len(names), [note], WIDTH)
    panels = figure.subplots(len(names), squeeze=False)[:, 0]
    drawn = []
    for axes, name in zip(panels, names, strict=True):
        axes.set_title(f"{explainer_name(name)}\n{_in_words(correlations, name)}")
        known = scores_of(summary, name).dropna(subset="top1")
        if known.empty:
            say_instead(axes, "No network has both a measured top-1 and a score.")
            continue
        drawn.append((axes, _points(axes, known, summary)))
        axes.set_ylabel(f"score\n({score_label(human_ceiling(summary))})")
        axes.set_xlabel("top-1 accuracy (%)")
    handles = [
        Line2D([], [], marker="o", linestyle="", ms=3.5, color=COLOURS[dcls], label=LEGEND[dcls])
        for dcls in (0, 1)
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=2)
    figure.draw_without_rendering()
    for axes, places in drawn:
        _name_networks(axes, places)
    return figure


def _points(axes: Axes, known: pd.DataFrame, summary: pd.DataFrame) -> dict[str, list[tuple]]:
    """Draw the networks, and a line between plain and DCLS; returns the points of each pair.

    known: scores and top-1 by network.
    """
    places: dict[str, list[tuple]] = {}
    for pair in pairs(summary):
        for dcls, network in enumerate(pair):
            if network in known.index:
                place = tuple(known.loc[network, ["top1", "score"]])
                axes.plot(*place, "o", ms=3.5, color=COLOURS[dcls])
                places.setdefault(pair.label, []).append(place)
    for ends in places.values():
        axes.plot(*np.transpose(ends), color=GREY, linewidth=0.6, alpha=0.6, zorder=1)
    axes.margins(0.15)
    return places


def _name_networks(axes: Axes, places: dict[str, list[tuple]]) -> None:
    """Write each model's name once, beside its first point and clear of marks and lines."""
    lines = [np.linspace(ends[0], ends[-1], 40) for ends in places.values()]
    first = np.array([ends[0] for ends in places.values()])
    place_labels(axes, first, list(places), np.concatenate(lines))


def _in_words(correlations: pd.DataFrame, explainer: str) -> str:
    """Pearson's r of top-1 with the score and its interval, of plain networks and with DCLS."""
    chosen = correlations[
        (correlations["explainer"] == explainer)
        & (correlations["method"] == "pearson")
        & (correlations["quantity"] == "top1")
    ].dropna(subset="value")
    words = []
    for one in chosen.itertuples():
        interval = "" if pd.isna(one.low) else f" ({one.low:.2f} to {one.high:.2f})"
        words.append(f"{one.networks}: Pearson r = {one.value:.2f}{interval}, n = {one.n}")
    return "\n".join(words).replace("-", "−") or "no correlation: too few networks"
