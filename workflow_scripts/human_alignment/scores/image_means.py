"""Values of records averaged to values of images: what every interval resamples.

A data file may hold an image several times, each time with the map of other people. Its records
are not independent of each other, so that an interval over records would be too narrow.
"""

import numpy as np


def image_means(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """The mean over each image's records of what is defined; NaN where nothing is.

    values: (..., n), NaN where undefined.  groups: which image each record shows, (n,) int.
    Returns (..., m) for m images, in the order of `groups`' values.

    An image with one record keeps its value to the bit.
    """
    values = np.asarray(values, np.float64)
    if (np.diff(groups) > 0).all():
        return values.copy()
    names, place = np.unique(groups, return_inverse=True)
    if len(names) == len(place):
        return values[..., np.argsort(groups, kind="stable")]
    order = np.argsort(place.reshape(-1), kind="stable")
    begins = np.searchsorted(place.reshape(-1)[order], np.arange(len(names)))
    defined = ~np.isnan(values[..., order])
    total = np.add.reduceat(np.where(defined, values[..., order], 0), begins, axis=-1)
    count = np.add.reduceat(defined, begins, axis=-1, dtype=np.int64)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
