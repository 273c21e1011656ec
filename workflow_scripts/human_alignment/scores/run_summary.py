"""The summary of one run's scores: mean, score, interval and counts of each explainer."""

import dataclasses

import numpy as np

from .bootstrap import Row, add_intervals
from .postprocess import counted, image_rho
from .protocol import Protocol
from .score_file import Scores, ScoreSource

ENDS = ("low", "high")


def summary_row(scores: Scores, protocol: Protocol, ceiling: float | None) -> Row:
    """Mean, score and counts of one explainer, and the values whose mean the score is.

    Records of one image are averaged first: `n` and `n_images` count images. `mean_rho_of_records`
    counts each record, as the authors' code does; where no image repeats it is `mean_rho`.
    ceiling: of the data set. `human_ceiling` is the number that divided, null if none did.
    Means and score are null when no image has a defined correlation. `add_intervals` adds `low` and
    `high`, the ends of the 95 % interval of `score` over images.
    """
    rho = image_rho(protocol, scores)
    values = rho[~np.isnan(rho)]
    names, counts = np.unique(scores.status, return_counts=True)
    found = {
        "n": len(values),
        "n_images": len(rho),
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
    return found, {ENDS: protocol.scaled(rho, ceiling)}


def summary_rows(source: ScoreSource, scores: dict[str, Scores]) -> dict[str, Row]:
    """The `summary_row` of each explainer; it also says whether the network has DCLS, its
    parameters and the digest of the data file.

    source: what the scores were made from.
    """
    network = {name: getattr(source, name) for name in ("dcls", "parameters", "data_digest")}
    found = {}
    for name, one in scores.items():
        row, values = summary_row(one, source.protocol, source.human_ceiling)
        found[name] = network | row, values
    return found


def summarise_run(source: ScoreSource, scores: dict[str, Scores], **settings) -> dict[str, dict]:
    """The summary of each explainer, with its interval.

    source: what the scores were made from.  settings: `resamples` and `seed` of the bootstrap.
    """
    rows = summary_rows(source, scores)
    return dict(zip(rows, add_intervals(rows.values(), **settings), strict=True))
