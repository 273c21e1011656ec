"""The figure of top-1 accuracy against score, for two networks or for hundreds."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..scores.pairs import PAPER_ORDER, Pair, pairs, place
from ..scores.summary import explainer_name, human_ceiling, papers_explainers, scores_of
from .families import family
from .labels import place_labels
from .preference import Preference, front_of, written
from .reference_bands import Bands
from .style import (
    COLOURS,
    GREY,
    LEGEND,
    PAGE_WIDTH,
    STYLE,
    WIDTH,
    empty_figure,
    new_figure,
    score_label,
    settle,
)

FRONT = " Pareto front: no other network is higher in one of the two and at least as high in the "
FRONT += "other."
FAMILY_COLOURS = (  # Okabe and Ito's, with a wine red for their yellow, which white swallows
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#E69F00",
    "#882255",
    "#000000",
)
OTHER_FAMILIES = "0.6"


@mpl.rc_context(STYLE)
def accuracy_against_score(
    summary: pd.DataFrame,
    correlations: pd.DataFrame,
    note: str = "",
    references: pd.DataFrame | None = None,
    label: Collection[str] = (),
) -> Figure:
    """A panel per explainer of the paper (of a study without them: its first): top-1 against score.

    Fel et al. (2022) found more accurate networks less aligned. Every network has its 95 %
    interval; a line joins each pair and another the Pareto front. Where the study has networks
    that the paper lacks, colours tell families apart.  summary: scores/summary.csv.  correlations:
    scores/correlations.csv.  references: of `read_references`; bands.  label: networks whose names
    are written first; a panel holds MOST_LABELS names.
    """
    scores = {name: scores_of(summary, name) for name in papers_explainers(summary["explainer"])}
    known = {name: part.dropna(subset="top1") for name, part in scores.items()}
    known = {name: part for name, part in known.items() if len(part)}
    if not known:
        return empty_figure("No network has both a measured top-1 and a score.", note)
    of_study, marks, bands = pairs(summary), _Marks.of(known), Bands.of(references, list(known))
    panels = {
        name: _Panel(part, front_of(part), chosen_labels(part, of_study, label))
        for name, part in known.items()
    }
    across, up = _limits(known, bands)
    named = dict.fromkeys(name for panel in panels.values() for name in panel.names)
    all_named = all(len(one.names) == one.count(of_study) for one in panels.values())
    texts, key = written(named, all_named)
    drawn = set().union(*(part.index for part in known.values()))
    has_front = any(len(panel.front) > 1 for panel in panels.values())
    notes = [
        "Vertical lines: 95 % intervals over images." + (FRONT if has_front else ""),
        key,
        _not_drawn([name for name in scores if name not in known], set(label) - drawn),
        bands.note(dict.fromkeys(known, up)),
        note,
    ]
    wide = len(of_study) > len(PAPER_ORDER)
    height = 0.5 + (3.4 if wide else 2.7) * len(known)
    figure = new_figure(height, notes, PAGE_WIDTH if wide else WIDTH)
    rows = figure.subplots(len(known), squeeze=False, sharex=True, sharey=True)[:, 0]
    where = {"loc": "outside upper center", "ncols": 6 if wide else 2}
    figure.legend(handles=marks.handles(has_front), **where)
    rows[0].set(xlim=across, ylim=up)
    for axes, (name, panel) in zip(rows, panels.items(), strict=True):
        axes.set_title(f"{explainer_name(name)}\n{_in_words(correlations, name)}")
        axes.set_ylabel(f"score\n({score_label(human_ceiling(summary))})")
        panel.draw(axes, of_study, marks)
        bands.draw(axes, name)
    rows[-1].set_xlabel("top-1 accuracy (%)")
    settle(figure)
    for axes, panel in zip(rows, panels.values(), strict=True):
        panel.write_names(axes, of_study, texts)
    return figure


def chosen_labels(
    part: pd.DataFrame, of_study: list[Pair], label: Collection[str] = ()
) -> dict[str, str]:
    """The names that a panel shows, and the network beside whose point each stands.

    part: `top1` and `score` by network.  A pair has one name. Of more than MOST_LABELS pairs those
    have a name that come first in a `Preference` for the networks in `label`.
    """
    preference, best = Preference(label, part), {}
    for pair in of_study:
        networks = [network for network in pair if network in part.index]
        if networks:
            best[pair] = min(networks, key=preference.group)
    return {pair.label: best[pair] for pair in preference.first(best)}


@dataclass(frozen=True)
class _Marks:
    """What a network's mark looks like.

    networks: `dcls` and `family` by network; the family is that of the plain twin.  colours: of
    each family; empty where colours tell apart networks with DCLS and without.
    """

    networks: pd.DataFrame
    colours: dict[str, str]

    @classmethod
    def of(cls, known: dict[str, pd.DataFrame]) -> "_Marks":
        """Marks of the networks of all panels. known: `model` and `dcls` by network."""
        networks = pd.concat([part[["model", "dcls"]] for part in known.values()])
        networks = networks[~networks.index.duplicated()]
        networks["family"] = networks["model"].map(family)
        # The largest families have the colours, so that few networks are of other families.
        order = networks["family"].value_counts().index
        beyond = any(place(model) == len(PAPER_ORDER) for model in networks["model"])
        if not beyond or len(order) == 1:
            return cls(networks, {})
        colours = dict(zip(order, FAMILY_COLOURS, strict=False))
        return cls(networks, {name: colours.get(name, OTHER_FAMILIES) for name in order})

    def looks(self, network: str) -> tuple[str, str]:
        """The colour of a network's mark, and the colour inside it."""
        dcls, own = self.networks.at[network, "dcls"], self.networks.at[network, "family"]
        if not self.colours:
            return COLOURS[dcls], COLOURS[dcls]
        return self.colours[own], "white" if dcls else self.colours[own]

    def handles(self, front: bool) -> list[Line2D]:
        """Entries of the legend. front: whether a panel has the line of the Pareto front."""
        if self.colours:
            own = [item for item in self.colours.items() if item[1] != OTHER_FAMILIES]
            own += [("other families", OTHER_FAMILIES)] if len(own) < len(self.colours) else []
            dots = [(name, colour, colour) for name, colour in own]
            if self.networks["dcls"].any():
                dots += [(f"filled: {LEGEND[0]}", GREY, GREY)]
                dots += [(f"open: {LEGEND[1]}", GREY, "white")]
        else:
            dots = [(name, *2 * [colour]) for name, colour in zip(LEGEND, COLOURS, strict=True)]
        style = {"marker": "o", "linestyle": "", "ms": 3.5}
        found = [
            Line2D([], [], color=colour, markerfacecolor=inside, label=name, **style)
            for name, colour, inside in dots
        ]
        line = Line2D([], [], color=GREY, linewidth=1, label="Pareto front")
        return found + ([line] if front else [])


@dataclass(frozen=True)
class _Panel:
    """The networks of one explainer.

    part: `top1`, `score`, `low` and `high` by network.  front: of `front_of`.  names: of
    `chosen_labels`.
    """

    part: pd.DataFrame
    front: list[str]
    names: dict[str, str]

    def points(self, networks: Collection[str]) -> np.ndarray:
        """Top-1 and score of some networks, (n, 2)."""
        return self.part.loc[list(networks), ["top1", "score"]].to_numpy(float)

    def count(self, of_study: list[Pair]) -> int:
        """How many pairs have a point."""
        return sum(self.part.index.isin(pair).any() for pair in of_study)

    def joined(self, of_study: list[Pair]) -> list[np.ndarray]:
        """The two points, (2, 2), of each pair of which both are in the panel."""
        whole = [pair for pair in of_study if self.part.index.isin(pair).sum() == 2]
        return [self.points(pair) for pair in whole]

    def draw(self, axes: Axes, of_study: list[Pair], marks: _Marks) -> None:
        """Draw intervals, marks, lines between pairs, and the Pareto front."""
        looks = pd.Series({name: marks.looks(name) for name in self.part.index})
        for (colour, inside), networks in looks.groupby(looks).groups.items():
            part = self.part.loc[networks]
            axes.vlines(part["top1"], part["low"], part["high"], color=colour, linewidth=0.5)
            style = {"color": colour, "markerfacecolor": inside, "markeredgewidth": 0.8}
            axes.plot(part["top1"], part["score"], "o", ms=3.5, zorder=3, **style)
        for ends in self.joined(of_study):
            axes.plot(*ends.T, color=GREY, linewidth=0.6, alpha=0.6, zorder=1)
        if len(self.front) > 1:
            axes.plot(*self.points(self.front).T, color=GREY, linewidth=1, zorder=1.2)

    def write_names(self, axes: Axes, of_study: list[Pair], texts: Mapping[str, str]) -> None:
        """Write the chosen names, clear of marks and lines. The layout must be final.

        texts: what stands for each name.
        """
        lines = [*self.joined(of_study), *_segments(self.points(self.front))]
        bars = self.part.dropna(subset=["low", "high"])
        ends = bars[["top1", "low", "top1", "high"]].to_numpy(float).reshape(-1, 2, 2)
        ink = [np.empty((0, 2)), *(np.linspace(*line, 40) for line in lines)]
        ink += [np.linspace(*line, 12) for line in ends]
        named = list(self.names.values())
        dots = self.points(self.part.index.difference(named))
        words = [texts[name] for name in self.names]
        place_labels(axes, self.points(named), words, np.concatenate(ink), dots)


def _segments(points: np.ndarray) -> list[np.ndarray]:
    """The pieces, (2, 2), of a line through points (n, 2)."""
    return list(np.stack([points[:-1], points[1:]], axis=1))


def _limits(known: dict[str, pd.DataFrame], bands: Bands) -> tuple[tuple, tuple]:
    """The ranges of top-1 and of scores that all panels share, with room for names."""
    top1 = np.concatenate([part["top1"] for part in known.values()])
    heights = np.concatenate([part[["score", "low", "high"]] for part in known.values()])
    low, high = np.nanmin(heights), np.nanmax(heights)
    lows, highs = zip(*(bands.within(name, low, high) for name in known), strict=True)
    return _padded(top1.min(), top1.max(), 0.15, 1), _padded(min(lows), max(highs), 0.12, 0.01)


def _padded(low: float, high: float, share: float, least: float) -> tuple[float, float]:
    """A range widened on both sides by a share of its length, which counts as `least` or more."""
    room = max(high - low, least) * share
    return low - room, high + room


def _not_drawn(explainers: list[str], networks: set[str]) -> str:
    """What was asked for and has no top-1 or no score; empty if all is drawn."""
    lacking = [*map(explainer_name, explainers), *sorted(networks)]
    return f"Not drawn, without a top-1 or a score: {', '.join(lacking)}." if lacking else ""


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
