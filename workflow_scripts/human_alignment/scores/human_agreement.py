"""How well the human maps of one image agree with each other: human ceilings of a data set.

They exist only where an image stands in several records, each with the map of other people.
"""

import numpy as np

from ..data.resize import resize_bilinear
from .image_means import image_means
from .references import MapSums
from .spearman import Ranks, correlate

KINDS = ("others", "pairwise")


class Agreement:
    """Agreement of the records of each image, added block by block.

    `others`: rho of a record's human map with the mean map of the image's other records, averaged
    over the records.  `pairwise`: mean rho over the pairs of the image's records.

    Memory grows neither with the records nor with the pairs of an image: the mean over pairs
    follows from the sum of the centred ranks, each of length 1. With k of them, the square of their
    sum is k plus twice the sum of rho over the pairs.
    """

    def __init__(self, groups: np.ndarray, size: int):
        """groups: for each record the row of its image's first one, (n,).  size: side at which
        maps are compared.
        """
        names, place, counts = np.unique(groups, return_inverse=True, return_counts=True)
        self._groups, self._size = groups, size
        self._left = {name: count for name, count in zip(names.tolist(), counts, strict=True)}
        self._repeated = counts[place.reshape(-1)] > 1  # (n,)
        self._others, self._pairwise = np.full((2, len(groups)), np.nan)
        self._open: dict[int, tuple] = {}  # image: sum of unit ranks, number of them

    def add(self, rows: np.ndarray, maps: np.ndarray, ranks: Ranks, own: list[MapSums]) -> None:
        """Add records: rows (k,), human maps (k, h, w), their ranks at full size, and for each
        the sums over all records of its image."""
        for place in np.flatnonzero(self._repeated[rows]).tolist():
            row, one = rows[place], maps[place : place + 1]
            single = MapSums()
            single.add(np.zeros(1, int), one)
            others = resize_bilinear(own[place].mean_without(single)[None], self._size, self._size)
            of_one = ranks.of(np.array([place]))
            self._others[row] = correlate(of_one, others)[0][0]
            self._add_pairs(int(self._groups[row]), of_one)

    def _add_pairs(self, group: int, ranks: Ranks) -> None:
        total, count = self._open.get(group, (0.0, 0))
        if ranks.norm[0] > 0:  # the ranks of a constant map have no direction
            unit = (ranks.doubled[0] - (ranks.doubled.shape[1] + 1)) / ranks.norm[0]
            total, count = total + unit, count + 1
        self._open[group] = total, count
        self._left[group] -= 1
        if not self._left[group]:
            del self._open[group]
            if count > 1:
                self._pairwise[group] = float(total @ total - count) / (count * (count - 1))

    def of_images(self) -> dict[str, np.ndarray]:
        """For each of KINDS the values of images, (n,): each at the row of the image's first
        record, NaN at other rows and where an image has none.
        """
        others = np.full(len(self._groups), np.nan)
        others[np.unique(self._groups)] = image_means(self._others, self._groups)
        return dict(zip(KINDS, (others, self._pairwise), strict=True))
