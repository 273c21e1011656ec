"""Tests of scores by image, and correlations over models: arrays in, numbers out."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from .bootstrap import bootstrap_interval, draws, finite


@dataclass(frozen=True)
class PairedComparison:
    """Two scores of the same images, a minus b."""

    n: int  # images with both scores
    dropped: int  # images with only one score, or none
    difference: float  # mean of a - b
    low: float  # bootstrap interval of the difference
    high: float
    p_value: float  # Wilcoxon signed-rank, two-sided
    superiority: float  # share of images with a > b; images with a = b count half


def compare_paired(
    a: np.ndarray, b: np.ndarray, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> PairedComparison:
    """Compare per-image scores (n,) in the same order of images; NaN where undefined.

    Images are the unit of resampling. Wilcoxon (1945) leaves differences of zero out; when all
    are zero its p-value is 1. `superiority` is P(a > b) + P(a = b) / 2 over images, the paired
    form of Vargha and Delaney (2000). `ValueError` when no image has both scores.
    """
    difference = np.asarray(a, np.float64) - np.asarray(b, np.float64)
    both = ~np.isnan(difference)
    difference = finite(difference[both])
    low, high = bootstrap_interval(difference, level, resamples, seed)
    p_value = stats.wilcoxon(difference).pvalue if difference.any() else 1.0
    return PairedComparison(
        n=len(difference),
        dropped=int(np.sum(~both)),
        difference=float(difference.mean()),
        low=low,
        high=high,
        p_value=float(p_value),
        superiority=float(np.mean(difference > 0) + np.mean(difference == 0) / 2),
    )


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
    """A correlation over models with its interval; None where it is undefined."""

    n: int
    value: float | None
    low: float | None
    high: float | None


def correlate_models(
    x: np.ndarray,
    y: np.ndarray,
    method: str = "pearson",
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Correlation:
    """`pearson` or `spearman` correlation of two quantities over models, (n,) each.

    Fewer than three models, or one value in all of them, have no correlation. Percentile
    bootstrap over models; resamples in which a quantity does not vary are left out, and with
    few models the interval is a rough one. `ValueError` on values that are not finite.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.shape != y.shape or not np.isfinite([x, y]).all():
        raise ValueError(f"expected finite values of one length, got {x.shape} and {y.shape}")
    value = _rowwise(x[None], y[None], method)[0] if len(x) > 2 else np.nan
    if np.isnan(value):
        return Correlation(len(x), None, None, None)
    drawn = np.concatenate(
        [_rowwise(x[index], y[index], method) for index in draws(len(x), resamples, seed)]
    )
    low, high = np.nanquantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Correlation(len(x), float(value), float(low), float(high))


def fisher_interval(r: float, count: int) -> tuple[float, float]:
    """95 % interval of a Pearson correlation of `count` > 3 pairs, by Fisher's transformation."""
    if abs(r) > 1 - 1e-12:
        return r, r
    low, high = np.tanh(np.arctanh(r) + np.array([-1.96, 1.96]) / np.sqrt(count - 3))
    return float(low), float(high)


def _rowwise(x: np.ndarray, y: np.ndarray, method: str) -> np.ndarray:
    """Correlation of each row of x with that of y, (r,); NaN where a row does not vary."""
    if method not in ("pearson", "spearman"):
        raise ValueError(f"unknown correlation {method!r}")
    varies = (np.ptp(x, axis=1) > 0) & (np.ptp(y, axis=1) > 0)
    if method == "spearman":
        x, y = stats.rankdata(x, axis=1), stats.rankdata(y, axis=1)
    x = x - x.mean(axis=1, keepdims=True)
    y = y - y.mean(axis=1, keepdims=True)
    norms = np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1))
    correlation = np.clip((x * y).sum(axis=1) / np.where(varies, norms, 1), -1, 1)
    return np.where(varies, correlation, np.nan)
