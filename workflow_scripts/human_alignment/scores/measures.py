"""Measures of agreement beside Spearman's, each one function of human maps and heatmaps.

Every measure takes two arrays of one shape, (p,) or (n, p), and gives a number or (n,); a pair
with a NaN or infinite pixel gives NaN. Definitions follow Bylinskii et al. (2019), "What do
different evaluation metrics tell us about saliency models?", where they are in it. Each
docstring says what a constant map gives; `evaluate` leaves constant maps out, as the rank
correlation does, so that all measures of a study are means over the same images.

A new measure is one function with `@_measure`: its name becomes a word for the config.
"""

import functools
from collections.abc import Callable

import numpy as np

from ..common.cli import UserError
from .spearman import OK, causes, rank

_EPSILON = 2.2204e-16  # of the MIT saliency benchmark, in both places where KL needs one
TOP = 0.1  # share of pixels that count as marked by people

MEASURES: dict[str, Callable] = {}


def _measure(function: Callable) -> Callable:
    """Add to a measure of rows (n, p) what all measures share, and enter it in MEASURES."""

    @functools.wraps(function)
    def measure(human: np.ndarray, heatmap: np.ndarray) -> np.ndarray:
        human, heatmap = np.asarray(human), np.asarray(heatmap)
        if human.shape != heatmap.shape or human.ndim not in (1, 2):
            raise ValueError(f"expected two (p,) or (n, p), got {human.shape}, {heatmap.shape}")
        rows = human.reshape(-1, human.shape[-1]), heatmap.reshape(-1, heatmap.shape[-1])
        finite = _finite(rows[0]) & _finite(rows[1])
        values = np.full(len(finite), np.nan)
        values[finite] = function(rows[0][finite], rows[1][finite])
        return values.reshape(human.shape[:-1])

    MEASURES[function.__name__] = measure
    return measure


def evaluate(name: str, human: np.ndarray, heatmap: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A measure by name on (n, p): its values, NaN unless `ok`, and each pair's status, (n,).

    The status is that of `spearman.correlate`. `UserError` on an unknown name, `ValueError`
    on a human map that is not finite.
    """
    if name not in MEASURES:
        raise UserError(f"unknown measure {name!r}; allowed: {', '.join(MEASURES)}")
    status = causes(_finite(human), _constant(human), _finite(heatmap), _constant(heatmap))
    return np.where(status == OK, MEASURES[name](human, heatmap), np.nan), status


@_measure
def pearson(human: np.ndarray, heatmap: np.ndarray) -> np.ndarray:
    """Linear correlation coefficient (CC), -1 to 1. NaN if either map is constant."""
    varies = ~(_constant(human) | _constant(heatmap))
    centred = (
        rows - rows.mean(axis=1, keepdims=True) for rows in map(np.float64, (human, heatmap))
    )
    return np.where(varies, cosine(*centred), np.nan)


@_measure
def cosine(human: np.ndarray, heatmap: np.ndarray) -> np.ndarray:
    """Cosine of the angle between the maps as vectors, -1 to 1. NaN if either map is zero."""
    human, heatmap = np.float64(human), np.float64(heatmap)
    product = np.einsum("np,np->n", human, heatmap)
    norms = np.linalg.norm(human, axis=1) * np.linalg.norm(heatmap, axis=1)
    return np.clip(_divide(product, norms), -1, 1)


@_measure
def kl(human: np.ndarray, heatmap: np.ndarray) -> np.ndarray:
    """Kullback-Leibler divergence of the heatmap's density from the human one; 0 is best.

    Regularised as in the MIT benchmark: sum h log(eps + h / (m + eps)), so that a heatmap of
    zero where people looked costs much, but is not infinite. A constant map is the uniform
    density; NaN if either map is zero.
    """
    human, heatmap = _density(human), _density(heatmap)
    return np.sum(human * np.log(_EPSILON + human / (heatmap + _EPSILON)), axis=1)


@_measure
def sim(human: np.ndarray, heatmap: np.ndarray) -> np.ndarray:
    """Similarity, or histogram intersection, of the two densities: sum min(h, m), 0 to 1.

    A constant map is the uniform density; NaN if either map is zero.
    """
    return np.sum(np.minimum(_density(human), _density(heatmap)), axis=1)


@_measure
def auc_judd(human: np.ndarray, heatmap: np.ndarray) -> np.ndarray:
    """Area under the ROC curve of the heatmap as detector of the marked pixels, 0 to 1.

    Judd et al. (2009) detect fixations; ClickMe maps have none, so the highest tenth of the
    human map's pixels takes their place (see `_marked`). Ties count half instead of the random
    jitter of Judd's code. A constant heatmap gives 0.5, a constant human map NaN.
    """
    marked = _marked(human)
    ones = marked.sum(axis=1)
    zeros = human.shape[1] - ones
    rank_sum = np.sum(rank(heatmap).doubled, axis=1, where=marked) / 2
    wins = rank_sum - ones * (ones + 1) / 2  # Mann and Whitney's U
    return _divide(wins, ones * zeros)


@_measure
def nss(human: np.ndarray, heatmap: np.ndarray) -> np.ndarray:
    """Normalised scanpath saliency: mean over the marked pixels of (m - mean) / deviation.

    Peters et al. (2005), at fixations; here at the highest tenth of the human map (see `_marked`).
    0 is chance. NaN if either map is constant.
    """
    heatmap = np.float64(heatmap)
    deviation = np.where(_constant(heatmap), 0, heatmap.std(axis=1))
    marked = _marked(human)
    at_marks = _divide(np.sum(heatmap, axis=1, where=marked), marked.sum(axis=1))
    return _divide(at_marks - heatmap.mean(axis=1), deviation)


@_measure
def dice(human: np.ndarray, heatmap: np.ndarray) -> np.ndarray:
    """Dice's (1945) coefficient 2 |H & M| / (|H| + |M|) of the two maps' highest tenths, 0 to 1.

    The two sets are of one size, so it is `topk_overlap` by another name.
    """
    return topk_overlap(human, heatmap)


@_measure
def iou(human: np.ndarray, heatmap: np.ndarray) -> np.ndarray:
    """Intersection over union |H & M| / |H | M| of the two maps' highest tenths, 0 to 1.

    Jaccard's (1901) index; with Dice's coefficient d it is d / (2 - d).
    """
    overlap = topk_overlap(human, heatmap)
    return overlap / (2 - overlap)


@_measure
def topk_overlap(human: np.ndarray, heatmap: np.ndarray) -> np.ndarray:
    """Share of the k highest pixels that both maps have in common, k a tenth of all; 0 to 1.

    The top-k intersection of Ghorbani et al. (2019). Pixels that tie for the last places share
    them evenly: the overlap to expect if each map broke its ties at random. A constant map
    therefore gives k / p, chance.
    """
    return np.sum(_top_share(human) * _top_share(heatmap), axis=1) / _top_count(human)


def _finite(rows: np.ndarray) -> np.ndarray:
    return np.isfinite(rows).all(axis=1)


def _constant(rows: np.ndarray) -> np.ndarray:
    return rows.min(axis=1) == rows.max(axis=1)


def _divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Quotients, NaN where the denominator is zero."""
    undefined = np.full(len(denominator), np.nan)
    return np.divide(numerator, denominator, out=undefined, where=denominator != 0)


def _density(rows: np.ndarray) -> np.ndarray:
    """Rows that sum to one; with negative pixels, counted from the row's minimum."""
    rows = np.float64(rows)
    rows = rows - np.minimum(rows.min(axis=1, keepdims=True), 0)
    return rows * _divide(np.ones(len(rows)), rows.sum(axis=1))[:, None]


def _top_count(rows: np.ndarray) -> int:
    return max(1, round(TOP * rows.shape[1]))


def _marked(human: np.ndarray) -> np.ndarray:
    """Which pixels count as marked by people: those of the highest tenth, bool (n, p).

    Pixels that equal the lowest of these are marked too, unless that value is the map's minimum.
    """
    cut = _top_value(human)
    return np.where(cut > human.min(axis=1, keepdims=True), human >= cut, human > cut)


def _top_value(rows: np.ndarray) -> np.ndarray:
    """The k-th highest value of each row, (n, 1)."""
    last = rows.shape[1] - _top_count(rows)
    return np.partition(rows, last, axis=1)[:, last : last + 1]


def _top_share(rows: np.ndarray) -> np.ndarray:
    """How much of each pixel is among the k highest: 1, 0, or a share of the last places."""
    cut = _top_value(rows)
    above, tied = rows > cut, rows == cut
    places = _top_count(rows) - above.sum(axis=1, keepdims=True)
    return above + tied * (places / tied.sum(axis=1, keepdims=True))
