"""Values of images of one network, and their differences between networks."""

from typing import NamedTuple

import numpy as np


class ImageValues(NamedTuple):
    """Values of images, float64 (m,), NaN where undefined.

    images: the rows of the images' first records in the data file, (m,) in rising order.
    """

    images: np.ndarray
    values: np.ndarray

    def of(self, images: np.ndarray) -> np.ndarray:
        """Values of these images, (k,) in rising order; NaN for one that is not here."""
        if np.array_equal(images, self.images):
            return self.values
        found = np.full(len(images), np.nan)
        place = np.searchsorted(images, self.images)
        here = (place < len(images)) & (images[np.minimum(place, len(images) - 1)] == self.images)
        found[place[here]] = self.values[here]
        return found


Values = dict[tuple[str, str], ImageValues]  # of a network, by kind of comparison and explainer


def paired(first: ImageValues, second: ImageValues) -> tuple[np.ndarray, np.ndarray]:
    """Both on the images of either, (k,) each; NaN for an image that one of them lacks."""
    same = np.array_equal(first.images, second.images)
    images = first.images if same else np.union1d(first.images, second.images)
    return first.of(images), second.of(images)
