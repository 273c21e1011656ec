"""Tests of scores by image, and correlations over networks: arrays in, numbers out."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from .bootstrap import Row, finite

FEWEST = 8  # networks from which a correlation has an interval; the paper has 8 plain ones


def compared_row(a: np.ndarray, b: np.ndarray) -> Row:
    """Compare per-image scores (n,) in the same order of images; NaN where undefined.

    Returns a row, and the differences a - b, from which `add_intervals` makes low and high: images
    are the unit of resampling. n: images with both scores.  dropped: images with one or none.
    difference: mean of a - b.  low, high: infinite for a single image.  p_value: of Wilcoxon's
    signed-rank test (1945), two-sided, which leaves differences of zero out; 1 when all are zero.
    superiority: P(a > b) + P(a = b) / 2 over images, the paired form of Vargha and Delaney (2000).
    `ValueError` when no image has both.
    """
    every = np.asarray(a, np.float64) - np.asarray(b, np.float64)
    difference = finite(every[~np.isnan(every)])
    p_value = stats.wilcoxon(difference).pvalue if difference.any() else 1.0
    return {
        "n": len(difference),
        "dropped": len(every) - len(difference),
        "difference": float(difference.mean()),
        "low": -np.inf,
        "high": np.inf,
        "p_value": float(p_value),
        "superiority": float(np.mean(difference > 0) + np.mean(difference == 0) / 2),
    }, {("low", "high"): every} if len(difference) > 1 else {}


def holm(p_values: np.ndarray) -> np.ndarray:
    """Holm's (1979) adjusted p-values, (m,), in the order given."""
    p_values = np.asarray(p_values, np.float64)
    order = np.argsort(p_values)
    factors = np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(p_values[order] * factors))
    return adjusted


@dataclass(frozen=True)
class Correlation:
    """A correlation over networks with its 95 % interval; None where it is undefined."""

    n: int
    value: float | None = None
    low: float | None = None
    high: float | None = None


def correlate(x: np.ndarray, y: np.ndarray, method: str = "pearson") -> Correlation:
    """`pearson` or `spearman` correlation of two quantities over networks, (n,) each.

    A network that lacks one of the two (NaN) is left out. Fewer than three networks, or one value
    in all of them, have no correlation; fewer than FEWEST have no interval. The interval is that
    of Fisher's transformation, with the standard error 1 / sqrt(n - 3), for Spearman's correlation
    with that of Bonett and Wright (2000), sqrt((1 + r^2 / 2) / (n - 3)). It takes networks as
    independent: a network and its twin with DCLS must not both be given.

    Raises ValueError on an unknown method and on arrays of different lengths.
    """
    if method not in ("pearson", "spearman"):
        raise ValueError(f"unknown correlation {method!r}")
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    count = len(x)
    if count < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return Correlation(count)
    measure = stats.pearsonr if method == "pearson" else stats.spearmanr
    r = float(np.clip(measure(x, y).statistic, -1, 1))
    if count < FEWEST:
        return Correlation(count, r)
    if 1 - abs(r) < 1e-12:
        return Correlation(count, r, r, r)
    error = np.sqrt((1 if method == "pearson" else 1 + r**2 / 2) / (count - 3))
    low, high = np.tanh(np.arctanh(r) + stats.norm.ppf([0.025, 0.975]) * error)
    return Correlation(count, r, float(low), float(high))
