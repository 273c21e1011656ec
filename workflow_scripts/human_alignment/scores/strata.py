"""Strata of images, and how scores differ between them: arrays in, numbers out.

A stratification puts every image into one stratum, by its class or by a property of its human map.
Arrays of images are (m,); a stratum is a number from 0 on, and UNPLACED is an image in none.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from .bootstrap import bootstrap_intervals
from .statistics import holm

UNPLACED = -1
_EXACT = 8  # images up to which scipy takes the exact distribution of U, if no two values are equal


@dataclass(frozen=True)
class Stratification:
    """Strata by name, and the stratum of each image, int (m,)."""

    name: str
    strata: tuple[str, ...]
    of_image: np.ndarray


@dataclass(frozen=True)
class StratumMeans:
    """Means of k rows of values in s strata, (k, s) each: of how many images, mean, 95 % interval.

    NaN: the mean of no image, and the interval of fewer than two.
    """

    n: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def map_shapes(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Area and distance from the middle of human maps (n, h, w), float64 (n,) each.

    Area: share of the pixels above half the map's maximum. Distance: of the centre of mass from the
    middle of the map, in half sides (0 in the middle, 1 at the middle of an edge); NaN for a map
    that is zero everywhere.
    """
    maps = np.asarray(maps, np.float64)
    area = (maps > maps.max(axis=(1, 2), keepdims=True) / 2).mean(axis=(1, 2))
    total = maps.sum(axis=(1, 2))
    centre = []
    for axis in (1, 2):
        size = maps.shape[axis]
        steps = (2 * np.arange(size) + 1) / size - 1  # pixel centres, from -1 to 1
        with np.errstate(invalid="ignore", divide="ignore"):
            centre.append(maps.sum(axis=3 - axis) @ steps / total)
    return area, np.hypot(*centre)


def majority(labels: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """The most frequent label of each image's records, the lowest of several; (m,).

    labels: whole numbers, 0 or more, (n,).  groups: which image each record shows, (n,).  Images
    are in the order of `groups`' values, as `image_means` has them.
    """
    labels, (_, place) = np.asarray(labels), np.unique(groups, return_inverse=True)
    kinds, counts = np.unique(np.stack([place.reshape(-1), labels], 1), axis=0, return_counts=True)
    order = np.lexsort([kinds[:, 1], -counts, kinds[:, 0]])
    first = np.unique(kinds[order, 0], return_index=True)[1]
    return kinds[order][first, 1]


def terciles(name: str, values: np.ndarray, words: tuple[str, str, str]) -> Stratification:
    """Three strata of as equal a number of images as the values allow.

    values: a property of each image, (m,), NaN where it has none.  words: names of the strata from
    low to high; the first two also say up to which value they go. A value on a boundary is in the
    lower stratum.
    """
    known = ~np.isnan(values)
    ends = np.quantile(values[known], [1 / 3, 2 / 3]) if known.any() else np.full(2, np.nan)
    strata = [f"{word} (up to {end:.2g})" for word, end in zip(words, ends, strict=False)]
    place = np.searchsorted(ends, values, side="left")
    return Stratification(name, (*strata, words[2]), np.where(known, place, UNPLACED))


def stratum_means(values: np.ndarray, of_image: np.ndarray, count: int, **settings) -> StratumMeans:
    """Means of rows of values (k, m) in each of `count` strata.

    A NaN is an image without a value; it enters no stratum of its row.  settings: `resamples` and
    `seed` of the bootstrap. Intervals are those of `bootstrap_interval`, to rounding.
    """
    shape = (len(values), count)
    n, (mean, low, high) = np.zeros(shape, np.int64), np.full((3, *shape), np.nan)
    for stratum, images in enumerate(_images_of(of_image, count)):
        own = values[:, images]
        known = ~np.isnan(own)
        n[:, stratum] = known.sum(axis=1)
        total = np.where(known, own, 0).sum(axis=1)
        np.divide(total, n[:, stratum], out=mean[:, stratum], where=n[:, stratum] > 0)
        low[:, stratum], high[:, stratum] = bootstrap_intervals(own, **settings).T
    return StratumMeans(n, mean, low, high)


def _images_of(of_image: np.ndarray, count: int) -> list[np.ndarray]:
    """The images of each stratum, in their order."""
    order = np.argsort(of_image, kind="stable")
    ends = np.searchsorted(of_image[order], np.arange(count + 1))
    return [order[a:b] for a, b in zip(ends[:-1], ends[1:], strict=True)]


@dataclass(frozen=True)
class Ranked:
    """Values of images, (m,), NaN where an image has none, and what all its strata share.

    ranks: of the values, ties share theirs, (m,).  ties: sum of t^3 - t over t equal values.
    """

    values: np.ndarray
    ranks: np.ndarray
    ties: float

    @classmethod
    def of(cls, values: np.ndarray) -> "Ranked":
        """Rank values, (m,); a NaN has no rank."""
        values = np.asarray(values, np.float64)
        known = ~np.isnan(values)
        ranks = np.full(len(values), np.nan)
        ranks[known] = stats.rankdata(values[known])
        _, repeats = np.unique(ranks[known], return_counts=True)
        return cls(values, ranks, float(np.sum(repeats**3.0 - repeats)))


def against_others(
    ranked: Ranked, of_image: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Each stratum against all other images: difference of the means, and p-value; (count,) each.

    An image without a value is in no stratum. The p-value is that of `scipy.stats.mannwhitneyu`,
    two-sided. Both are NaN for a stratum without images, and for one that has all images.
    """
    known = ~np.isnan(ranked.values)
    if (of_image[known] == UNPLACED).any():  # then images without a stratum are in no pool
        ranked = Ranked.of(np.where(of_image == UNPLACED, np.nan, ranked.values))
        known = ~np.isnan(ranked.values)
    values, ranks, of_image = ranked.values[known], ranked.ranks[known], of_image[known]
    n = np.bincount(of_image, minlength=count)
    others = len(values) - n
    total = np.bincount(of_image, values, minlength=count)
    # All strata are ranked in the same pool, once: a call of scipy's would rank it for each.
    above = np.bincount(of_image, ranks, minlength=count) - n * (n + 1) / 2
    u = np.maximum(above, n * others - above)
    size = max(len(values), 2)
    spread = size + 1 - ranked.ties / (size * (size - 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        difference = total / n - (values.sum() - total) / others
        z = (u - n * others / 2 - 0.5) / np.sqrt(n * others * spread / 12)
    p_value = np.minimum(2 * stats.norm.sf(z), 1)
    few = np.minimum(n, others) <= _EXACT
    for stratum in np.flatnonzero(few & (n > 0) & (others > 0)) if not ranked.ties else []:
        own = of_image == stratum
        p_value[stratum] = stats.mannwhitneyu(values[own], values[~own]).pvalue
    compared = (n > 0) & (others > 0)
    return np.where(compared, difference, np.nan), np.where(compared, p_value, np.nan)


def holm_of_known(p_values: np.ndarray) -> np.ndarray:
    """Holm's adjusted p-values, (s,); those that are NaN stay so and correct no others."""
    found = np.array(p_values, np.float64)
    known = ~np.isnan(found)
    found[known] = holm(found[known])
    return found


def signed_rank(differences: np.ndarray) -> float:
    """p-value of Wilcoxon's signed-rank test of finite differences (n,), as `compared_row`'s."""
    return float(stats.wilcoxon(differences).pvalue) if differences.any() else 1.0
