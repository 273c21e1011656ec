"""References without a network as grey bands of a figure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from scipy.optimize import isotonic_regression

from .reference_scores import NUMBERS, OTHER_IMAGE, reference_name
from .style import GREY

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_LETTER = 11  # points from one letter to the next, before the layout shrinks the axes
_STRETCH = 1.6  # how much longer an axis may become to show a reference


def of_explainer(references: pd.DataFrame, explainer: str) -> pd.DataFrame:
    """The references with a score that a figure of one explainer shows, lowest first."""
    other = references["reference"].str.startswith(OTHER_IMAGE)
    own = references["reference"] == f"{OTHER_IMAGE}{explainer}"
    return references[(~other | own) & references["score"].notna()].sort_values("score")


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
            return cls(pd.DataFrame(columns=["reference", *NUMBERS]), {})
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
