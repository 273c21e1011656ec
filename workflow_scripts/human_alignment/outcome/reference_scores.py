"""Scores of maps that no network made, as they stand in tables and figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from scipy.optimize import isotonic_regression

from ..scores.human_ceilings import Ceiling, read_ceilings
from ..scores.run_tables import read_table
from ..scores.summary import explainer_name
from .markup import Block
from .style import GREY

NAMES = {
    "centre": "centred Gaussian",
    "mean_human_map": "mean human map of other images",
    "class_mean_human_map": "mean human map of the class",
    "edge_strength": "edge strength",
    "local_contrast": "local contrast",
}
_OTHER_IMAGE = "other_image:"  # begins the name of a network's own maps of other images
_NUMBERS = ["n_images", "mean_rho", "score", "low", "high"]
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_LETTER = 11  # points from one letter to the next, before the layout shrinks the axes
_STRETCH = 1.6  # how much longer an axis may become to show a reference


def read_references(path: Path | str) -> pd.DataFrame:
    """Read tables/references.csv, a row per reference. UserError when it cannot be read."""
    return read_table(Path(path), ["reference"], _NUMBERS)


def reference_name(reference: str) -> str:
    """How tables and figures call a reference; the user's own maps keep their name."""
    if reference.startswith(_OTHER_IMAGE):
        explainer = explainer_name(reference.removeprefix(_OTHER_IMAGE))
        return f"{explainer} map of another image"
    return NAMES.get(reference, reference)


def block(references: pd.DataFrame, digits: int) -> Block:
    """The references as a block of Table 1: name, score with its interval, number of images."""
    rows = []
    for row in references.to_dict("records"):
        score, count = "cannot be computed", f"{row['n_images']:,.0f}"
        if not pd.isna(row["score"]):
            score = f"{row['score']:.{digits}f}"
        if not pd.isna(row["low"]):
            score += f" [{row['low']:.{digits}f}, {row['high']:.{digits}f}]"
        rows.append([reference_name(row["reference"]), score, count])
    return Block(["Without a network", "Score", "n"], rows, "References without a network")


def ceiling_words(path: Path | str) -> str:
    """What references.json says of the human ceilings: the published one, and those computed.

    Raises UserError when the file cannot be read or holds something else.
    """
    found = read_ceilings(path)
    published = "none is known" if found.published is None else f"{found.published:g} (published)"
    if found.others.mean_rho is None:
        return (
            f"Human ceiling of the data: {published}. It cannot be computed, because no image has "
            "several human maps."
        )
    return (
        f"Human ceiling of the data: {published}. Computed from the {found.others.n:,} images with "
        f"several human maps: mean rho of a map with the mean of the image's others "
        f"{_words(found.others)}, of pairs of maps {_words(found.pairwise)}."
    )


def of_explainer(references: pd.DataFrame, explainer: str) -> pd.DataFrame:
    """The references with a score that a figure of one explainer shows, lowest first."""
    other = references["reference"].str.startswith(_OTHER_IMAGE)
    own = references["reference"] == f"{_OTHER_IMAGE}{explainer}"
    return references[(~other | own) & references["score"].notna()].sort_values("score")


def _words(ceiling: Ceiling) -> str:
    """Mean rho with its interval, if it has one."""
    if ceiling.mean_rho is None:
        return "undefined"
    interval = "" if ceiling.low is None else f" [{ceiling.low:.3f}, {ceiling.high:.3f}]"
    return f"{ceiling.mean_rho:.3f}{interval}"


@dataclass(frozen=True)
class Bands:
    """References as bands of a figure, each marked by a letter at the end of its band.

    letters: of each reference, by its name in the table.
    """

    table: pd.DataFrame
    letters: dict[str, str]

    @classmethod
    def of(cls, references: pd.DataFrame | None, explainers: Sequence[str]) -> "Bands":
        """Bands for panels of these explainers; none without references."""
        if references is None:
            return cls(pd.DataFrame(columns=["reference", *_NUMBERS]), {})
        parts = [of_explainer(references, explainer) for explainer in explainers]
        names = dict.fromkeys(name for part in parts for name in part["reference"])
        order = [name for name in references["reference"] if name in names]
        return cls(references, dict(zip(order, _LETTERS, strict=False)))

    def within(self, explainer: str, low: float, high: float) -> tuple[float, float]:
        """An axis' range, widened to the references that are near enough to it."""
        for score in of_explainer(self.table, explainer)["score"]:
            wider = min(low, score), max(high, score)
            if wider[1] - wider[0] <= _STRETCH * (high - low):
                low, high = wider
        return low, high

    def draw(self, axes: Axes, explainer: str, ways: str = "y") -> None:
        """Draw the bands that lie within the axes. ways: `y`, or `xy` for both directions."""
        low, high = axes.get_ylim()
        shown = of_explainer(self.table, explainer)
        shown = shown[shown["score"].between(low, high)]
        height = axes.get_window_extent().height * 72 / axes.figure.dpi
        ends = _apart(shown["score"].to_numpy(), _LETTER * (high - low) / height)
        for row, end in zip(shown.itertuples(), ends, strict=True):
            for way in ways:
                line = axes.axhline if way == "y" else axes.axvline
                span = axes.axhspan if way == "y" else axes.axvspan
                if not pd.isna(row.low):
                    span(row.low, row.high, color=GREY, alpha=0.18, linewidth=0, zorder=0.5)
                line(row.score, color=GREY, linewidth=0.5, alpha=0.8, zorder=0.6)
            place = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
            style = {"va": "center", "color": GREY, "annotation_clip": False}
            axes.annotate(self.letters[row.reference], (1, end), (2, 0), **place, **style)

    def note(self, limits: dict[str, tuple[float, float]]) -> str:
        """What the letters stand for. limits: of the axis of scores, by explainer."""
        words = []
        for name, letter in self.letters.items():
            row = self.table[self.table["reference"] == name].iloc[0]
            panels = [e for e in limits if name in set(of_explainer(self.table, e)["reference"])]
            outside = not any(limits[e][0] <= row["score"] <= limits[e][1] for e in panels)
            beyond = ", beyond the axis" if outside else ""
            words.append(f"({letter}) {reference_name(name)} {row['score']:.2f}{beyond}")
        return f"Grey: scores without a network. {'; '.join(words)}." if words else ""


def _apart(values: np.ndarray, room: float) -> np.ndarray:
    """Rising values, moved as little as possible until neighbours are `room` apart."""
    steps = room * np.arange(len(values))
    return isotonic_regression(values - steps).x + steps if len(values) else values
