"""Scores at many thresholds, and the best threshold, judged on images it was not chosen on."""

from collections.abc import Iterator

import numpy as np

from .bootstrap import Row
from .postprocess import image_rho
from .protocol import Protocol
from .run_summary import ENDS, score_row
from .score_file import Scores

COLUMNS = ("threshold", "n", "mean_rho", "score", "low", "high", "human_ceiling")
CHOICE = ("best", "chosen", "n", "score", "low", "high")


def sweep_rows(
    scores: dict[float, Scores], protocol: Protocol, ceiling: float | None
) -> Iterator[Row]:
    """A row per threshold, with the keys COLUMNS, and the values whose mean its score is.

    ceiling: of the data set. `human_ceiling` is the number that divided, None if none did.
    """
    for threshold, found in scores.items():
        row, values = score_row(image_rho(protocol, found), protocol, ceiling)
        yield {"threshold": threshold} | row, values


def cross_validate(
    scores: dict[float, Scores], protocol: Protocol, ceiling: float | None, folds: int, seed: int
) -> Row:
    """For each fold: choose the threshold on the other folds and score the fold's images with it.

    Returns a row with the keys CHOICE, and the values whose mean its score is. best: the threshold
    with the highest score on all images.  chosen: by fold, on the other folds.  n: images scored.
    score: over images, each scored with the threshold chosen without its fold.

    ceiling: of the data set; the protocol says whether scores are divided by it. Folds are random
    and of equal size up to one image. All values are None when some fold cannot choose or cannot be
    scored: too few images with a defined rho.
    """
    undecided = dict.fromkeys(CHOICE), {}
    thresholds = list(scores)
    rho = np.stack([image_rho(protocol, found) for found in scores.values()])
    fold = np.random.default_rng(seed).permutation(rho.shape[1]) % folds
    held_out, chosen = np.full(rho.shape[1], np.nan), []
    for one in range(folds):
        others = _means(rho[:, fold != one])
        if np.isnan(others).all():
            return undecided
        best = int(np.nanargmax(others))
        chosen.append(thresholds[best])
        held_out[fold == one] = rho[best, fold == one]
    values = held_out[~np.isnan(held_out)]
    if len(values) < 2:
        return undecided
    row = {
        "best": thresholds[int(np.nanargmax(_means(rho)))],
        "chosen": chosen,
        "n": len(values),
        "score": protocol.scaled(float(values.mean()), ceiling),
    }
    return dict.fromkeys(CHOICE) | row, {ENDS: protocol.scaled(held_out, ceiling)}


def _means(rho: np.ndarray) -> np.ndarray:
    """Mean of each row over what is defined; NaN where nothing is."""
    defined = ~np.isnan(rho)
    count = defined.sum(axis=1)
    total = np.where(defined, rho, 0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
