"""The bootstrap interval of a mean: arrays in, numbers out.

A module of its own, because `statistics` imports `scipy.stats`: that takes longer than scoring a
small study.
"""

import functools
from collections.abc import Iterable, Iterator

import numpy as np
from pydantic import Field
from scipy import special

from ..common.arguments import json_object
from ..common.records import Record, checked

_DRAWS = 2**17  # indices drawn at once: 2 MB with what they select, whatever the number of values
_FEW = 16  # values below which a resample may well be a permutation of them
_MANY = 1000  # values from which on a resample surely holds some of those that are there
_PRODUCT = 2**21  # numbers of a factor of a product of matrices: 16 MB
_HELD = 2**27  # counts that are kept between products: 256 MB
_ROUNDING = 1e-13  # share of the largest value within which two means are equal
_BLOCK = 2**24  # values whose intervals are computed at once: 128 MB

Row = tuple[dict, dict[tuple[str, str], np.ndarray]]  # what `add_intervals` takes


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


def draws(
    count: int, resamples: int, seed: int, at_once: int | None = None
) -> Iterator[np.ndarray]:
    """Indices of `resamples` draws of `count` out of `count` with replacement, (chunk, count).

    at_once: how many indices a chunk holds, at least one draw. They do not depend on it.
    """
    rng = np.random.default_rng(seed)
    chunk = max(1, (at_once or _DRAWS) // count)
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
    above = means - centre
    equal = np.abs(above) <= _ROUNDING * np.abs(values).max()  # else rounding decides their side
    bias = special.ndtri(np.mean((above < 0) & ~equal) + np.mean(equal) / 2)
    deviation = values - centre
    deviation /= np.abs(deviation).max()  # else the cubes of nearly equal values are lost
    squares = deviation * deviation
    skew = np.mean(squares * deviation) / np.mean(squares) ** 1.5
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
    """Intervals of the means of rows of values (k, n), NaN where a row lacks a value; (k, 2).

    Rows share their resamples, which are counted once: how often each holds each value. One product
    of matrices then gives the means of all rows. The interval of a complete row is that of
    `bootstrap_interval`, to rounding; so is that of the values of a row with fewer than _MANY. Of a
    row with more, resamples are drawn from all n places and their means are over what is there:
    then rows that lack different values share resamples too. Ends are NaN for fewer than two
    values. `ValueError` on infinite values.
    """
    values = np.asarray(values, np.float64)
    if np.isinf(values).any():
        raise ValueError("values are infinite")
    known = ~np.isnan(values)
    counts = known.sum(axis=1)
    alone = (counts < values.shape[1]) & (counts < _MANY)
    found = np.full((len(values), 2), np.nan)
    settings = level, resamples, seed
    for count in np.unique(counts[alone]):
        rows = np.flatnonzero(alone & (counts == count))
        found[rows] = _sharing(values[rows][known[rows]].reshape(len(rows), count), *settings)
    found[~alone] = _sharing(values[~alone], *settings)
    return found


def _sharing(values: np.ndarray, level: float, resamples: int, seed: int) -> np.ndarray:
    """Intervals of rows (k, n) that share resamples of their n places, (k, 2)."""
    count = values.shape[1]
    if count < 2 or not len(values):
        return np.full((len(values), 2), np.nan)
    if count < _FEW:
        return np.array([bootstrap_interval(row, level, resamples, seed) for row in values])
    low, high = np.nanmin(values, axis=1), np.nanmax(values, axis=1)
    found = np.stack([low, low], axis=1)  # the interval of equal values
    varied = np.flatnonzero(low < high)
    if not len(varied):
        return found
    known = ~np.isnan(values[varied])
    filled = np.where(known, values[varied], 0)
    gaps = ~known.all(axis=0)  # places that some row lacks
    missing = (~known[:, gaps]).astype(np.float64)
    parts = []
    for times in _times(count, resamples, seed):
        parts.append(times @ filled.T / (count - times[:, gaps] @ missing.T))
    for place, means in enumerate(np.concatenate(parts).T):
        row = filled[place][known[place]]
        found[varied[place]] = np.quantile(means, _tails(row, means, level))
    return found


def _times(count: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """How often each of `resamples` draws holds each of `count` places, float64 (chunk, count)."""
    held = _held(count, resamples, seed) if resamples * count <= _HELD else None
    for index in draws(count, resamples, seed, _PRODUCT) if held is None else held:
        yield (_counted(index) if held is None else index).astype(np.float64)


@functools.lru_cache(maxsize=1)
def _held(count: int, resamples: int, seed: int) -> list[np.ndarray]:
    """What `_times` gives, in few bytes: blocks of rows follow each other with the same count."""
    return [_counted(index).astype(np.uint16) for index in draws(count, resamples, seed, _PRODUCT)]


def _counted(index: np.ndarray) -> np.ndarray:
    """How often each row of indices (chunk, count) holds each place, of the same shape."""
    places = index + index.shape[1] * np.arange(len(index))[:, None]
    return np.bincount(places.reshape(-1), minlength=index.size).reshape(index.shape)


def add_intervals(rows: Iterable[Row], **settings) -> Iterator[dict]:
    """Rows of a table with the 95 % intervals of means, block by block, in their order.

    rows: each with the values of its means, (n,) and NaN where there is none, by the names of the
    two keys that the ends of the interval get. Ends are None for fewer than two values.
    settings: `resamples` and `seed` of the bootstrap.
    Rows of one n share their resamples, as in `bootstrap_intervals`. Memory does not grow with the
    number of rows.
    """
    block, size = [], 0
    for row in rows:
        block.append(row)
        size += sum(len(values) for values in row[1].values())
        if size >= _BLOCK:
            yield from _with_ends(block, **settings)
            block, size = [], 0
    yield from _with_ends(block, **settings)


def _with_ends(block: list[Row], **settings) -> Iterator[dict]:
    wanted = [(row, ends, values) for row, every in block for ends, values in every.items()]
    by_count: dict[int, list] = {}
    for one in wanted:
        by_count.setdefault(len(one[2]), []).append(one)
    for same in by_count.values():
        found = bootstrap_intervals(np.stack([values for *_, values in same]), **settings)
        for (row, ends, _), interval in zip(same, found.tolist(), strict=True):
            known = interval if not np.isnan(interval[0]) else (None, None)
            row.update(zip(ends, known, strict=True))
    yield from (row for row, _ in block)


def finite(values) -> np.ndarray:
    """Values as float64 (n,). `ValueError` on no values, NaN or infinity."""
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        raise ValueError(f"expected finite values (n,) with n > 0, got shape {values.shape}")
    return values
