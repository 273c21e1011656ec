"""The summary file of one run, `<run>.json`, as read and checked.

A module of its own: what reads summaries is not to be made again after an edit of the bootstrap.
"""

import math
from collections.abc import Iterable
from pathlib import Path

from pydantic import Field

from ..common.cli import UserError
from ..common.records import Record, checked, read_json
from .protocol import Protocol
from .score_file import STATUSES


class Summary(Record):
    """The summary of one explainer as `<run>.json` holds it; see `summarise`.

    data_digest: of the data file.  n: images with a score, of n_images.  status: how many of the
    records have each status; an image may stand in several.
    """

    dcls: bool
    parameters: int = Field(ge=0, description="a whole number, 0 or more")
    data_digest: str
    n: int = Field(ge=0, description="a whole number, 0 or more")
    n_images: int = Field(ge=1, description="a whole number, 1 or more")
    records: int = Field(ge=1, description="a whole number, 1 or more")
    mean_rho: float | None = Field(ge=-1, le=1, description="null, or a number from -1 to 1")
    mean_rho_of_records: float | None = Field(
        ge=-1, le=1, description="null, or a number from -1 to 1"
    )
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
    if not found.n <= found.n_images <= found.records == sum(counts):
        return (
            f"{found.n} images are scored of {found.n_images}, with {found.records} records, of "
            f"which {sum(counts)} have a status"
        )
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
