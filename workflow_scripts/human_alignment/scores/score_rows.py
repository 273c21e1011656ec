"""Rows of a score file, in Parquet or in CSV: image_id, label, explainer, rho, status.

Parquet has two more columns, `image` and `predicted`. Readers check single values; what a whole
score file must be is checked in `score_file`.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..common.cli import UserError
from ..common.files import written_whole
from .spearman import CAUSES, OK

# Arrow's own allocator keeps what it got from the system; what C's frees, numpy's arrays take up.
pa.set_memory_pool(pa.system_memory_pool())

COLUMNS = ("image_id", "label", "explainer", "rho", "status")
_WORDS = pa.dictionary(pa.int32(), pa.string())  # a column of text in which each word stands once
_SCHEMA = pa.schema(
    {
        "image_id": _WORDS,
        "label": pa.int64(),
        "explainer": _WORDS,
        "rho": pa.float64(),
        "status": _WORDS,
        "image": pa.int64(),
        "predicted": pa.int64(),
    }
)
STATUSES = (OK, *CAUSES)


@dataclass(frozen=True)
class Rows:
    """Columns of a score file, (rows,) each.

    rho: float64, NaN unless the status is `ok`.  image: which image a record shows.  predicted: the
    class that the network predicts. The last two are None where the file has no such column.
    """

    image_id: np.ndarray
    label: np.ndarray
    explainer: np.ndarray
    rho: np.ndarray
    status: np.ndarray
    image: np.ndarray | None = None
    predicted: np.ndarray | None = None


def write_rows(path: Path | str, header: Sequence[str], rows: Iterable[Sequence]) -> None:
    """Write a CSV file whole; None is an empty cell, a float has all its digits."""
    with written_whole(path) as partial, open(partial, "w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def write_csv(path: Path | str, rows: Rows) -> None:
    """Write the columns COLUMNS as CSV; an undefined rho is an empty cell."""
    values = (
        repr(rho) if status == OK else ""
        for rho, status in zip(rows.rho.tolist(), rows.status.tolist(), strict=True)
    )
    columns = rows.image_id, rows.label, rows.explainer, values, rows.status
    write_rows(path, COLUMNS, zip(*columns, strict=True))


def write_parquet(path: Path | str, rows: Rows) -> None:
    """Write all columns as Parquet; an undefined rho is null."""
    columns = [_column(getattr(rows, field.name), field.type) for field in _SCHEMA]
    table = pa.Table.from_arrays(columns, schema=_SCHEMA)
    with written_whole(path) as partial:
        pq.write_table(table, partial, compression="zstd")


def _column(values: np.ndarray, kind: pa.DataType) -> pa.Array:
    """Values (rows,) as a column of a type of _SCHEMA; NaN is null.

    Made from buffers, because `pa.array` imports pandas: that takes a tenth of a scoring job.
    """
    if kind == _WORDS:
        listed = values.tolist()
        places = {word: place for place, word in enumerate(dict.fromkeys(listed))}
        encoded = [word.encode() for word in places]
        ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
        words = _from_buffers(pa.string(), len(places), None, ends, b"".join(encoded))
        indices = np.array([places[word] for word in listed], np.int32)
        return pa.DictionaryArray.from_arrays(
            _from_buffers(pa.int32(), len(values), None, indices), words
        )
    values = np.ascontiguousarray(values, kind.to_pandas_dtype())
    known = np.packbits(~np.isnan(values), bitorder="little")  # bits as Arrow has them
    return _from_buffers(kind, len(values), known, values)


def _from_buffers(kind: pa.DataType, length: int, *buffers) -> pa.Array:
    """An Arrow array of these buffers; the first says which values are not null, None if all."""
    held = [None if one is None else pa.py_buffer(one) for one in buffers]
    return pa.Array.from_buffers(kind, length, held)


def read_parquet(path: Path | str) -> Rows:
    """Read a Parquet file of all columns. Raises UserError on anything else."""
    try:
        with pq.ParquetFile(path) as file:
            _check_schema(file.schema_arrow)
            columns = {field.name: _values(file, field) for field in _SCHEMA}
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"it is not a Parquet file ({error})") from error
    _check(columns["status"], columns["rho"], ~np.isnan(columns["rho"]), columns["rho"], 1)
    return Rows(**columns)


def _check_schema(schema: pa.Schema) -> None:
    if not schema.equals(_SCHEMA):
        found = ", ".join(f"{field.name} ({field.type})" for field in schema)
        wanted = ", ".join(f"{field.name} ({field.type})" for field in _SCHEMA)
        raise UserError(f"its columns are {found}, not {wanted}")


def _values(file: pq.ParquetFile, field: pa.Field) -> np.ndarray:
    """A column, (rows,), of text as objects. One column at a time takes less memory than all."""
    column = file.read([field.name], use_threads=False)[field.name].combine_chunks()
    if column.null_count and field.name != "rho":
        raise UserError(f"the column {field.name} has an empty cell")
    if field.type == _WORDS:
        words = np.array(column.dictionary.to_pylist(), object)
        return words[column.indices.to_numpy()]
    return column.to_numpy(zero_copy_only=False).copy()


def read_csv(path: Path | str) -> Rows:
    """Read a CSV file of the columns COLUMNS. Raises UserError on anything else."""
    try:
        with open(path, newline="", encoding="utf-8") as stream:
            lines = list(csv.reader(stream))
    except (OSError, csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"it is not a CSV file ({error})") from error
    if not lines or tuple(lines[0]) != COLUMNS:
        found = ", ".join(lines[0]) if lines else "missing"
        raise UserError(f"its columns are {found}, not {', '.join(COLUMNS)}")
    for place, line in enumerate(lines):
        if len(line) != len(COLUMNS):
            raise UserError(f"line {place + 1} has {len(line)} cells, not {len(COLUMNS)}")
    columns = [np.array(column, str)[1:] for column in zip(*lines, strict=True)]
    ids, labels, explainers, text, status = columns
    try:
        labels = labels.astype(np.int64)
    except (ValueError, OverflowError) as error:
        raise UserError(f"a label is not a whole number ({error})") from error
    rho = np.full(len(text), np.nan)
    try:
        rho[status == OK] = text[status == OK].astype(np.float64)
    except ValueError as error:
        raise UserError(f"a rho with status {OK} is not a number ({error})") from error
    _check(status, rho, text != "", text, 2)
    return Rows(ids, labels, explainers, rho, status)


def _check(
    status: np.ndarray, rho: np.ndarray, present: np.ndarray, shown: np.ndarray, first: int
) -> None:
    """Refuse an unknown status, a rho outside of -1 to 1, and one beside a status other than ok.

    present: whether there is a rho.  shown: how messages show it.  first: the number that messages
    give the first row.
    """
    known, ok = np.isin(status, STATUSES), status == OK
    if not known.all():
        row = int(np.argmin(known))
        raise UserError(f"line {row + first} has the unknown status {str(status[row])!r}")
    wrong = np.where(ok, ~(np.abs(rho) <= 1), present)
    if wrong.any():
        row = int(np.argmax(wrong))
        allowed = "a number from -1 to 1" if ok[row] else "an empty cell"
        raise UserError(
            f"line {row + first} has rho {str(shown[row])!r} and status {status[row]}, where rho "
            f"must be {allowed}"
        )
