"""Scores at many thresholds, and the best threshold, judged on images it was not chosen on."""

from dataclasses import dataclass

import numpy as np

from .bootstrap import bootstrap_interval
from .postprocess import image_rho
from .protocol import Protocol
from .run_summary import summarise
from .score_file import Scores

COLUMNS = ("threshold", "n", "mean_rho", "score", "low", "high", "human_ceiling")


def sweep_rows(
    scores: dict[float, Scores],
    protocol: Protocol,
    ceiling: float | None,
    resamples: int,
    seed: int,
) -> list[dict]:
    """A row per threshold, with the keys COLUMNS: score with its 95 % interval low to high.

    ceiling: of the data set. `human_ceiling` is the number that divided, None if none did.
    """
    rows = []
    for threshold, found in scores.items():
        summary = summarise(found, protocol, ceiling, resamples, seed)
        rows.append({"threshold": threshold, **{name: summary[name] for name in COLUMNS[1:]}})
    return rows


@dataclass(frozen=True)
class Choice:
    """The threshold with the highest score, and its score on images apart from those of the choice.

    best: on all images.  chosen: by fold, on the other folds.  n: images scored.
    score, low, high: over images, each scored with the threshold chosen without its fold.
    """

    best: float
    chosen: list[float]
    n: int
    score: float
    low: float
    high: float


def cross_validate(
    scores: dict[float, Scores],
    protocol: Protocol,
    ceiling: float | None,
    folds: int,
    resamples: int,
    seed: int,
) -> Choice | None:
    """For each fold: choose the threshold on the other folds and score the fold's images with it.

    ceiling: of the data set; the protocol says whether scores are divided by it.
    Folds are random and of equal size up to one image. None when some fold cannot choose or
    cannot be scored: too few images with a defined rho.
    """
    thresholds = list(scores)
    rho = np.stack([image_rho(protocol, found) for found in scores.values()])
    fold = np.random.default_rng(seed).permutation(rho.shape[1]) % folds
    held_out, chosen = [], []
    for one in range(folds):
        others = _means(rho[:, fold != one])
        if np.isnan(others).all():
            return None
        best = int(np.nanargmax(others))
        chosen.append(thresholds[best])
        held_out.append(rho[best, fold == one])
    values = np.concatenate(held_out)
    values = values[~np.isnan(values)]
    if len(values) < 2:
        return None
    low, high = bootstrap_interval(values, resamples=resamples, seed=seed)
    best = thresholds[int(np.nanargmax(_means(rho)))]
    ends = (protocol.scaled(value, ceiling) for value in (float(values.mean()), low, high))
    return Choice(best, chosen, len(values), *ends)


def _means(rho: np.ndarray) -> np.ndarray:
    """Mean of each row over what is defined; NaN where nothing is."""
    defined = ~np.isnan(rho)
    count = defined.sum(axis=1)
    total = np.where(defined, rho, 0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
