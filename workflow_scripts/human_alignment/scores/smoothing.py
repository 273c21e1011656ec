"""Spatial frequencies of maps: their spectrum, and maps without their high frequencies.

Frequencies are those of the type II discrete cosine transform, which continues a map at its edges
by reflection: coefficient k along an axis is a wave of k / 2 cycles per image. A frequency of the
plane is the length of the vector of both. Arrays in, arrays out.
"""

import numpy as np
from scipy import fft

BAND = 0.5  # cycles per image, width of a band of the spectrum
_ROUNDING = 1e-6  # of the largest coefficient; smaller ones are rounding errors of float32 maps


def frequencies(height: int, width: int) -> np.ndarray:
    """Cycles per image of each coefficient of the transform of a map, (height, width)."""
    return np.hypot(np.arange(height)[:, None], np.arange(width)) / 2


def low_pass(maps: np.ndarray, cutoff: float) -> np.ndarray:
    """Maps (n, h, w) without their frequencies above a cut-off in cycles per image, float32.

    Where the cut-off is at or above the highest frequency the maps come back as they are. A map
    that is not finite comes out as NaN throughout.
    """
    place = frequencies(*maps.shape[1:])
    if cutoff >= place.max():
        return maps
    found = _transformed(maps)
    top = np.abs(found).max(axis=(1, 2), keepdims=True)
    kept = (place <= cutoff) & ~(np.abs(found) < _ROUNDING * top)
    return fft.idctn(np.where(kept, found, 0), axes=(1, 2), norm="ortho").astype(np.float32)


def spectrum(maps: np.ndarray) -> np.ndarray:
    """Share of each band in the power of maps (n, h, w), without that of their mean: (n, b).

    Band i, from 0 on, holds the frequencies above i * BAND and up to (i + 1) * BAND. NaN for a map
    that is not finite or has one value only.
    """
    band = _band(*maps.shape[1:]).reshape(-1)
    finite = np.isfinite(maps).all(axis=(1, 2))
    varied = finite & (maps.max(axis=(1, 2)) > maps.min(axis=(1, 2)))
    power = _transformed(np.where(varied[:, None, None], maps, 0)).reshape(len(maps), -1) ** 2
    of_band = np.zeros((len(maps), band.max() + 1))
    for place in range(1, band.max() + 1):
        of_band[:, place] = power[:, band == place].sum(axis=1)
    total = of_band.sum(axis=1, keepdims=True)
    shares = np.full(of_band.shape, np.nan)
    np.divide(of_band, total, out=shares, where=varied[:, None] & (total > 0))
    return shares[:, 1:]


def _band(height: int, width: int) -> np.ndarray:
    """Number of each coefficient's band, from 1 on; the mean's is 0. (height, width)."""
    return np.ceil(frequencies(height, width) / BAND).astype(int)


def _transformed(maps: np.ndarray) -> np.ndarray:
    finite = np.isfinite(maps).all(axis=(1, 2), keepdims=True)
    return fft.dctn(np.where(finite, np.float64(maps), np.nan), axes=(1, 2), norm="ortho")
