"""HDF5 files that are either complete or absent, and are checked against a schema when read."""

import contextlib
import hashlib
import io
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from .cli import UserError
from .files import written_whole

_BLOCK = 512  # bytes of the user block of a sealed file, the fewest that HDF5 allows


class _Stream(io.FileIO):
    """A file for HDF5 to write, which keeps its first error instead of raising it.

    HDF5 writes when objects are freed as well, where Python can only print an exception, and it
    cannot close a file that fails: the process would end with a segmentation fault. After an
    error nothing more is written; whoever opened the stream raises the error in the end.
    """

    error: OSError | None = None

    def write(self, data) -> int:
        """Write all of `data`; returns its size in bytes, also after an error."""
        rest = memoryview(data).cast("B")
        size = len(rest)
        while rest and self.error is None:
            rest = rest[self._tried(super().write, rest) :]
        return size

    def truncate(self, size: int | None = None) -> int:
        """Set the size of the file in bytes."""
        return size if self.error else self._tried(super().truncate, size)

    def _tried(self, call: Callable, argument) -> int | None:
        try:
            return call(argument)
        except OSError as error:
            self.error = error
            return None


@contextlib.contextmanager
def new_hdf5(path: Path | str, **options) -> Iterator[h5py.File]:
    """A new HDF5 file, written whole.

    Raises OSError when the disk is full, at the end of the block: see `_Stream`.
    """
    with written_whole(path) as partial, _Stream(partial, "w+") as stream:
        try:
            with h5py.File(stream, "w", **options) as file:
                yield file
        finally:
            if stream.error:
                raise stream.error


@contextlib.contextmanager
def damage_told(path: Path | str, what: str, remedy: str) -> Iterator[None]:
    """Turn any error that reading a damaged file ends with into one UserError that names the file.

    what: the kind of file.  remedy: follows `delete it and`.
    """
    try:
        yield
    except (OSError, LookupError, ValueError, TypeError, RuntimeError, MemoryError, UserError) as e:
        reason = str(e).strip().split("\n")[0] or type(e).__name__
        raise UserError(
            f"{path} is not a complete {what} ({reason}); delete it and {remedy}"
        ) from e


class Column(NamedTuple):
    """What a dataset of a file must be.

    dtype: numpy's name of the type, `str` for text of any length or `bytes` for text of one length.
    shape: a number or a name for each axis; all axes of one name have one length, and `n+1` is one
    more than `n`.
    """

    dtype: str
    shape: tuple[str | int, ...]
    optional: bool = False

    def __str__(self) -> str:
        """As messages show it: `float32 (n, h, w)`."""
        return f"{self.dtype} ({', '.join(map(str, self.shape))}{',' * (len(self.shape) == 1)})"


def check_columns(file: h5py.File, columns: Mapping[str, Column]) -> dict[str, int]:
    """Check every dataset of a file against its column; no value is read.

    Returns the lengths of the named axes. A dataset must also be stored in full: one that claims
    more values than the file holds bytes for would fill the memory when read.

    Raises UserError with the first dataset that is missing, unknown or another than expected.
    """
    if unknown := sorted(file.keys() - columns.keys()):
        raise UserError(f"it has an unknown dataset {unknown[0]!r}; known are {', '.join(columns)}")
    lengths: dict[str, int] = {}
    for name, column in columns.items():
        if name in file:
            _check_column(name, file[name], column, lengths)
            _check_stored(name, file[name], file.id.get_filesize())
        elif not column.optional:
            raise UserError(f"the dataset {name} is missing; expected {column}")
    return lengths


def _check_column(name: str, found: h5py.Dataset, column: Column, lengths: dict[str, int]) -> None:
    """Type and shape of one dataset; new names of axes enter `lengths`."""
    if not isinstance(found, h5py.Dataset):
        raise UserError(f"{name} is no dataset; expected {column}")
    dtype = _word(found.dtype)
    shape = found.shape if found.shape is not None else ()
    known = ", ".join(f"{axis} = {length}" for axis, length in lengths.items())
    wrong = f"{name} is {dtype} {shape}; expected {column}" + f" with {known}" * bool(known)
    if dtype != column.dtype or len(shape) != len(column.shape):
        raise UserError(wrong)
    for axis, length in zip(column.shape, shape, strict=True):
        if isinstance(axis, str):
            more = axis.endswith("+1")
            length, axis = length - more, lengths.setdefault(axis.removesuffix("+1"), length - more)
        if length != axis:
            raise UserError(wrong)


def _word(dtype: np.dtype) -> str:
    """A dataset's type as columns name it."""
    text = h5py.check_string_dtype(dtype)
    if text is None:
        return str(dtype)
    return "str" if text.length is None else "bytes"


def _check_stored(name: str, found: h5py.Dataset, file_size: int) -> None:
    """The values of a dataset lie uncompressed in this very file."""
    needed, stored = found.size * found.dtype.itemsize, found.id.get_storage_size()
    if found.id.get_create_plist().get_nfilters():
        raise UserError(f"{name} is compressed; expected plain values")
    if not needed <= stored <= file_size:
        raise UserError(f"{name} has the shape {found.shape}, but its values are not all there")


def plain_attributes(file: h5py.File) -> dict:
    """The attributes of a file as values of Python, as a `Record` takes them."""
    return {
        name: value.tolist() if isinstance(value, np.ndarray | np.generic) else value
        for name, value in file.attrs.items()
    }


@contextlib.contextmanager
def new_sealed_hdf5(path: Path | str) -> Iterator[h5py.File]:
    """A new HDF5 file as `new_hdf5` gives it, with the SHA-256 of all its bytes in front of it.

    HDF5 keeps checksums of few of its structures, and a damaged one can make the library run
    without end. The digest is therefore checked without it, by `check_seal`. It stands in what HDF5
    calls the user block, which other programs skip.
    """
    with written_whole(path) as partial:
        with (
            open(partial, "w+b") as stream,
            h5py.File(stream, "w", userblock_size=_BLOCK) as file,
        ):
            yield file
        seal(partial)


def seal(path: Path | str) -> None:
    """Write the digest of a file with a user block into that block."""
    digest = _digest_behind_block(path)
    with open(path, "r+b") as stream:
        stream.write(digest)


def check_seal(path: Path | str) -> None:
    """Raise UserError when a file does not hold the bytes that were written, without opening it."""
    with open(path, "rb") as stream:
        found = stream.read(_BLOCK)
    if found.rstrip(b"\0") != _digest_behind_block(path):
        raise UserError("it is cut short or changed: its digest differs")


def _digest_behind_block(path: Path | str) -> bytes:
    """SHA-256, in hex, of the bytes behind the user block."""
    with open(path, "rb") as stream:
        stream.seek(_BLOCK)
        return hashlib.file_digest(stream, "sha256").hexdigest().encode()
