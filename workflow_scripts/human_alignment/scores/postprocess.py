"""Raw maps and correlations as a scoring protocol treats them: arrays in, arrays out."""

import numpy as np

from ..data.resize import resize_bilinear
from .image_means import image_means
from .protocol import THRESHOLDED, Protocol
from .score_file import Scores
from .spearman import CONSTANT_HEATMAP, OK


def postprocess(protocol: Protocol, explainer: str, maps: np.ndarray, size: int) -> np.ndarray:
    """Raw maps (n, h, w) of an explainer -> maps to be compared, (n, size, size) float32.

    A map with NaN or infinite values comes out as NaN throughout, a constant one constant.
    """
    maps = np.asarray(maps, np.float32)
    finite = np.isfinite(maps).all(axis=(1, 2), keepdims=True)
    maps = np.where(finite, maps, np.float32(np.nan))
    if explainer not in THRESHOLDED:
        return resize_bilinear(maps, size, size)
    if protocol.resize == "first":
        return cut(protocol, normalised(protocol, resize_bilinear(maps, size, size)))
    return resize_bilinear(cut(protocol, normalised(protocol, maps)), size, size)


def normalised(protocol: Protocol, maps: np.ndarray) -> np.ndarray:
    """Maps (n, h, w), each with a maximum of one; a map with nothing to divide by becomes zero."""
    top = maps.max(axis=(1, 2), keepdims=True)
    low = maps.min(axis=(1, 2), keepdims=True) if protocol.normalisation == "minmax" else 0
    span = top - low
    empty = span <= 0
    return np.where(empty, np.float32(0), (maps - low) / np.where(empty, 1, span))


def cut(protocol: Protocol, maps: np.ndarray) -> np.ndarray:
    """Maps with values below the threshold replaced. Written so that NaN stays NaN."""
    below = protocol.threshold if protocol.below_threshold == "floor" else 0
    return np.where(maps < protocol.threshold, np.float32(below), maps)


def entering(protocol: Protocol, rho: np.ndarray, status: np.ndarray) -> np.ndarray:
    """Each record's rho as it enters the mean, NaN where it does not; all (n,)."""
    found = np.where(status == OK, rho, np.nan)
    if protocol.constant_maps == "zero":
        found[status == CONSTANT_HEATMAP] = 0
    return found


def image_rho(protocol: Protocol, scores: Scores) -> np.ndarray:
    """Each image's rho as it enters the mean, NaN where it does not, (m,) for m images.

    It is the mean over the image's records that enter.
    """
    return image_means(entering(protocol, scores.rho, scores.status), scores.groups)
