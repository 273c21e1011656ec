"""HDF5 files that are either complete or absent."""

import contextlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py

from .files import written_whole


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
