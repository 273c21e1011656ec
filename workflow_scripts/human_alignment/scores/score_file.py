"""The score file of one run, `X.csv`, and beside it what it was made from, `X.source.json`.

`X.csv` has a row per record and explainer: image_id, label, explainer, rho, status. The status is
`ok` or the cause why rho is undefined; rho is then empty. Every explainer has every record, in the
same order. The two files are written together and checked against each other when read: the source
holds a digest of itself and of the score file.
"""

import csv
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import Field

from ..common.cli import UserError
from ..common.files import sha256, write_json, written_whole
from ..common.records import Record, checked, read_json
from .protocol import Protocol
from .spearman import CAUSES, OK

COLUMNS = ("image_id", "label", "explainer", "rho", "status")
STATUSES = (OK, *CAUSES)
DIGEST = "content_digest"  # the key of `X.source.json` that holds the digest of both files


@dataclass(frozen=True)
class Scores:
    """Scores of one explainer, of n records.

    rho: float64 (n,), NaN unless the record's status (n,) is `ok`.  groups: which image each record
    shows, int (n,); None stands for an image of its own each.
    """

    rho: np.ndarray
    status: np.ndarray
    groups: np.ndarray | None = None

    def __post_init__(self):
        if self.groups is None:
            object.__setattr__(self, "groups", np.arange(len(self.rho)))


class Source(Record):
    """What scores were made from: a network's heatmaps of the images of a data file.

    dcls: whether the network has DCLS, by the record in its weights.  parameters: learnt values of
    the network.  images: how many records are scored.  data_images: how many the data file has.
    sampled: whether the records scored are a random sample of these.  versions: of the packages
    that extracted the heatmaps.  human_ceiling: of the data file; null where none is known.
    """

    model: str
    dcls: bool
    parameters: int = Field(ge=0, description="a whole number, 0 or more")
    weights_digest: str
    data_digest: str
    explainers: list[str] = Field(min_length=1, description="a list of names")
    images: int = Field(ge=1, description="a whole number, 1 or more")
    data_images: int = Field(ge=1, description="a whole number, 1 or more")
    sampled: bool
    versions: str = ""
    human_ceiling: float | None = Field(
        gt=0, le=1, description="null, or a number above 0 and at most 1"
    )


class ScoreSource(Source):
    """What a score file was made from, and under which protocol.

    groups: which image each record shows, a number for each record; null where every record is of
    an image of its own.
    """

    protocol: Protocol
    groups: list[int] | None = Field(None, description="null, or a list of whole numbers")


@dataclass(frozen=True)
class ScoreFile:
    """A score file as read: image_ids and labels (n,), and the scores by explainer."""

    path: Path
    source: ScoreSource
    image_ids: np.ndarray
    labels: np.ndarray
    scores: dict[str, Scores]


def source_path(path: Path | str) -> Path:
    """The file beside a score file that says what it was made from."""
    return Path(path).with_suffix(".source.json")


def write_rows(path: Path | str, header: Sequence[str], rows: Iterable[Sequence]) -> None:
    """Write a CSV file whole; None is an empty cell, a float has all its digits."""
    with written_whole(path) as partial, open(partial, "w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def write_scores(
    path: Path | str,
    source: ScoreSource,
    image_ids: Sequence[str],
    labels: np.ndarray,
    scores: dict[str, Scores],
) -> None:
    """Write a score file and its source. The source is written last: without it, neither counts.

    The source's `groups` are those of the scores.
    """
    groups = next(iter(scores.values())).groups
    repeats = len(np.unique(groups)) < len(groups)
    source = source.model_copy(update={"groups": groups.tolist() if repeats else None})
    source_path(path).unlink(missing_ok=True)
    rows = (
        (image_id, label, name, repr(float(rho)) if status == OK else "", status)
        for name, found in scores.items()
        for image_id, label, rho, status in zip(
            image_ids, labels, found.rho, found.status, strict=True
        )
    )
    write_rows(path, COLUMNS, rows)
    write_json(source_path(path), source.model_dump() | {DIGEST: _digest(source, path)})


def read_scores(path: Path | str) -> ScoreFile:
    """Read and check a score file and its source.

    Raises UserError that names the file and what is wrong with it: a column, a word, a rho outside
    of -1 to 1, an image that is missing or scored twice, counts other than the source's, or any
    other change since it was written.
    """
    path = Path(path)
    source, digest = _read_source(path)
    ids, labels, explainers, rho, status = _read_columns(path)
    scores = Scores(_checked_rho(path, rho, status), status)
    if set(explainers.tolist()) != set(source.explainers):
        found = ", ".join(sorted(set(explainers.tolist()))) or "none"
        _refuse(path, f"it has the explainers {found}, not {', '.join(source.explainers)}")
    rows = {name: np.flatnonzero(explainers == name) for name in source.explainers}
    first = rows[source.explainers[0]]
    for name, own in rows.items():
        _check_images(path, name, ids[own], ids[first], source.images)
    groups = None if source.groups is None else np.array(source.groups, np.int64)
    if groups is not None and len(groups) != source.images:
        _refuse(path, f"{source_path(path).name} says of {len(groups)} records, not of "
                f"{source.images}, which image they show")  # fmt: skip
    if _digest(source, path) != digest:
        _refuse(path, f"it is not the file that {source_path(path).name} was written for")
    return ScoreFile(
        path,
        source,
        ids[first],
        labels[first],
        {name: Scores(scores.rho[own], scores.status[own], groups) for name, own in rows.items()},
    )


def _digest(source: ScoreSource, path: Path | str) -> str:
    """Hex SHA-256 of what scores were made from and of the score file."""
    held = json.dumps(source.model_dump(), sort_keys=True)
    return hashlib.sha256(f"{held}\0{sha256(path)}".encode()).hexdigest()


def _refuse(path: Path, problem: str) -> None:
    raise UserError(f"{path}: {problem}; score the heatmaps again with score_alignment.py")


def _read_source(path: Path) -> tuple[ScoreSource, object]:
    """What a score file was made from, and its digest."""
    source = source_path(path)
    if not path.is_file():
        raise UserError(f"{path} does not exist; score_alignment.py makes it")
    try:
        values = read_json(source)
        digest = values.pop(DIGEST, None) if isinstance(values, dict) else None
        return checked(ScoreSource, str(source), values), digest
    except UserError as error:
        _refuse(path, f"what it was made from cannot be read from {source.name} ({error})")


def _read_columns(path: Path) -> list[np.ndarray]:
    """Columns of the file, (rows,) each: ids, labels (int64), explainers, rho (text), statuses."""
    try:
        with open(path, newline="", encoding="utf-8") as stream:
            lines = list(csv.reader(stream))
    except (OSError, csv.Error, UnicodeDecodeError) as error:
        _refuse(path, f"it is not a CSV file ({error})")
    if not lines or tuple(lines[0]) != COLUMNS:
        _refuse(path, f"its columns are {', '.join(lines[0]) if lines else 'missing'}, "
                f"not {', '.join(COLUMNS)}")  # fmt: skip
    for place, line in enumerate(lines):
        if len(line) != len(COLUMNS):
            _refuse(path, f"line {place + 1} has {len(line)} cells, not {len(COLUMNS)}")
    columns = [np.array(column, str) for column in zip(*lines, strict=True)]
    columns = [column[1:] for column in columns]
    try:
        columns[1] = columns[1].astype(np.int64)
    except (ValueError, OverflowError) as error:
        _refuse(path, f"a label is not a whole number ({error})")
    return columns


def _checked_rho(path: Path, text: np.ndarray, status: np.ndarray) -> np.ndarray:
    """Rho as float64 (rows,), NaN where it is undefined; both columns checked row by row."""
    known, ok = np.isin(status, STATUSES), status == OK
    if not known.all():
        row = int(np.argmin(known))
        _refuse(path, f"line {row + 2} has the unknown status {str(status[row])!r}")
    rho = np.full(len(text), np.nan)
    try:
        rho[ok] = text[ok].astype(np.float64)
    except ValueError as error:
        _refuse(path, f"a rho with status {OK} is not a number ({error})")
    wrong = np.where(ok, ~(np.abs(rho) <= 1), text != "")
    if wrong.any():
        row = int(np.argmax(wrong))
        allowed = "a number from -1 to 1" if ok[row] else "an empty cell"
        _refuse(path, f"line {row + 2} has rho {str(text[row])!r} and status {status[row]}, where "
                f"rho must be {allowed}")  # fmt: skip
    return rho


def _check_images(path: Path, name: str, ids: np.ndarray, first: np.ndarray, count: int) -> None:
    """An explainer has the images of the first one, each once, and as many as the source says."""
    listed = ids.tolist()
    if len(set(listed)) < len(listed):
        twice = next(one for one in listed if listed.count(one) > 1)
        _refuse(path, f"it has two {name} scores of image {twice}")
    missing = set(first.tolist()).symmetric_difference(listed)
    if missing:
        _refuse(path, f"not every explainer has a score of image {min(missing)}")
    if not np.array_equal(ids, first):
        _refuse(path, f"the images of {name} are in another order than those before")
    if len(listed) != count:
        _refuse(path, f"it has {len(listed)} images, not {count} as {source_path(path).name} says")
