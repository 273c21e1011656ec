"""The mean of values of records over images, with its interval."""

import numpy as np

from .bootstrap import bootstrap_interval
from .image_means import image_means


def mean_over_images(values: np.ndarray, groups: np.ndarray, **settings) -> dict:
    """n, mean, low and high of values of records, (n,), NaN where undefined.

    Records are averaged by image first; images are what is counted and resampled.  groups: the
    image of each record, (n,).  settings: `resamples` and `seed` of the bootstrap.  The mean is
    None where no image has a value, the 95 % interval low to high also where only one has.
    """
    means = image_means(values, groups)
    means = means[~np.isnan(means)]
    found = {"n": len(means), "mean": None, "low": None, "high": None}
    if len(means):
        found["mean"] = float(means.mean())
    if len(means) > 1:
        found["low"], found["high"] = bootstrap_interval(means, **settings)
    return found
