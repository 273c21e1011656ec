"""Spearman correlation of heatmaps, image by image, with average ranks for ties.

The human maps of a batch are ranked once; every explainer, model and protocol then costs one sort
an image. The human ranks travel through that sort beside the heatmap's values, so that no second
pass has to look them up in a new order.

Twice an average rank is a whole number, and all sums of products here stay below 2**53 for maps
of up to 200,000 pixels: exact in float64, in whatever order they are added.

An undefined correlation has a cause, see `causes`. The published code skips maps whose float32
standard deviation is exactly zero; for a constant map of 0.3 that is 3e-8 in float32, so it
slips through there and gives NaN or rounding noise. Here every map with one value is constant.
"""

import math
from dataclasses import dataclass

import numpy as np

OK = "ok"
CONSTANT_HUMAN_MAP = "constant_human_map"
CONSTANT_HEATMAP = "constant_heatmap"
NONFINITE_HEATMAP = "nonfinite_heatmap"
CAUSES = (CONSTANT_HUMAN_MAP, CONSTANT_HEATMAP, NONFINITE_HEATMAP)

_CARRIED = (1 << 28) - 1
_TINY = 2.0**-1000


@dataclass(frozen=True)
class Ranks:
    """Average ranks (1 to p) of n maps of p pixels, times two.

    A map with a NaN or an infinite pixel has `finite` False and zeros for ranks.
    """

    doubled: np.ndarray  # (n, p) int32
    norm: np.ndarray  # (n,) Euclidean norm of `doubled` minus its mean; 0 for a constant map
    finite: np.ndarray  # (n,) bool


class _Ranking:
    """Ranks maps of up to p pixels one after the other, in buffers that stay in the cache."""

    def __init__(self, pixels: int):
        self._packed = np.empty(pixels)
        self._values = np.empty(pixels, np.float32)
        self._carried = np.empty(pixels)
        self._begins = np.ones(pixels + 1, bool)

    def ranked(self, values: np.ndarray, carried: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Doubled average ranks of finite values (m,), ascending, and `carried` in that order.

        The mean rank, m + 1, is subtracted from the ranks. Both are float64; the next call
        overwrites the second.
        """
        values, carried = self._sorted(values, carried)
        begins = self._begins[: len(values) + 1]
        np.not_equal(values[1:], values[:-1], out=begins[1:-1])
        begins[-1] = True
        edges = np.flatnonzero(begins)  # where each group of equal values begins, and the end
        # A group from edge b up to edge e has the ranks b + 1 to e: twice their mean is b + e + 1.
        of_group = (edges[1:] + edges[:-1]).astype(np.float64)
        of_group -= len(values)
        return np.repeat(of_group, edges[1:] - edges[:-1]), carried

    def _sorted(self, values: np.ndarray, carried: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values in ascending order, and `carried`, whole numbers from 0 to 2**28 - 1, with them.

        These fit in the 29 bits that a float64 has below a float32, where rounding to float32
        removes them again, and numpy sorts float64 with SIMD: in a third of an argsort's time.
        """
        if values.dtype != np.float32:
            order = np.argsort(values)
            return values[order], carried[order].astype(np.float64)
        count = len(values)
        packed = self._packed[:count]
        # _TINY changes no float32 but zero, whose lower bits alone would be a subnormal number:
        # numpy's sort can lose such numbers in a thread that is set to flush them to zero.
        np.add(values, _TINY, out=packed, dtype=np.float64)
        bits = packed.view(np.int64)
        bits |= carried
        packed.sort()
        self._values[:count] = packed
        bits &= _CARRIED
        self._carried[:count] = bits
        return self._values[:count], self._carried[:count]

    def above_floor(
        self, values: np.ndarray, carried: np.ndarray
    ) -> tuple[int, np.ndarray, np.ndarray]:
        """How many pixels tie at the lowest value, and `ranked` of the others.

        Many maps have such a floor: from a ReLU, a threshold, or a place where nobody looked. A
        floor of less than a quarter of the pixels is sorted like the rest; the count is then 0.
        """
        above = values > values.min()
        floor = len(values) - np.count_nonzero(above)
        if floor * 4 <= len(values):
            return 0, *self.ranked(values, carried)
        return floor, *self.ranked(values[above], carried[above])

    def compared(self, values: np.ndarray, human: np.ndarray) -> tuple[float, float]:
        """Sums of a finite map's ranks times the doubled human ones, and times themselves.

        The map's ranks are doubled, and their mean is subtracted.
        """
        pixels = len(values)
        floor, ranks, human = self.above_floor(values, human)
        # `ranks` have mean 0 over the pixels above the floor. Over all pixels each of them is
        # higher by `floor`, and the floor's own rank is floor - pixels.
        sum_above = human.sum()
        sum_floor = pixels * (pixels + 1) - sum_above
        product = ranks @ human + floor * sum_above - (pixels - floor) * sum_floor
        return product, _squares(ranks, floor, pixels)


def _squares(ranks: np.ndarray, floor: int, pixels: int) -> float:
    """Sum of squares of a map's doubled ranks less their mean, from what `above_floor` gives."""
    return ranks @ ranks + (pixels - floor) * floor * pixels


def _as_rows(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Maps as (n, p), float32 or float64, and which of them are finite."""
    maps = np.asarray(maps)
    if maps.dtype != np.float32:
        maps = maps.astype(np.float64, copy=False)
    rows = maps.reshape(len(maps), math.prod(maps.shape[1:]))
    return rows, np.isfinite(rows.min(axis=1)) & np.isfinite(rows.max(axis=1))


def rank(maps: np.ndarray) -> Ranks:
    """Rank every map of a batch, (n, p) or (n, h, w).

    float32 is fastest, anything else is ranked as float64. The result takes 4 bytes a pixel: rank
    a data set in batches, not at once.
    """
    rows, finite = _as_rows(maps)
    pixels = np.arange(rows.shape[1])
    ranking = _Ranking(len(pixels))
    doubled, norm = np.zeros(rows.shape, np.int32), np.zeros(len(rows))
    for row in np.flatnonzero(finite):
        floor, ranks, order = ranking.above_floor(rows[row], pixels)
        doubled[row] = floor + 1
        doubled[row, order.astype(np.int64)] = ranks + (len(pixels) + floor + 1)
        norm[row] = np.sqrt(_squares(ranks, floor, len(pixels)))
    return Ranks(doubled, norm, finite)


def causes(
    human_finite: np.ndarray,
    human_constant: np.ndarray,
    heatmap_finite: np.ndarray,
    heatmap_constant: np.ndarray,
) -> np.ndarray:
    """`ok`, or why a pair has no defined correlation; all arrays (n,).

    The human map comes first: an image that it excludes is excluded for every model. `ValueError`
    when a human map is not finite; a data file holds no such map.
    """
    if not human_finite.all():
        row = int(np.argmin(human_finite))
        raise ValueError(f"human map {row} holds NaN or infinite values")
    return np.select(
        [human_constant, ~heatmap_finite, heatmap_constant],
        [CONSTANT_HUMAN_MAP, NONFINITE_HEATMAP, CONSTANT_HEATMAP],
        default=OK,
    )


def correlate(human: Ranks, heatmaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Spearman correlation of each pair and its status, both (n,); rho is NaN unless `ok`.

    `heatmaps` is (n, p) or (n, h, w). Equal to `scipy.stats.spearmanr` within 1e-12. `ValueError`
    if a human map is not finite.
    """
    rows, finite = _as_rows(heatmaps)
    if rows.shape != human.doubled.shape:
        raise ValueError(f"human maps {human.doubled.shape} against heatmaps {rows.shape}")
    ranking = _Ranking(rows.shape[1])
    product, square = np.zeros((2, len(rows)))
    for row in np.flatnonzero(finite):
        product[row], square[row] = ranking.compared(rows[row], human.doubled[row])
    status = causes(human.finite, human.norm == 0, finite, square == 0)
    rho = np.full(len(rows), np.nan)
    np.divide(product, human.norm * np.sqrt(square), out=rho, where=status == OK)
    return np.clip(rho, -1, 1), status


def correlate_ranks(human: Ranks, other: Ranks) -> np.ndarray:
    """Spearman correlation of each of n human maps with each of k other maps, (n, k).

    For maps that are compared many times: nothing is sorted. NaN where either is constant or not
    finite. `ValueError` if the maps are not of one size.
    """
    if human.doubled.shape[1] != other.doubled.shape[1]:
        raise ValueError(f"human maps {human.doubled.shape} against {other.doubled.shape}")
    mean = human.doubled.shape[1] + 1
    product = np.float64(human.doubled - mean) @ np.float64(other.doubled - mean).T
    norm = human.norm[:, None] * other.norm
    rho = np.full(norm.shape, np.nan)
    np.divide(product, norm, out=rho, where=norm > 0)
    return np.clip(rho, -1, 1)
