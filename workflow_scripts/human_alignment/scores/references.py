"""Maps that no network made, as references for the scores of networks.

A score alone says little: a map that only knows that people look at the middle, or what people
marked in other images, agrees with human maps too. Benchmarks of saliency (MIT/Tuebingen,
pysaliency) measure against such maps. Arrays in, arrays out.

An image may stand in several records; `groups` names each record's image, (n,) int. A reference
made from other images leaves out every record of the same image.
"""

import numpy as np
from scipy import ndimage

RATIOS = tuple((2.0 ** np.arange(-1, 1.01, 0.25)).tolist())  # width over height of the Gaussian
WINDOW = 1 / 14  # side of the window of local contrast, in sides of the image
_LUMA = np.array([0.299, 0.587, 0.114])  # of ITU-R BT.601
_FLAT = 1e-7  # variance below that of any window in which one pixel differs, above rounding


def centre(size: int, ratio: float) -> np.ndarray:
    """A Gaussian in the middle of a map, float32 (size, size).

    ratio: its width over its height. A rank correlation does not depend on the width itself,
    because the width changes no pixel's rank.
    """
    place = (np.arange(size) - (size - 1) / 2) / (size / 2)
    return np.exp(-((place / ratio) ** 2) - place[:, None] ** 2).astype(np.float32)


class MapSums:
    """Sums of maps (h, w), of all that were added and by class, in float64.

    Memory does not grow with the maps: it holds one sum, and one a class.
    """

    def __init__(self):
        self._sums: dict[int | None, tuple] = {}  # by class, None for all: sum, number of maps

    def add(self, labels: np.ndarray, maps: np.ndarray) -> None:
        """Add maps (k, h, w) of these classes (k,)."""
        for label, one in zip(labels.tolist(), np.asarray(maps, np.float64), strict=True):
            for key in (None, label):
                total, count = self._sums.get(key, (0.0, 0))
                self._sums[key] = total + one, count + 1

    def mean_without(self, own: "MapSums", label: int | None = None) -> np.ndarray | None:
        """The mean map (h, w) of what was added here and not to `own`; None if nothing is left.

        own: sums of some of the same maps.  label: the class to stay in; None takes all classes.
        """
        total, count = self._sums.get(label, (0.0, 0))
        less, fewer = own._sums.get(label, (0.0, 0))
        return (total - less) / (count - fewer) if count > fewer else None


def luminance(image: np.ndarray) -> np.ndarray:
    """Luminance (h, w), 0 to 255, of an image (h, w, 3)."""
    return np.float64(image) @ _LUMA


def edge_strength(image: np.ndarray) -> np.ndarray:
    """Size of the luminance's gradient by Sobel's operator, (h, w), of an image (h, w, 3)."""
    light = luminance(image)
    return np.hypot(ndimage.sobel(light, 0), ndimage.sobel(light, 1))


def local_contrast(image: np.ndarray) -> np.ndarray:
    """Standard deviation of the luminance in a window around each pixel, (h, w).

    image: (h, w, 3).  It is exactly zero where the window has one luminance.
    """
    light = luminance(image)
    side = max(3, round(WINDOW * len(light)))
    mean = ndimage.uniform_filter(light, side)
    variance = ndimage.uniform_filter(light**2, side) - mean**2
    return np.sqrt(np.where(variance > _FLAT, variance, 0))


def other_image(groups: np.ndarray, seed: int) -> np.ndarray:
    """For each record the place of a record of another image, at random, (n,).

    Each record is drawn about once. Raises ValueError when there is one image only.
    """
    count = len(groups)
    if len(np.unique(groups)) < 2:
        raise ValueError("one image has no other")
    random = np.random.default_rng(seed)
    drawn = random.permutation(count)
    for _ in range(100):  # those that met their own image swap among all
        own = np.flatnonzero(groups[drawn] == groups)
        if not len(own):
            return drawn
        with_whom = random.integers(0, count, len(own))
        for one, other in zip(own.tolist(), with_whom.tolist(), strict=True):
            drawn[[one, other]] = drawn[[other, one]]
    own = np.flatnonzero(groups[drawn] == groups)  # nearly all records are of one image
    for one in own.tolist():
        drawn[one] = random.choice(np.flatnonzero(groups != groups[one]))
    return drawn
