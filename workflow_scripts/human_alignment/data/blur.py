"""The blur of human maps, as serre-lab/Harmonization publishes it."""

import numpy as np
from scipy.ndimage import correlate1d

SIZE = 10
SIGMA = 10.0


def _profiles() -> tuple[np.ndarray, np.ndarray]:
    """The kernel is separable: its column and row profile, float64, each of sum one.

    Its size is even and its centre off the middle: rows run y = 4 ... -5, columns x = -5 ... 4,
    so that the largest weight is at index [4, 5].
    """
    rows = np.exp(-(np.arange(4, -6, -1) ** 2) / (2 * SIGMA**2))
    columns = np.exp(-(np.arange(-5, 5) ** 2) / (2 * SIGMA**2))
    return rows / rows.sum(), columns / columns.sum()


def gaussian_kernel() -> np.ndarray:
    """The blur kernel, float32 (10, 10), of sum one."""
    rows, columns = _profiles()
    return np.outer(rows, columns).astype(np.float32)


def blur(maps: np.ndarray) -> np.ndarray:
    """Blur maps (n, h, w) to float32 (n, h, w).

    A correlation (no flip) with zeros around the map, 4 pixels before and 5 after: near its
    edges even a constant map loses weight.
    """
    maps = np.asarray(maps, np.float64)
    for axis, profile in zip((1, 2), _profiles(), strict=True):
        # scipy centres an even kernel at index 5; the published padding centres it at 4.
        maps = correlate1d(maps, profile, axis, mode="constant", origin=-1)
    return maps.astype(np.float32)
