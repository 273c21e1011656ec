"""The bootstrap interval of a mean: arrays in, numbers out.

A module of its own, because `statistics` imports `scipy.stats`: that takes longer than scoring a
small study.
"""

from collections.abc import Iterator

import numpy as np
from pydantic import Field
from scipy import special

from ..common.arguments import json_object
from ..common.records import Record, checked

_DRAWS = 2**17  # indices drawn at once: 2 MB with what they select, whatever the number of values
_FEW = 16  # values below which a resample may well be a permutation of them


class Settings(Record):
    """Settings of every bootstrap of a study."""

    resamples: int = Field(2000, ge=1, description="a whole number above 0")
    seed: int = Field(0, ge=0, description="a whole number, 0 or above")


def statistics_argument(text: str) -> dict[str, int]:
    """Parse a command-line value (an argparse `type`): `resamples` and `seed` as a JSON object.

    A key that is left out has its default. Raises UserError on unknown keys and values.
    """
    return checked(Settings, "statistics", json_object(text)).model_dump()


STATISTICS_FLAG = {  # the flag `--statistics` of every script that draws resamples
    "type": statistics_argument,
    "default": "{}",
    "help": f"settings of the bootstrap as JSON; default: {Settings().model_dump_json()}",
}


def draws(count: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Indices of `resamples` draws of `count` out of `count` with replacement, (chunk, count)."""
    rng = np.random.default_rng(seed)
    chunk = max(1, _DRAWS // count)
    for done in range(0, resamples, chunk):
        rows = min(chunk, resamples - done)
        yield rng.integers(0, count, (rows, count), dtype=np.int32)


def _tails(values: np.ndarray, means: np.ndarray, level: float) -> np.ndarray:
    """Which quantiles of the bootstrap means end the interval of the mean, (2,).

    Plain percentiles miss skewed means too often: the bias and acceleration of Efron (1987,
    "Better bootstrap confidence intervals") mend that. And they are too narrow for few values, by
    sqrt(n / (n - 1)) and by t over z, which Hesterberg (2015, "What teachers should know about
    the bootstrap") puts right by moving the quantiles outwards.
    """
    count, centre = len(values), values.mean()
    bias = special.ndtri(np.mean(means < centre) + np.mean(means == centre) / 2)
    deviation = values - centre
    deviation /= np.abs(deviation).max()  # else the cubes of nearly equal values are lost
    skew = np.mean(deviation**3) / np.mean(deviation**2) ** 1.5
    acceleration = skew / (6 * np.sqrt(count))
    width = special.stdtrit(count - 1, (1 + level) / 2) * np.sqrt(count / (count - 1))
    ends = bias + np.array([-width, width])
    return special.ndtr(bias + ends / (1 - acceleration * ends))


def bootstrap_interval(
    values: np.ndarray, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Bootstrap interval (low, high) of the mean of `values`, (n,): BCa, widened for small n.

    Memory does not grow with `resamples`. `ValueError` on no values or NaN. The interval of a
    single value is infinite, that of equal values has no width.
    """
    values = finite(values)
    if len(values) == 1:
        return -np.inf, np.inf
    if values.min() == values.max():
        return float(values[0]), float(values[0])
    drawn = draws(len(values), resamples, seed)
    means = np.concatenate([values.take(index).mean(axis=1) for index in drawn])
    low, high = np.quantile(means, _tails(values, means, level))
    return float(low), float(high)


def bootstrap_intervals(
    values: np.ndarray, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> np.ndarray:
    """`bootstrap_interval` of each row of values (k, n), to rounding; (k, 2).

    Rows share their resamples, which are counted once: how often each holds each value. One product
    of matrices then gives the means of all rows. `ValueError` as for a single interval.
    """
    values = np.array([finite(row) for row in values])
    count = values.shape[-1]
    if count < _FEW:
        return np.array([bootstrap_interval(row, level, resamples, seed) for row in values])
    parts = []
    for index in draws(count, resamples, seed):
        places = index + count * np.arange(len(index))[:, None]
        times = np.bincount(places.reshape(-1), minlength=index.size).reshape(index.shape)
        parts.append(times.astype(np.float64) @ values.T / count)
    found = np.repeat(values[:, :1], 2, axis=1)  # the interval of equal values
    for row, means in enumerate(np.concatenate(parts).T):
        if values[row].min() < values[row].max():
            found[row] = np.quantile(means, _tails(values[row], means, level))
    return found


def finite(values) -> np.ndarray:
    """Values as float64 (n,). `ValueError` on no values, NaN or infinity."""
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        raise ValueError(f"expected finite values (n,) with n > 0, got shape {values.shape}")
    return values
