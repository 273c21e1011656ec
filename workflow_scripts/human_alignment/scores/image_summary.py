"""The mean of values of records over images, with its interval."""

import numpy as np

from .bootstrap import Row, add_intervals
from .image_means import image_means


def mean_row(values: np.ndarray, groups: np.ndarray) -> Row:
    """n and mean of values of records, (n,), NaN where undefined, and the images' values.

    Records are averaged by image first; images are what is counted and resampled.  groups: the
    image of each record, (n,).  The mean is None where no image has a value. `add_intervals` adds
    `low` and `high`.
    """
    means = image_means(values, groups)
    known = means[~np.isnan(means)]
    found = {"n": len(known), "mean": float(known.mean()) if len(known) else None}
    return found | {"low": None, "high": None}, {("low", "high"): means}


def mean_over_images(values: np.ndarray, groups: np.ndarray, **settings) -> dict:
    """n, mean, low and high of values of records: a `mean_row` with its 95 % interval.

    settings: `resamples` and `seed` of the bootstrap.  The interval is None where fewer than two
    images have a value.
    """
    return next(add_intervals([mean_row(values, groups)], **settings))
