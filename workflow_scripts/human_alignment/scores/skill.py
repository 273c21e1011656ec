"""How much of the way from a reference to the human ceiling a network goes."""

import numpy as np

from .bootstrap import Row


def skill_row(rho: np.ndarray, reference: np.ndarray, ceiling: float | None) -> Row:
    """(mean rho - mean rho of the reference) / (ceiling - mean rho of the reference).

    rho, reference: of the same images, (n,); an image that lacks one of them (NaN) is left out.
    ceiling: of the data set; None stands for 1, a perfect correlation.

    Returns n and skill, and the values whose mean the skill is: `add_intervals` adds low and high.
    The interval is paired by image: each image's share in the ratio, to first order, has the skill
    as its mean, and its bootstrap interval is the skill's. The skill is None without an image, or
    where the reference reaches the ceiling.
    """
    both = ~(np.isnan(rho) | np.isnan(reference))
    a, b = rho[both], reference[both]
    top = 1.0 if ceiling is None else ceiling
    found = {"n": int(both.sum()), "skill": None, "low": None, "high": None}
    if not len(a) or (room := top - b.mean()) <= 0:
        return found, {}
    value = (a.mean() - b.mean()) / room
    shares = np.full(len(rho), np.nan)
    shares[both] = value + ((a - a.mean()) - (b - b.mean()) * (1 - value)) / room
    return found | {"skill": float(value)}, {("low", "high"): shares}


def partial_correlation(rho: np.ndarray, map_rho: np.ndarray, human_rho: np.ndarray) -> np.ndarray:
    """Rank correlation of a map with the human one, given a third map; all (n,).

    rho: of the map with the human map.  map_rho, human_rho: of either with the third map. NaN where
    one of them is NaN, or where the third map determines either of the two.
    """
    left = np.sqrt(np.maximum((1 - map_rho**2) * (1 - human_rho**2), 0))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(left > 0, (rho - map_rho * human_rho) / left, np.nan)
