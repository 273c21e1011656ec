"""Maps that no network made, as references for the scores of networks.

A score alone says little: a map that only knows that people look at the middle, or what people
marked in other images, agrees with human maps too. Benchmarks of saliency (MIT/Tuebingen,
pysaliency) measure against such maps. All take and give float arrays (n, h, w).

An image may stand in several records; `groups` names each record's image, (n,) int. A reference
made from other images leaves out every record of the same image.
"""

import numpy as np
from scipy import ndimage

RATIOS = tuple(2.0 ** np.arange(-1, 1.01, 0.25))  # width over height of the centred Gaussian
WINDOW = 1 / 14  # side of the window of local contrast, in sides of the image
_LUMA = np.array([0.299, 0.587, 0.114])  # of ITU-R BT.601


def centre(size: int, ratio: float) -> np.ndarray:
    """A Gaussian in the middle of a (size, size) map.

    ratio: its width over its height. A rank correlation does not depend on the width itself,
    because the width changes no pixel's rank.
    """
    place = (np.arange(size) - (size - 1) / 2) / (size / 2)
    return np.exp(-((place / ratio) ** 2) - (place[:, None] * 1.0) ** 2)


class HumanMeans:
    """Means of the human maps of all other images, and of the other images of the class.

    Maps are added batch by batch in float64; nothing is held but sums: one map, one a class, and
    one for each image that stands in several records.
    """

    def __init__(self, groups: np.ndarray, labels: np.ndarray):
        """groups, labels: (n,) of all records."""
        names, counts = np.unique(groups, return_counts=True)
        self._repeated = set(names[counts > 1].tolist())
        self._groups, self._labels = groups, labels
        self._total = 0.0
        self._count = 0
        self._of_class: dict[int, list] = {}  # class: sum and number of records
        self._of_image: dict[int, list] = {}  # repeated image: sum and number of records

    def add(self, rows: np.ndarray, maps: np.ndarray) -> None:
        """Add the human maps (k, h, w) of these records."""
        maps = np.asarray(maps, np.float64)
        self._total = self._total + maps.sum(axis=0)
        self._count += len(maps)
        for row, one in zip(rows.tolist(), maps, strict=True):
            _add(self._of_class, int(self._labels[row]), one)
            if (group := int(self._groups[row])) in self._repeated:
                _add(self._of_image, group, one)

    def of_others(self, rows: np.ndarray, maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Means (k, h, w) over all other images, and over the other images of the class.

        rows, maps: as they were added. Where there is no other image the mean is zero throughout.
        Records of one image are taken to have one class.
        """
        maps = np.asarray(maps, np.float64)
        others, of_class = np.zeros((2, *maps.shape))
        for place, (row, one) in enumerate(zip(rows.tolist(), maps, strict=True)):
            own = self._of_image.get(int(self._groups[row]), [one, 1])
            for target, (total, count) in (
                (others, (self._total, self._count)),
                (of_class, self._of_class[int(self._labels[row])]),
            ):
                if count > own[1]:
                    target[place] = (total - own[0]) / (count - own[1])
        return others, of_class


def _add(sums: dict[int, list], key: int, one: np.ndarray) -> None:
    held = sums.setdefault(key, [0.0, 0])
    held[0], held[1] = held[0] + one, held[1] + 1


def luminance(image: np.ndarray) -> np.ndarray:
    """Luminance (h, w), 0 to 255, of an image (h, w, 3)."""
    return np.float64(image) @ _LUMA


def edge_strength(image: np.ndarray) -> np.ndarray:
    """Size of the luminance's gradient by Sobel's operator, (h, w), of an image (h, w, 3)."""
    light = luminance(image)
    return np.hypot(ndimage.sobel(light, 0), ndimage.sobel(light, 1))


def local_contrast(image: np.ndarray) -> np.ndarray:
    """Standard deviation of the luminance in a window around each pixel, (h, w)."""
    light = luminance(image)
    side = max(3, round(WINDOW * len(light)))
    mean = ndimage.uniform_filter(light, side)
    return np.sqrt(np.maximum(ndimage.uniform_filter(light**2, side) - mean**2, 0))


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
