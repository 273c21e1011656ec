"""The summary of one run's scores: mean, score, interval and counts of each explainer."""

import dataclasses

import numpy as np

from .bootstrap import bootstrap_interval
from .postprocess import counted
from .protocol import Protocol
from .score_file import Scores, ScoreSource


def summarise(
    scores: Scores, protocol: Protocol, ceiling: float | None, resamples: int, seed: int
) -> dict:
    """Mean, score, interval and counts of one explainer.

    Records of one image are averaged first: `n` and `n_images` count images. `mean_rho_of_records`
    counts each record, as the authors' code does; where no image repeats it is `mean_rho`.
    ceiling: of the data set. `human_ceiling` is the number that divided, null if none did.
    `low` and `high` end the 95 % bootstrap interval of `score` over images. All four are null
    when no image has a defined correlation, the interval also when only one has.
    """
    values = counted(protocol, scores)
    names, counts = np.unique(scores.status, return_counts=True)
    found = {
        "n": len(values),
        "n_images": len(np.unique(scores.groups)),
        "records": len(scores.rho),
        "mean_rho": None,
        "mean_rho_of_records": None,
        "score": None,
        "low": None,
        "high": None,
        "status": dict(zip(names.tolist(), counts.tolist(), strict=True)),
        "human_ceiling": protocol.divisor(ceiling),
        "protocol": protocol.as_dict(),
    }
    if len(values):
        mean = float(np.mean(values))
        found |= {"mean_rho": mean, "score": protocol.scaled(mean, ceiling)}
        each = dataclasses.replace(scores, groups=None)
        found["mean_rho_of_records"] = float(np.mean(counted(protocol, each)))
    if len(values) > 1:
        low, high = bootstrap_interval(values, resamples=resamples, seed=seed)
        found |= {"low": protocol.scaled(low, ceiling), "high": protocol.scaled(high, ceiling)}
    return found


def summarise_run(source: ScoreSource, scores: dict[str, Scores], **settings) -> dict[str, dict]:
    """A summary by explainer; each also says whether the network has DCLS, its parameters and the
    digest of the data file.

    source: what the scores were made from.  settings: `resamples` and `seed` of the bootstrap.
    """
    network = {name: getattr(source, name) for name in ("dcls", "parameters", "data_digest")}
    under = source.protocol, source.human_ceiling
    return {name: network | summarise(found, *under, **settings) for name, found in scores.items()}
