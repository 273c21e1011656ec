"""Spearman correlation of heatmaps, image by image, with average ranks for ties.

The human maps of a batch are ranked once; every explainer, model and protocol then costs one sort
an image, however many ranked maps the heatmap meets. A float32 is sorted as two numbers of 16 bits,
the lower first: numpy sorts those by counting, in a third of a comparing sort's time.

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

_ALL_BUT_SIGN = np.int32(2**31 - 1)


@dataclass(frozen=True)
class Ranks:
    """Average ranks (1 to p) of n maps of p pixels, times two.

    A map with a NaN or an infinite pixel has `finite` False and zeros for ranks.
    """

    doubled: np.ndarray  # (n, p) int32
    norm: np.ndarray  # (n,) Euclidean norm of `doubled` minus its mean; 0 for a constant map
    finite: np.ndarray  # (n,) bool

    def of(self, places: np.ndarray) -> "Ranks":
        """The ranks of the maps at these places, (k,)."""
        return Ranks(self.doubled[places], self.norm[places], self.finite[places])


def _order(values: np.ndarray) -> np.ndarray:
    """Places of finite values (m,) in ascending order of the values."""
    if values.dtype != np.float32:
        return np.argsort(values)
    # As whole numbers the bits of positive floats rise with their value. Those of negative ones
    # are below them and fall, until all bits but the sign are inverted.
    bits = values.view(np.int32)
    if bits.min(initial=0) < 0:
        bits = bits ^ ((bits >> 31) & _ALL_BUT_SIGN)
    upper = bits >> 16
    upper -= upper.min(initial=_ALL_BUT_SIGN)  # numpy skips a byte that is the same in all
    return np.lexsort((bits.astype(np.uint16), upper.astype(np.uint16)))  # casts keep 16 bits


def _above_floor(values: np.ndarray) -> np.ndarray | None:
    """Which pixels of a finite map are above its lowest value, bool (p,).

    Many maps have such a floor: from a ReLU, a threshold, or a place where nobody looked. Its
    pixels tie, so that only the others are sorted. None stands for a floor of less than a quarter
    of the pixels, which is sorted like the rest.
    """
    above = values > values.min()
    return above if np.count_nonzero(above) * 4 < len(values) * 3 else None


def _centred(values: np.ndarray) -> np.ndarray:
    """Doubled average ranks of a finite map (p,) less their mean, p + 1; float64 (p,)."""
    pixels = len(values)
    above = _above_floor(values)
    if above is not None:
        values = values[above]
    floor = pixels - len(values)
    order = _order(values)
    ordered = values.take(order)
    begins = np.ones(len(ordered) + 1, bool)
    np.not_equal(ordered[1:], ordered[:-1], out=begins[1:-1])
    edges = np.flatnonzero(begins)  # where each group of equal values begins, and the end
    # A group from edge b up to edge e, above the floor, has the ranks floor + b + 1 to floor + e:
    # twice their mean is 2 floor + b + e + 1.
    of_group = (edges[1:] + edges[:-1]).astype(np.float64)
    of_group += 2 * floor - pixels
    ranks = np.empty(len(values))
    ranks[order] = np.repeat(of_group, edges[1:] - edges[:-1])
    if above is None:
        return ranks
    whole = np.full(pixels, float(floor - pixels))
    whole[above] = ranks
    return whole


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
    doubled, norm = np.zeros(rows.shape, np.int32), np.zeros(len(rows))
    for row in np.flatnonzero(finite):
        ranks = _centred(rows[row])
        norm[row] = np.sqrt(ranks @ ranks)
        ranks += len(ranks) + 1
        doubled[row] = ranks
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
    return correlate_several([human], heatmaps)[0]


def correlate_several(
    others: list[Ranks], heatmaps: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """What `correlate` gives of each of several ranked maps with the same heatmaps.

    A heatmap is sorted once, whatever the number of maps it meets.
    """
    rows, finite = _as_rows(heatmaps)
    for one in others:
        if rows.shape != one.doubled.shape:
            raise ValueError(f"human maps {one.doubled.shape} against heatmaps {rows.shape}")
    product, square = np.zeros((len(others), len(rows))), np.zeros(len(rows))
    for row in np.flatnonzero(finite):
        ranks = _centred(rows[row])
        square[row] = ranks @ ranks
        for place, one in enumerate(others):  # its mean adds nothing: `ranks` sum to zero
            product[place, row] = ranks @ one.doubled[row]
    found = []
    for one, own in zip(others, product, strict=True):
        status = causes(one.finite, one.norm == 0, finite, square == 0)
        rho = np.full(len(rows), np.nan)
        np.divide(own, one.norm * np.sqrt(square), out=rho, where=status == OK)
        found.append((np.clip(rho, -1, 1), status))
    return found


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
