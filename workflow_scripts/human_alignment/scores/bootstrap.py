"""The bootstrap interval of a mean: arrays in, numbers out.

A module of its own, because `statistics` imports `scipy.stats`: that takes longer than scoring a
small study.
"""

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from ..common.arguments import json_object
from ..common.records import Record, checked

_DRAWS = 2**17  # indices drawn at once: 2 MB with what they select, whatever the number of values
_ROUNDING = 1e-13  # share of the largest value within which two means are equal
_MANY = 1000  # values from which on a resample surely holds some of those that are there
_PRODUCT = 2**19  # numbers of a factor of a product of matrices: 2 MB
_KEPT = 2**20  # counts that are kept for the next rows: 1 MB
_BLOCK = 2**23  # values whose intervals are computed at once: 32 MB
_SHEET = 32  # rows of a matrix: it grows by so many

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


@dataclass(frozen=True)
class _Moments:
    """What is known of k means beside their resamples, (k, 1) each. Deviations are from the mean,
    in units of the largest one of their row.

    centre: the means.  top: the largest deviations.  count: how many values rows have, two or more
    which differ.  square, cube: means of squares and cubes of the deviations.  rounding: the size
    below which a deviation is none.
    """

    centre: np.ndarray
    top: np.ndarray
    count: np.ndarray
    square: np.ndarray
    cube: np.ndarray
    rounding: np.ndarray


def _ends(moments: _Moments, means: np.ndarray, level: float) -> np.ndarray:
    """The ends of the intervals of k means, (k, 2). means: of the resamples, as deviations, (k, r).

    Plain percentiles miss skewed means too often: the bias and acceleration of Efron (1987,
    "Better bootstrap confidence intervals") mend that. And they are too narrow for few values, by
    sqrt(n / (n - 1)) and by t over z, which Hesterberg (2015, "What teachers should know about
    the bootstrap") puts right by moving the quantiles outwards.
    """
    from scipy import special  # slow to import, and a scoring job needs no interval

    count = moments.count
    # A resample may be a permutation of the values: its mean does not deviate, to rounding.
    tied = np.abs(means) <= moments.rounding
    below = ((means < 0) & ~tied).mean(axis=1, keepdims=True)
    bias = special.ndtri(below + tied.mean(axis=1, keepdims=True) / 2)
    acceleration = moments.cube / moments.square**1.5 / (6 * np.sqrt(count))
    width = special.stdtrit(count - 1, (1 + level) / 2) * np.sqrt(count / (count - 1))
    ends = bias + width * np.array([-1, 1])
    place = special.ndtr(bias + ends / (1 - acceleration * ends)) * (means.shape[1] - 1)
    first = place.astype(int)
    ordered = np.sort(means, axis=1)
    left, right = (
        np.take_along_axis(ordered, np.minimum(one, means.shape[1] - 1), axis=1)
        for one in (first, first + 1)
    )
    return moments.centre + moments.top * (left + (right - left) * (place - first))


def _deviations(values: np.ndarray) -> tuple[np.ndarray, tuple[float, ...]]:
    """Deviations of a row's values (n,) from their mean, in units of the largest, and the numbers
    of its _Moments. Deviations are 0 where the row lacks a value.

    Of many values they are float32: its error is a millionth of the standard error of the mean.
    """
    known = ~np.isnan(values)
    count = np.count_nonzero(known)
    values = np.where(known, values, 0)
    centre = values.sum() / count
    largest = np.abs(values).max()
    values -= centre
    values[~known] = 0
    top = np.abs(values).max()
    values /= top
    values = values.astype(np.float32 if len(values) >= _MANY else np.float64, copy=False)
    power = values * values
    square = power.sum(dtype=np.float64) / count
    power *= values
    cube = power.sum(dtype=np.float64) / count
    return values, (centre, top, count, square, cube, _ROUNDING * largest / top)


def _stacked(moments: list[tuple[float, ...]]) -> _Moments:
    return _Moments(*np.array(moments, np.float64).T[..., None])


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
    _, moments = _deviations(values)
    centre, top = moments[:2]
    deviation = (values - centre) / top
    drawn = draws(len(values), resamples, seed)
    means = np.concatenate([deviation.take(index).mean(axis=1) for index in drawn])
    low, high = _ends(_stacked([moments]), means[None], level)[0].tolist()
    return low, high


class _Rows:
    """Rows of n values that share their resamples: how often each resample holds each value is
    counted once, and one product of matrices then gives the means of all rows.

    A row is held as its deviations from its mean, of many values in 4 bytes each.
    """

    def __init__(self):
        self._sheets: list[np.ndarray] = []  # deviations, (_SHEET, n) each
        self._moments: list[tuple[float, ...]] = []
        self._missing: list[np.ndarray] = []  # by row, the places where it lacks a value

    def add(self, values: np.ndarray) -> int:
        """Add a row (n,), NaN where it lacks a value; its place among the rows.

        It must have two values that differ.
        """
        deviations, moments = _deviations(values)
        place = len(self._moments)
        if place % _SHEET == 0:
            self._sheets.append(np.empty((_SHEET, len(values)), deviations.dtype))
        self._sheets[-1][place % _SHEET] = deviations
        self._moments.append(moments)
        self._missing.append(np.flatnonzero(np.isnan(values)))
        return place

    def intervals(self, level: float, resamples: int, seed: int) -> np.ndarray:
        """The intervals of the means of all rows, (k, 2)."""
        rows, count = len(self._moments), self._sheets[0].shape[1]
        kind = self._sheets[0].dtype
        gaps = np.unique(np.concatenate(self._missing))  # places that some row lacks
        missing = np.zeros((rows, len(gaps)), kind)
        for row, places in zip(missing, self._missing, strict=True):
            row[np.searchsorted(gaps, places)] = 1
        sheets = [*self._sheets[:-1], self._sheets[-1][: (rows - 1) % _SHEET + 1]]
        parts = []
        for times in _times(count, resamples, seed):
            times = times.astype(kind)
            sums = np.concatenate([times @ sheet.T for sheet in sheets], axis=1)
            parts.append(sums / (count - times[:, gaps] @ missing.T))
        means = np.concatenate(parts).T.astype(np.float64)
        return _ends(_stacked(self._moments), means, level)


class _Block:
    """Rows of any lengths, whose intervals are computed together; see `bootstrap_intervals`."""

    def __init__(self):
        self._known: list[tuple[float, float] | None] = []  # by row, an interval without resamples
        self._shared: dict[int, _Rows] = {}  # by the number of places
        self._places: dict[int, tuple[int, int]] = {}  # by row, where it stands in `_shared`

    def add(self, values: np.ndarray) -> None:
        """Add a row of values (n,), NaN where it lacks one. `ValueError` on infinite values."""
        values = np.asarray(values, np.float64)
        if np.isinf(values).any():
            raise ValueError("values are infinite")
        there = values[~np.isnan(values)]
        if len(there) < _MANY:
            values = there
        if len(there) < 2:
            self._known.append((np.nan, np.nan))
        elif there.min() == there.max():
            self._known.append((there[0], there[0]))
        else:
            rows = self._shared.setdefault(len(values), _Rows())
            self._places[len(self._known)] = len(values), rows.add(values)
            self._known.append(None)

    def intervals(self, level: float = 0.95, resamples: int = 2000, seed: int = 0) -> np.ndarray:
        """The intervals of the means of all rows, (k, 2)."""
        by_count = {
            count: rows.intervals(level, resamples, seed) for count, rows in self._shared.items()
        }
        found = np.empty((len(self._known), 2))
        for row, known in enumerate(self._known):
            if known is None:
                count, place = self._places[row]
                known = by_count[count][place]
            found[row] = known
        return found


def bootstrap_intervals(values: Iterable[np.ndarray], **settings) -> np.ndarray:
    """Intervals of the means of k rows of values (n,), NaN where a row lacks a value; (k, 2).

    settings: `level`, `resamples` and `seed`, as of `bootstrap_interval`.

    Rows of one n share their resamples. The interval of a complete row is that of
    `bootstrap_interval`: to rounding, and from _MANY values on to a millionth of its width. So is
    that of the values of a row with fewer than _MANY. Of a row with more, resamples are drawn from
    all n places, and their means are over what is there: then rows that lack different values share
    resamples too. Ends are NaN for fewer than two values. `ValueError` on infinite values.
    """
    block = _Block()
    for row in values:
        block.add(row)
    return block.intervals(**settings)


def _times(count: int, resamples: int, seed: int) -> Iterable[np.ndarray]:
    """How often each of `resamples` draws holds each of `count` places, int (chunk, count)."""
    if resamples * count <= _KEPT:
        return _kept(count, resamples, seed)
    return map(_counted, draws(count, resamples, seed, _PRODUCT))


@functools.lru_cache(maxsize=64)  # strata have many sizes
def _kept(count: int, resamples: int, seed: int) -> list[np.ndarray]:
    """What `_times` gives, in a byte each: no resample holds one of many places 256 times."""
    drawn = draws(count, resamples, seed, _PRODUCT)
    return [_counted(index).astype(np.uint8) for index in drawn]


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
    waiting, block, size = [], _Block(), 0
    for row, every in rows:
        waiting.append((row, list(every)))
        for values in every.values():
            block.add(values)
            size += len(values)
        if size >= _BLOCK:
            yield from _with_ends(waiting, block.intervals(**settings))
            waiting, block, size = [], _Block(), 0
    yield from _with_ends(waiting, block.intervals(**settings))


def _with_ends(rows: list[tuple[dict, list]], intervals: np.ndarray) -> Iterator[dict]:
    """Rows with the ends of their intervals. rows: each with the names of the ends."""
    found = iter(intervals.tolist())
    for row, names in rows:
        for ends in names:
            interval = next(found)
            known = interval if not np.isnan(interval[0]) else (None, None)
            row.update(zip(ends, known, strict=True))
        yield row


def finite(values) -> np.ndarray:
    """Values as float64 (n,). `ValueError` on no values, NaN or infinity."""
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        raise ValueError(f"expected finite values (n,) with n > 0, got shape {values.shape}")
    return values
