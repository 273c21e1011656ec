"""Figures 2, 3 and 4, drawn from the summary of all scores."""

import argparse
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from ..scores.comparisons import correlate_quantity
from ..scores.pairs import PAPER_ORDER, Pair, pairs
from ..scores.summary import (
    EXPLAINER_NAMES,
    explainer_name,
    human_ceiling,
    read_summary,
    scores_of,
)
from .labels import place_labels
from .preference import MOST_ROWS, Preference, add_label_flag, written
from .reference_bands import Bands
from .reference_scores import read_references
from .style import (
    COLOURS,
    GREY,
    LEGEND,
    PAGE_WIDTH,
    STYLE,
    WIDTH,
    empty_figure,
    new_figure,
    room_for,
    save,
    say_instead,
    score_label,
    settle,
)

METHOD = "threshold_grad_cam"  # of Figures 2 and 4
_SLOPE = 40  # degrees, of the names in Figure 3


def _bars(part: pd.DataFrame) -> np.ndarray:
    """Lengths (2, n) of interval bars below and above each score; NaN where there is none."""
    below, above = part["score"] - part["low"], part["high"] - part["score"]
    return np.stack([below, above]).clip(min=0)


def _line(start: tuple, end: tuple, samples: int = 80) -> np.ndarray:
    """Points (samples, 2) along a line."""
    return np.linspace(start, end, samples)


def _text_ink(axes: Axes, texts: list[Text]) -> np.ndarray:
    """Points (m, 2) in data units all over the given texts."""
    grid = np.stack(np.meshgrid(np.linspace(0, 1, 40), np.linspace(0, 1, 6)), -1).reshape(-1, 2)
    corners = [text.get_window_extent().get_points() for text in texts]
    pixels = [low + grid * (high - low) for low, high in corners]
    return axes.transData.inverted().transform(np.concatenate(pixels))


@mpl.rc_context(STYLE)
def scatter_with_and_without(
    summary: pd.DataFrame,
    note: str = "",
    references: pd.DataFrame | None = None,
    label: Collection[str] = (),
) -> Figure:
    """Figure 2: Threshold-Grad-CAM score without DCLS (x) against with DCLS (y), 95 % intervals.

    Networks that lack one of the two are named below the figure, or counted if they are many.
    references: of `read_references`; bands in both directions.  label: networks to name first.
    """
    scores = scores_of(summary, METHOD)
    whole = [pair for pair in pairs(summary) if scores.index.isin(pair).sum() == 2]
    alone = [pair.label for pair in pairs(summary) if pair not in whole]
    if not whole:
        return empty_figure(
            "No model has a Threshold-Grad-CAM score both with and without DCLS.", note
        )
    x, y = (scores.loc[list(networks)] for networks in zip(*whole, strict=True))
    named = Preference(label, scores).first(whole)
    texts, key = written([pair.label for pair in named], len(named) == len(whole))
    several = f"{len(alone)} networks, which are in leaderboard.html"
    words = ", ".join(alone) if len(alone) <= MOST_ROWS else several
    missing = f"Not drawn, because one of the two scores is missing: {words}."
    known = np.concatenate([part[["score", "low", "high"]].to_numpy() for part in (x, y)])
    bands = Bands.of(references, [METHOD])
    limits = _padded(*bands.within(METHOD, np.nanmin(known), np.nanmax(known)), 0.06)
    notes = [
        missing if alone else "",
        key,
        bands.note({METHOD: limits}),
        note,
    ]
    figure = new_figure(3.5, notes)
    axes = figure.subplots()
    bars = {"xerr": _bars(x), "yerr": _bars(y), "elinewidth": 0.8}
    axes.errorbar(x["score"], y["score"], **bars, fmt="o", ms=4, color=COLOURS[0], zorder=3)
    axes.set_xlabel(f"score without DCLS\n({score_label(human_ceiling(summary))})")
    axes.set_ylabel(f"score with DCLS\n({score_label(human_ceiling(summary))})")
    axes.set_title("Threshold-Grad-CAM, 95 % intervals")
    corners = _draw_diagonal(axes, *limits)
    bands.draw(axes, METHOD, "xy")
    settle(figure)
    low, high = axes.get_xlim()
    ink = [_line((low, low), (high, high), 160), _text_ink(axes, corners)]
    for across, up in zip(x.itertuples(), y.itertuples(), strict=True):
        ink.append(_line((across.low, up.score), (across.high, up.score)))
        ink.append(_line((across.score, up.low), (across.score, up.high)))
    points = dict(zip(whole, np.stack([x["score"], y["score"]], -1), strict=True))
    labelled = {texts[pair.label]: points.pop(pair) for pair in named}
    _write_names(axes, labelled, points.values(), ink)
    return figure


def _write_names(
    axes: Axes, named: dict[str, np.ndarray], others: Iterable[np.ndarray], ink: list[np.ndarray]
) -> None:
    """Write names beside their points, clear of the points of others, and of ink."""
    points = np.stack(list(named.values()))
    dots = np.reshape(list(others), (-1, 2))
    place_labels(axes, points, list(named), np.concatenate(ink), dots)


def _draw_diagonal(axes: Axes, low: float, high: float) -> list[Text]:
    """Equal axes from low to high, where both are equal, and a word for either side of it."""
    axes.plot([low, high], [low, high], "--", color=GREY, linewidth=0.8, zorder=1)
    ticks = MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(low, high)
    axes.set(xticks=ticks, yticks=ticks, xlim=(low, high), ylim=(low, high), aspect="equal")
    style = {"transform": axes.transAxes, "style": "italic", "color": GREY}
    return [
        axes.text(0.02, 0.98, "higher with DCLS", va="top", **style),
        axes.text(0.98, 0.02, "lower with DCLS", ha="right", **style),
    ]


def _padded(low: float, high: float, share: float) -> tuple[float, float]:
    """A range widened on both sides by a share of its length, or by a little if it has none."""
    room = (high - low or 0.1) * share
    return low - room, high + room


@mpl.rc_context(STYLE)
def bars_per_model(
    summary: pd.DataFrame,
    note: str = "",
    references: pd.DataFrame | None = None,
    label: Collection[str] = (),
) -> Figure:
    """Figure 3: scores of every model without and with DCLS, 95 % intervals.

    Two panels: Grad-CAM above, Threshold-Grad-CAM below. A missing bar is labelled "no score".
    references: of `read_references`; bands.  label: networks that have bars before others, where
    there are too many for all.
    """
    of_study, others = Preference.of(summary, label).rows(pairs(summary), "leaderboard.html")
    models = [pair.label for pair in of_study]
    by_explainer = {name: scores_of(summary, name) for name in EXPLAINER_NAMES}
    bands = Bands.of(references, list(EXPLAINER_NAMES))
    limits = _common_limits(list(by_explainer.values()), bands)
    notes = [others, bands.note(dict.fromkeys(EXPLAINER_NAMES, limits)), note]
    height = 4.2 + np.sin(np.radians(_SLOPE)) * room_for(models)
    figure = new_figure(height, notes, max(WIDTH, 0.6 + 0.35 * len(models)))
    drawn = []
    for axes, explainer in zip(figure.subplots(2), EXPLAINER_NAMES, strict=True):
        name = explainer_name(explainer)
        scores = by_explainer[explainer]
        parts = {
            dcls: scores.reindex([pair[dcls] for pair in of_study]).reset_index(drop=True)
            for dcls in (0, 1)
        }
        present = {dcls: part for dcls, part in parts.items() if part["score"].notna().any()}
        if not present:
            axes.set_title(name)
            say_instead(axes, f"No model has a {name} score.")
            continue
        absent = [f" (no score {LEGEND[dcls]})" for dcls in parts if dcls not in present]
        axes.set_title(name + "".join(absent))
        for dcls, part in present.items():
            shift = (dcls - 0.5) * 0.4 if len(present) == 2 else 0
            _draw_bars(axes, part, dcls, shift)
        axes.axhline(0, color="black", linewidth=0.6)
        axes.spines["bottom"].set_visible(False)
        axes.set_ylabel(score_label(human_ceiling(summary)).replace(" / ", "\n/ "))
        spare = 0.6 + max(0, 3 - len(models)) / 2  # a lone model's bars need not fill the panel
        axes.set(xlim=(-spare, len(models) - 1 + spare), ylim=limits, xticks=[])
        bands.draw(axes, explainer)
        drawn.append(axes)
    if drawn:
        style = {"rotation": _SLOPE, "ha": "right", "rotation_mode": "anchor"}
        drawn[-1].set_xticks(range(len(models)), models, **style)
        drawn[-1].tick_params(axis="x", length=0)
        handles = [Patch(color=COLOURS[dcls], label=LEGEND[dcls]) for dcls in (0, 1)]
        figure.legend(handles=handles, loc="outside upper center", ncols=2)
    return figure


def _common_limits(tables: list[pd.DataFrame], bands: Bands) -> tuple[float, float]:
    """The range of scores of both panels of Figure 3: from 0, or below it, to the highest."""
    known = [table[["score", "low", "high"]].to_numpy().ravel() for table in tables]
    every = np.concatenate([*known, bands.table["score"].to_numpy(float), [0, 0.01]])
    low, high = _padded(np.nanmin(every), np.nanmax(every), 0.06)
    return (low if np.nanmin(every) < 0 else 0), high


def _draw_bars(axes: Axes, part: pd.DataFrame, dcls: int, shift: float) -> None:
    """One bar per model, `shift` off its place; words where there is no score."""
    places = np.arange(len(part)) + shift
    error = {"elinewidth": 0.8, "ecolor": "black"}
    axes.bar(places, part["score"], 0.38, color=COLOURS[dcls], yerr=_bars(part), error_kw=error)
    for place in places[part["score"].isna()]:
        axes.text(place, 0, " no score", rotation=90, ha="center", va="bottom", color=GREY)


@mpl.rc_context(STYLE)
def size_against_score(
    summary: pd.DataFrame,
    note: str = "",
    references: pd.DataFrame | None = None,
    label: Collection[str] = (),
) -> Figure:
    """Figure 4: parameters (million, log scale) against Threshold-Grad-CAM score, without DCLS.

    From three models on, with the least-squares line of the score on log10(parameters) and
    Pearson's r between the two, as `comparisons.correlate_quantity` has it. references: of
    `read_references`; bands.  label: networks whose names are written first.
    """
    scores = scores_of(summary, METHOD)
    known = scores[scores["dcls"] == 0].dropna(subset="parameters")
    if known.empty:
        sentence = "No model without DCLS has both a Threshold-Grad-CAM score and a known size."
        return empty_figure(sentence, note)
    heights = known[["score", "low", "high"]].to_numpy()
    bands = Bands.of(references, [METHOD])
    limits = _padded(*bands.within(METHOD, np.nanmin(heights), np.nanmax(heights)), 0.1)
    every = [Pair(network, None) for network in known.index]
    named = [pair.plain for pair in Preference(label, known).first(every)]
    texts, key = written(named, len(named) == len(every))
    notes = [key, bands.note({METHOD: limits}), note]
    wide = len(every) > len(PAPER_ORDER)
    figure = new_figure(4.6 if wide else 2.9, notes, PAGE_WIDTH if wide else WIDTH)
    axes = figure.subplots()
    size, score = known["parameters"].to_numpy() / 1e6, known["score"].to_numpy()
    axes.errorbar(size, score, yerr=_bars(known), fmt="o", ms=4, elinewidth=0.8, color=COLOURS[0])
    axes.set_ylim(limits)
    bands.draw(axes, METHOD)
    _log_axis(axes, size.min(), size.max())
    axes.set_xlabel("number of parameters (million, log scale)")
    axes.set_ylabel(f"score\n({score_label(human_ceiling(summary))})")
    axes.set_title(f"Threshold-Grad-CAM, models without DCLS\n{_correlation(known)}")
    bars = zip(size, known["low"], known["high"], strict=True)
    ink = [_line((x, low), (x, high)) for x, low, high in bars]
    if len(size) >= 3 and np.ptp(size) > 0:
        slope, height = np.polyfit(np.log10(size), score, 1)
        line = np.geomspace(size.min(), size.max(), 100)
        fit = np.stack([line, slope * np.log10(line) + height], -1)
        axes.plot(*fit.T, color=GREY, linewidth=0.8, zorder=1)
        ink.append(fit)
    settle(figure)
    points = dict(zip(known.index, np.stack([size, score], -1), strict=True))
    labelled = {texts[name]: points.pop(name) for name in named}
    _write_names(axes, labelled, points.values(), ink)
    return figure


def _log_axis(axes: Axes, low: float, high: float) -> None:
    """A logarithmic x axis with plain numbers, also where it spans less than a decade."""
    axes.set_xscale("log")
    axes.set_xlim(10 ** np.array(_padded(*np.log10([low, high]), 0.15)))
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _correlation(known: pd.DataFrame) -> str:
    """Pearson's r of score and log10(parameters) in words, or why there is none."""
    found = correlate_quantity("parameters", known["parameters"], known["score"])
    if found.value is None:
        return "no trend: fewer than three models" if found.n < 3 else "no trend: all alike"
    interval = "" if found.low is None else f" (95 %: {found.low:.2f} to {found.high:.2f})"
    return f"Pearson r = {found.value:.2f}{interval}, n = {found.n}".replace("-", "−")


def draw_from_summary(
    draw: Callable[[pd.DataFrame, str, pd.DataFrame | None, Collection[str]], Figure],
    description: str,
    argv: list[str] | None,
) -> None:
    """The command line of Figures 2, 3 and 4: read the summary, call `draw`, write the figure."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--summary", required=True, type=Path, help="scores/summary.csv")
    parser.add_argument(
        "--references", type=Path, nargs="?", help="tables/references.csv, for bands"
    )
    parser.add_argument(
        "--output", required=True, type=Path, nargs="+", help="one file per format: .png .pdf .svg"
    )
    add_label_flag(parser)
    parser.add_argument("--note", default="", help="a sentence to put small below the figure")
    arguments = parser.parse_args(argv)
    references = read_references(arguments.references) if arguments.references else None
    summary = read_summary(arguments.summary)
    save(draw(summary, arguments.note, references, arguments.label), arguments.output)
