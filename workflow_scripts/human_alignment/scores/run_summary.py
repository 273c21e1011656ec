"""The summary of one run's scores: mean, score, interval and counts of each explainer."""

import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from pydantic import Field

from ..common.cli import UserError
from ..common.records import Record, checked, read_json
from .bootstrap import bootstrap_interval
from .postprocess import counted
from .protocol import Protocol
from .score_file import STATUSES, Scores, ScoreSource


class Summary(Record):
    """The summary of one explainer as `<run>.json` holds it; see `summarise`.

    data_digest: of the data file.  status: how many images have each status.
    """

    dcls: bool
    parameters: int = Field(ge=0, description="a whole number, 0 or more")
    data_digest: str
    n: int = Field(ge=0, description="a whole number, 0 or more")
    n_images: int = Field(ge=1, description="a whole number, 1 or more")
    mean_rho: float | None = Field(ge=-1, le=1, description="null, or a number from -1 to 1")
    score: float | None = Field(description="null, or a finite number")
    low: float | None = Field(description="null, or a finite number")
    high: float | None = Field(description="null, or a finite number")
    status: dict[str, int] = Field(description="numbers of images by status")
    human_ceiling: float | None = Field(
        gt=0, le=1, description="null, or a number above 0 and at most 1"
    )
    protocol: Protocol


def read_summary_file(path: Path | str) -> dict[str, Summary]:
    """Read and check the summary file of one run: a summary by explainer.

    Raises UserError that names the file, the explainer and what is wrong: a key, a value out of
    range, or numbers that contradict each other.
    """
    values = read_json(path)
    if not isinstance(values, dict) or not values:
        raise UserError(f"{path}: expected a summary by explainer; summarise_scores.py makes it")
    found = {}
    for name, one in values.items():
        found[name] = checked(Summary, f"{path}, {name}", one)
        if problem := _contradiction(found[name]):
            raise UserError(
                f"{path}, {name}: {problem}; summarise the scores again with summarise_scores.py"
            )
    return found


def _contradiction(found: Summary) -> str | None:
    """What cannot be in a summary whose fields each are in range; None if nothing."""
    counts = found.status.values()
    if not found.status.keys() <= set(STATUSES) or min(counts, default=0) < 0:
        return f"status is {found.status}; allowed: numbers by {', '.join(STATUSES)}"
    if found.n > found.n_images or sum(counts) != found.n_images:
        return f"{found.n} images scored and {sum(counts)} with a status, of {found.n_images}"
    if (found.n == 0) != (found.mean_rho is None):
        return f"mean_rho is {found.mean_rho} for {found.n} images"
    ceiling = found.human_ceiling
    if ceiling is not None and not found.protocol.divide_by_ceiling:
        return f"human_ceiling is {ceiling}, but the protocol does not divide by it"
    score = None if found.mean_rho is None else found.protocol.scaled(found.mean_rho, ceiling)
    if (score is None) != (found.score is None) or not math.isclose(score or 0, found.score or 0):
        return f"score is {found.score}, but by mean_rho and human_ceiling it is {score}"
    ends = found.low, found.high
    if (None in ends) != (found.n < 2) or (None not in ends and found.low > found.high):
        return f"the interval is {ends} for {found.n} images"
    return None


def check_same_data(digests: Iterable[tuple[Path, str]]) -> None:
    """Raise UserError when files of scores are not all of one data file.

    digests: of the data file, with the file of scores that names it.
    """
    (first, expected), *others = digests
    for other, found in others:
        if found != expected:
            raise UserError(
                f"{first} and {other} are of different data files: their data digests are "
                f"{expected[:12]} and {found[:12]}; score all runs with one data file"
            )


def summarise(
    scores: Scores, protocol: Protocol, ceiling: float | None, resamples: int, seed: int
) -> dict:
    """Mean, score, interval and counts of one explainer.

    ceiling: of the data set. `human_ceiling` is the number that divided, null if none did.
    `low` and `high` end the 95 % bootstrap interval of `score` over images. All four are null
    when no image has a defined correlation, the interval also when only one has.
    """
    values = counted(protocol, scores.rho, scores.status)
    names, counts = np.unique(scores.status, return_counts=True)
    found = {
        "n": len(values),
        "n_images": len(scores.rho),
        "mean_rho": None,
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
