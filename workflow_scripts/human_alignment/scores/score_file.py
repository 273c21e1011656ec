"""The score file of one run, `X.parquet` or `X.csv`, and beside it its source, `X.source.json`:
what it was made from.

Either has a row per explainer and record: image_id, label, explainer, rho, status. The status is
`ok` or the cause why rho is undefined; rho is then empty. Every explainer has every record, in the
same order. Parquet has two more columns: `image`, which image the record shows (the row of the data
file's first record with the same pixels), and `predicted`, the class that the network predicts. Of
a CSV file these two are in the source.

The two files are written together and checked against each other when read: the source holds a
digest of itself and of the score file. A study has Parquet files: hundreds of networks with 50,000
images are read in seconds. CSV is for spreadsheets, and for those who score by hand.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import Field

from ..common.cli import UserError
from ..common.files import sha256, write_json
from ..common.records import Record, checked, read_json
from .protocol import Protocol
from .score_rows import Rows, read_csv, read_parquet, write_csv, write_parquet

UNKNOWN = -1  # the prediction where none is known
_LONGEST = 1000  # characters of what a message says of a file: cells of others can be long
DIGEST = "content_digest"  # the key of `X.source.json` that holds the digest of both files
_FORMATS = {".parquet": (read_parquet, write_parquet), ".csv": (read_csv, write_csv)}


@dataclass(frozen=True)
class Scores:
    """Scores of one explainer, of n records.

    rho: float64 (n,), NaN unless the record's status is `ok`.  status: words (n,).  groups: which
    image each record shows, int (n,); None stands for an image of its own each.
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

    groups, predicted: of a CSV file, which image each record shows and the class that the network
    predicts, a number for each record; null where record k of the file shows image k, and where
    predictions are not known.  n_images: how many images the records show.  status: by explainer,
    how many records have each status.
    """

    protocol: Protocol
    groups: list[int] | None = Field(None, description="null, or a list of whole numbers")
    predicted: list[int] | None = Field(None, description="null, or a list of whole numbers")
    n_images: int | None = Field(None, ge=1, description="a whole number, 1 or more")
    status: dict[str, dict[str, int]] = Field({}, description="numbers of records")


@dataclass(frozen=True)
class ScoreFile:
    """A score file as read: image_ids, labels and predicted (n,), and the scores by explainer.

    predicted: classes that the network predicts; None where they are not known.
    """

    path: Path
    source: ScoreSource
    image_ids: np.ndarray
    labels: np.ndarray
    scores: dict[str, Scores]
    predicted: np.ndarray | None = None

    @property
    def origin(self) -> tuple[Path, ScoreSource]:
        """Where the scores are and what they were made from, without the scores."""
        return self.path, self.source


def source_path(path: Path | str) -> Path:
    """The file beside a score file that says what it was made from."""
    return Path(path).with_suffix(".source.json")


def write_scores(
    path: Path | str,
    source: ScoreSource,
    image_ids: Sequence[str],
    labels: np.ndarray,
    scores: dict[str, Scores],
    predicted: np.ndarray | None = None,
) -> None:
    """Write a score file, in the format of its ending, and its source.

    The source is written last: without it, neither counts. It says of the scores what the columns
    do not. Raises UserError on an ending other than .parquet and .csv.
    """
    _, write = _format(path)
    first = next(iter(scores.values()))
    held = {"groups": None, "predicted": None, "status": {}}
    held["n_images"] = len(np.unique(first.groups))
    for name, found in scores.items():
        kinds, counts = np.unique(found.status, return_counts=True)
        held["status"][name] = dict(zip(kinds.tolist(), counts.tolist(), strict=True))
    if write is write_csv:
        own = np.array_equal(first.groups, np.arange(len(first.groups)))
        held["groups"] = None if own else first.groups.tolist()
        held["predicted"] = None if predicted is None else np.asarray(predicted).tolist()
    source = source.model_copy(update=held)
    source_path(path).unlink(missing_ok=True)
    write(path, _rows(image_ids, labels, scores, predicted))
    write_json(source_path(path), source.model_dump() | {DIGEST: _digest(source, path)})


def export_csv(found: ScoreFile, path: Path | str) -> None:
    """Write the rows of a score file that was read as CSV, without a source."""
    write_csv(path, _rows(found.image_ids, found.labels, found.scores, None))


def _rows(
    image_ids: Sequence[str],
    labels: np.ndarray,
    scores: dict[str, Scores],
    predicted: np.ndarray | None,
) -> Rows:
    """One explainer's records after the other's. An unknown prediction is -1."""
    count, times = len(labels), len(scores)
    predicted = np.full(count, UNKNOWN) if predicted is None else predicted
    every = scores.values()
    return Rows(
        image_id=np.tile(np.asarray(image_ids, str), times),
        label=np.tile(labels, times),
        explainer=np.repeat(list(scores), count),
        rho=np.concatenate([one.rho for one in every]),
        status=np.concatenate([one.status for one in every]),
        image=np.concatenate([one.groups for one in every]),
        predicted=np.tile(predicted, times),
    )


def _format(path: Path | str):
    """How a score file is read and written, by its ending."""
    found = _FORMATS.get(Path(path).suffix)
    if found is None:
        raise UserError(f"{path}: a score file ends in {' or '.join(_FORMATS)}")
    return found


def read_scores(path: Path | str) -> ScoreFile:
    """Read and check a score file and its source.

    Raises UserError that names the file and what is wrong with it: a column, a word, a rho outside
    of -1 to 1, an image that is missing or scored twice, counts other than the source's, or any
    other change since it was written.
    """
    path = Path(path)
    read, _ = _format(path)
    source, digest = _read_source(path)
    whole = _digest(source, path) == digest
    if not whole and read is read_parquet:  # damaged bytes are nothing for a binary reader
        _refuse_changed(path)
    try:
        rows = read(path)
    except UserError as error:
        _refuse(path, str(error))
    names = set(rows.explainer.tolist())
    if names != set(source.explainers):
        found = ", ".join(sorted(names)) or "none"
        _refuse(path, f"it has the explainers {found}, not {', '.join(source.explainers)}")
    places = {name: np.flatnonzero(rows.explainer == name) for name in source.explainers}
    first = places[source.explainers[0]]
    image_ids = rows.image_id[first]
    for name, own in places.items():
        ids = image_ids if own is first else rows.image_id[own]
        _check_images(path, name, ids, image_ids, source.images)
    groups = rows.image[first] if rows.image is not None else _listed(path, source, "groups")
    predicted = rows.predicted
    predicted = predicted[first] if predicted is not None else _listed(path, source, "predicted")
    if predicted is not None and (predicted == UNKNOWN).any():
        predicted = None
    if not whole:
        _refuse_changed(path)
    return ScoreFile(
        path,
        source,
        image_ids,
        rows.label[first],
        {name: Scores(rows.rho[own], rows.status[own], groups) for name, own in places.items()},
        predicted,
    )


def check_same_data(first: tuple[Path, ScoreSource], other: tuple[Path, ScoreSource]) -> None:
    """Raise UserError when two score files are not of one data file. Each is given by its `origin`:
    a first file that all others are compared with need not be held.
    """
    digests = [source.data_digest for _, source in (first, other)]
    if len(set(digests)) > 1:
        raise UserError(
            f"{first[0]} and {other[0]} are of different data files: their data digests are "
            f"{digests[0][:12]} and {digests[1][:12]}; score all runs with one data file"
        )


def _listed(path: Path, source: ScoreSource, name: str) -> np.ndarray | None:
    """What the source says of each record, (n,) int; None where it says nothing."""
    values = getattr(source, name)
    if values is None:
        return None
    if len(values) != source.images:
        _refuse(path, f"{source_path(path).name} says of {len(values)} records, not of "
                f"{source.images}, their {name}")  # fmt: skip
    return np.array(values, np.int64)


def _digest(source: ScoreSource, path: Path | str) -> str:
    """Hex SHA-256 of what scores were made from and of the score file."""
    held = json.dumps(source.model_dump(), sort_keys=True)
    return hashlib.sha256(f"{held}\0{sha256(path)}".encode()).hexdigest()


def _refuse(path: Path, problem: str) -> None:
    problem = problem if len(problem) <= _LONGEST else f"{problem[:_LONGEST]} ..."
    raise UserError(f"{path}: {problem}; score the heatmaps again with score_alignment.py")


def _refuse_changed(path: Path) -> None:
    _refuse(path, f"it is not the file that {source_path(path).name} was written for")


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


def _check_images(path: Path, name: str, ids: np.ndarray, first: np.ndarray, count: int) -> None:
    """An explainer has the images of the first one, each once, and as many as the source says."""
    if ids is not first and len(ids) == count and np.array_equal(ids, first):
        return  # no need to look at each
    listed = ids.tolist()
    if len(set(listed)) < len(listed):
        twice = next(one for one in listed if listed.count(one) > 1)
        _refuse(path, f"it has two {name} scores of image {twice}")
    if ids is not first and (missing := set(first.tolist()).symmetric_difference(listed)):
        _refuse(path, f"not every explainer has a score of image {min(missing)}")
    if not np.array_equal(ids, first):
        _refuse(path, f"the images of {name} are in another order than those before")
    if len(listed) != count:
        _refuse(path, f"it has {len(listed)} images, not {count} as {source_path(path).name} says")
