"""The bootstrap interval of a mean: arrays in, numbers out.

A module of its own, because `statistics` imports `scipy.stats`: that takes longer than scoring a
small study.
"""

import functools
from collections.abc import Iterable, Iterator

import numpy as np
from pydantic import Field

from ..common.arguments import json_object
from ..common.records import Record, checked

_DRAWS = 2**17  # indices drawn at once: 2 MB with what they select, whatever the number of values
_ROUNDING = 1e-13  # share of the largest value within which two means are equal
_MANY = 1000  # values from which on a resample surely holds some of those that are there
_PRODUCT = 2**20  # numbers of a factor of a product of matrices: 8 MB
_HELD = 2**28  # counts that are kept between products: 256 MB
_SMALL = 2**20  # counts of which many are kept: 1 MB
_BLOCK = 2**21  # values whose intervals are computed at once: 16 MB

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


def _ends(
    deviation: np.ndarray,
    count: np.ndarray,
    means: np.ndarray,
    rounding: np.ndarray,
    level: float,
) -> np.ndarray:
    """The ends of the intervals of k means, (k, 2), as deviations from these means.

    deviation: of the values from their mean, (k, n), 0 where a row lacks a value.  count: how many
    values rows have, two or more which differ, (k, 1).  means: of the resamples, as deviations too,
    (k, r).  rounding: below which a mean's deviation is none, (k, 1). All are in units of the
    largest deviation of their row.

    Plain percentiles miss skewed means too often: the bias and acceleration of Efron (1987,
    "Better bootstrap confidence intervals") mend that. And they are too narrow for few values, by
    sqrt(n / (n - 1)) and by t over z, which Hesterberg (2015, "What teachers should know about
    the bootstrap") puts right by moving the quantiles outwards.
    """
    from scipy import special  # slow to import, and a scoring job needs no interval

    # A resample may be a permutation of the values: its mean does not deviate, to rounding.
    tied = np.abs(means) <= rounding
    below = ((means < 0) & ~tied).mean(axis=1, keepdims=True)
    bias = special.ndtri(below + tied.mean(axis=1, keepdims=True) / 2)
    squares = deviation * deviation
    spread = squares.sum(axis=1, keepdims=True, dtype=np.float64) / count
    squares *= deviation
    skew = squares.sum(axis=1, keepdims=True, dtype=np.float64) / count / spread**1.5
    acceleration = skew / (6 * np.sqrt(count))
    width = special.stdtrit(count - 1, (1 + level) / 2) * np.sqrt(count / (count - 1))
    ends = bias + width * np.array([-1, 1])
    place = special.ndtr(bias + ends / (1 - acceleration * ends)) * (means.shape[1] - 1)
    first = place.astype(int)
    ordered = np.sort(means, axis=1)
    left, right = (
        np.take_along_axis(ordered, np.minimum(one, means.shape[1] - 1), axis=1)
        for one in (first, first + 1)
    )
    return left + (right - left) * (place - first)


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
    centre = values.mean()
    top = np.abs(values - centre).max()
    deviation = (values - centre) / top
    drawn = draws(len(values), resamples, seed)
    means = np.concatenate([deviation.take(index).mean(axis=1) for index in drawn])
    about = np.full((1, 1), len(values)), means[None], _ROUNDING * np.abs(values[None]).max() / top
    low, high = (centre + top * _ends(deviation[None], *about, level)[0]).tolist()
    return low, high


def bootstrap_intervals(
    values: np.ndarray, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> np.ndarray:
    """Intervals of the means of rows of values (k, n), NaN where a row lacks a value; (k, 2).

    Rows share their resamples, which are counted once: how often each holds each value. One product
    of matrices then gives the means of all rows. The interval of a complete row is that of
    `bootstrap_interval`: to rounding, and from _MANY values on to a millionth of its width. So is
    that of the values of a row with fewer than _MANY. Of a row with more, resamples are drawn from
    all n places, and their means are over what is there: then rows that lack different values share
    resamples too. Ends are NaN for fewer than two values. `ValueError` on infinite values.
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
    low, high = np.nanmin(values, axis=1), np.nanmax(values, axis=1)
    found = np.stack([low, low], axis=1)  # the interval of equal values
    varied = np.flatnonzero(low < high)
    if not len(varied):
        return found
    values = values[varied]  # a copy, in which all that follows is done
    known = ~np.isnan(values)
    sizes = known.sum(axis=1, keepdims=True)
    values[~known] = 0
    centre = values.sum(axis=1, keepdims=True) / sizes
    values -= centre
    values[~known] = 0
    top = np.maximum(values.max(axis=1, keepdims=True), -values.min(axis=1, keepdims=True))
    values /= top
    # Of many values float32 will do: its error is a millionth of the standard error of the mean.
    kind = np.float32 if count >= _MANY else np.float64
    deviation = values.astype(kind, copy=False)
    gaps = ~known.all(axis=0)  # places that some row lacks
    missing = (~known[:, gaps]).astype(kind)
    parts = []
    for times in _times(count, resamples, seed):
        times = times.astype(kind)
        parts.append(times @ deviation.T / (count - times[:, gaps] @ missing.T))
    means = np.concatenate(parts).T.astype(np.float64)
    rounding = _ROUNDING * np.maximum(-low, high)[varied, None] / top
    found[varied] = centre + top * _ends(deviation, sizes, means, rounding, level)
    return found


def _times(count: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """How often each of `resamples` draws holds each of `count` places, int (chunk, count)."""
    numbers = count, resamples, seed
    if resamples * count <= _SMALL:
        yield from _small(*numbers)
    elif resamples * count <= _HELD:
        yield from _large(*numbers)
    else:
        yield from map(_counted, draws(*numbers, _PRODUCT))


def _held(count: int, resamples: int, seed: int) -> list[np.ndarray]:
    """What `_times` gives, in a byte each: no resample holds one of many places 256 times."""
    return [_counted(index).astype(np.uint8) for index in draws(count, resamples, seed, _PRODUCT)]


_small = functools.lru_cache(maxsize=64)(_held)  # strata have many sizes
_large = functools.lru_cache(maxsize=1)(_held)  # blocks of rows follow each other with one size


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
