"""The figure of scores by stratum of images."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ..scores.pairs import NETWORK, Pair, pairs
from ..scores.summary import explainer_name, explainer_order
from .preference import ANYONE, Preference
from .style import COLOURS, GREY, LEGEND, PAGE_WIDTH, STYLE, empty_figure, new_figure, room_for

METHOD = "threshold_grad_cam"  # the explainer shown, where the study has it
TITLES = {  # of the panels of strata, in their order
    "object_area": "area of the human map",
    "centre_distance": "its distance from the middle",
    "prediction": "prediction",
    "superclass": "kind of class",
}
MARKS = ("o", "s", "^")  # of the strata of a panel
ENDS = 5  # classes shown at either end, where there are more than twice as many
_STEP = 0.1  # inches from one stratum to the next within a row; a row has a step of room


@mpl.rc_context(STYLE)
def scores_by_stratum(
    table: pd.DataFrame, note: str = "", preference: Preference = ANYONE
) -> Figure:
    """A panel per stratification: in a row per pair, the score of each stratum with its interval.

    Below them classes by their mean over networks, the highest first; of more than ten the five
    highest and the five lowest. The panels of strata have the same x axis; classes, which reach
    further, have their own. The explainer is Threshold-Grad-CAM, or else the first of the study.
    table: tables/strata.csv.  preference: who has a row where there are too many for all.
    """
    explainers = explainer_order(table["explainer"].unique())
    chosen = METHOD if METHOD in explainers else next(iter(explainers), None)
    shown = table[table["explainer"] == chosen]
    if shown["score"].isna().all():
        return empty_figure("No image has a score, so that no stratum has one.", note)
    rows, others = preference.rows(pairs(shown[NETWORK].drop_duplicates()), "tables/strata.html")
    classes = _classes(shown)
    strata = {kind: shown[shown["stratification"] == kind] for kind in TITLES}
    strata = {kind: part for kind, part in strata.items() if len(part)}
    remarks = [
        others,
        "Bars: 95 % intervals over images. Thirds of the images by area and distance; a value on "
        "a boundary is in the lower one.",
        _gaps(pd.concat(strata.values())),
        _remark(shown, classes),
        note,
    ]
    heights = [max(1.2, _STEP * (len(MARKS) + 1) * len(rows)), 0.15 * max(5, len(classes))]
    heights = heights[: 1 + (len(classes) > 0)]
    width = PAGE_WIDTH + room_for(pair.label for pair in rows)
    figure = new_figure(sum(heights) + 1.4 + 0.5 * len(heights), remarks, width)
    grid = figure.add_gridspec(len(heights), len(strata), height_ratios=heights)
    panels = [figure.add_subplot(grid[0, place]) for place in range(len(strata))]
    for axes, (kind, part) in zip(panels, strata.items(), strict=True):
        _draw_strata(axes, part, rows)
        axes.get_legend().set_title(TITLES[kind])
        if axes is not panels[0]:
            axes.tick_params(axis="y", labelleft=False)
    _scale(panels, pd.concat(strata.values())[["score", "low", "high"]].to_numpy())
    if len(classes):
        axes = figure.add_subplot(grid[1, :])
        _draw_classes(axes, classes, shown)
        drawn = _scored_classes(shown).set_index("stratum").loc[classes.index]
        _scale([axes], drawn[["score", "low", "high"]].to_numpy())
    handles = [
        Line2D([], [], marker="o", ms=3.5, linewidth=0.8, color=COLOURS[dcls], label=LEGEND[dcls])
        for dcls in sorted(set(shown["dcls"]))
    ]
    title = explainer_name(chosen)
    figure.legend(handles=handles, loc="outside upper center", ncols=2, title=title)
    return figure


def _classes(shown: pd.DataFrame) -> pd.DataFrame:
    """Scores of the classes to show (rows) by network (columns), the highest mean first."""
    wide = _scored_classes(shown).pivot(index="stratum", columns="network", values="score")
    order = wide.mean(axis=1).sort_values(ascending=False, kind="stable").index
    if len(order) > 2 * ENDS:
        order = [*order[:ENDS], *order[-ENDS:]]
    return wide.loc[order]


def _scored_classes(shown: pd.DataFrame) -> pd.DataFrame:
    """The rows of classes that have a score."""
    return shown[(shown["stratification"] == "class") & shown["score"].notna()]


def _gaps(drawn: pd.DataFrame) -> str:
    """Why strata lack a point or a bar; empty if none does."""
    words = [
        ("Strata without a point have no image with a score.", drawn["score"].isna()),
        ("Points without a bar are of one image.", drawn["score"].notna() & drawn["low"].isna()),
    ]
    return " ".join(sentence for sentence, found in words if found.any())


def _remark(shown: pd.DataFrame, classes: pd.DataFrame) -> str:
    """What the panel of classes shows, or why there is none."""
    if not len(classes):
        return "No classes, because the images have no labels."
    count = _scored_classes(shown)["stratum"].nunique()
    which = f"the {ENDS} highest and the {ENDS} lowest of {count}, " if count > 2 * ENDS else ""
    words = f"Classes: {which}a large dot for the mean over networks, its bar the mean of their "
    return words + "intervals; a small dot for each, whose interval is in tables/strata.csv."


def _draw_strata(axes: Axes, part: pd.DataFrame, rows: list[Pair]) -> None:
    """Points of one stratification: a row per pair, in it a line per stratum, plain above DCLS."""
    names = list(dict.fromkeys(part["stratum"]))
    by_name = part.set_index(["network", "stratum"])[["score", "low", "high"]]
    for row, pair in enumerate(rows):
        for line, stratum in enumerate(names):
            for dcls, network in enumerate(pair):
                if network is None:
                    continue
                score, low, high = by_name.loc[(network, stratum)]
                shift = 0 if None in pair else (dcls - 0.5) * 0.4
                place = row * (len(MARKS) + 1) + line + (len(MARKS) - len(names)) / 2 + shift
                axes.plot([low, high], [place, place], color=COLOURS[dcls], linewidth=0.8)
                axes.plot(score, place, MARKS[line], ms=2.8, color=COLOURS[dcls])
    handles = [
        Line2D([], [], linestyle="", marker=mark, ms=3, color=GREY, label=name)
        for mark, name in zip(MARKS, names, strict=False)
    ]
    axes.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0, 1),
        alignment="left",
        handletextpad=0.1,
        borderpad=0.2,
    )
    middle = np.arange(len(rows)) * (len(MARKS) + 1) + (len(MARKS) - 1) / 2
    axes.set_yticks(middle, [pair.label for pair in rows])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(rows) * (len(MARKS) + 1) - 1, -1)


def _draw_classes(axes: Axes, classes: pd.DataFrame, shown: pd.DataFrame) -> None:
    """A row per class: the mean over plain networks and over those with DCLS, and each network.

    The bar of a mean is the mean of the networks' intervals. They are of the same images, so that
    it is wide enough whatever the networks have in common.
    """
    by_class = _scored_classes(shown).groupby(["dcls", "stratum"])[["score", "low", "high"]].mean()
    has_dcls = shown.groupby("network")["dcls"].first().reindex(classes.columns).to_numpy()
    for dcls in sorted(set(has_dcls)):
        own = classes.loc[:, has_dcls == dcls]
        places = np.arange(len(classes)) + (dcls - 0.5) * 0.3
        for network in own:
            axes.plot(own[network], places, "o", ms=1.5, color=COLOURS[dcls], alpha=0.5)
        score, low, high = by_class.loc[dcls].reindex(classes.index).to_numpy().T
        axes.hlines(places, low, high, color=COLOURS[dcls], linewidth=0.8)
        axes.plot(score, places, "o", ms=3.5, color=COLOURS[dcls])
    if _scored_classes(shown)["stratum"].nunique() > len(classes):
        axes.axhline(ENDS - 0.5, color=GREY, linewidth=0.6, linestyle=":")
    axes.set_title("classes")
    axes.set_yticks(range(len(classes)), list(classes.index))
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(classes) - 0.4, -0.6)


def _scale(panels: list[Axes], values: np.ndarray) -> None:
    """One x axis for the panels, from the lowest to the highest of the values (NaN: none)."""
    low, high = np.nanmin(values), np.nanmax(values)
    room = 0.04 * (high - low) or 0.1
    for axes in panels:
        axes.set_xlim(low - room, high + room)
        axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        axes.set_xlabel("score")
