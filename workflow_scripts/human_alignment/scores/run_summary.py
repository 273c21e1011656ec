"""The summary of one run's scores: mean, score, interval and counts of each explainer."""

from collections import Counter

import numpy as np

from .bootstrap import Row, add_intervals
from .postprocess import entering, image_rho
from .protocol import Protocol
from .score_file import Scores, ScoreSource

ENDS = ("low", "high")


def score_row(rho: np.ndarray, protocol: Protocol, ceiling: float | None) -> Row:
    """n, mean_rho and score of images, and the values whose mean the score is.

    rho: of the images as it enters the mean, (m,), NaN where it does not.  ceiling: of the data
    set. `human_ceiling` is the number that divided, null if none did. Mean and score are null when
    no image has a defined correlation. `add_intervals` adds `low` and `high`, the ends of the 95 %
    interval of `score` over images.
    """
    values = rho[~np.isnan(rho)]
    mean = float(np.mean(values)) if len(values) else None
    found = {
        "n": len(values),
        "mean_rho": mean,
        "score": None if mean is None else protocol.scaled(mean, ceiling),
        "low": None,
        "high": None,
        "human_ceiling": protocol.divisor(ceiling),
    }
    return found, {ENDS: protocol.scaled(rho, ceiling)}


def summary_row(scores: Scores, protocol: Protocol, ceiling: float | None) -> Row:
    """The `score_row` of one explainer, with counts of images and records and the protocol.

    Records of one image are averaged first: `n` and `n_images` count images. `mean_rho_of_records`
    counts each record, as the authors' code does; where no image repeats it is `mean_rho`.
    """
    rho = image_rho(protocol, scores)
    found, values = score_row(rho, protocol, ceiling)
    records = entering(protocol, scores.rho, scores.status)
    records = records[~np.isnan(records)]
    more = {
        "n_images": len(rho),
        "records": len(scores.rho),
        "mean_rho_of_records": float(np.mean(records)) if len(records) else None,
        "status": dict(sorted(Counter(scores.status.tolist()).items())),
        "protocol": protocol.as_dict(),
    }
    return found | more, values


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
