"""HDF5 files that are either complete or absent."""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

import h5py

from .files import written_whole


class _Stream(io.FileIO):
    """A file that keeps the first error of a write, and then takes what comes without writing it.

    HDF5 writes once more for each object that it closes, and prints a traceback for each that
    fails. On a full disk one error is enough.
    """

    error: OSError | None = None

    def write(self, data) -> int:
        """Write all of `data`, unless a write failed before."""
        rest = memoryview(data)
        try:
            while rest and self.error is None:
                rest = rest[super().write(rest) :]
        except OSError as error:
            self.error = error
        return len(data)

    def truncate(self, size: int | None = None) -> int:
        """Set the file's size, unless a write failed before."""
        try:
            return super().truncate(size) if self.error is None else size
        except OSError as error:
            self.error = error
            return size


@contextlib.contextmanager
def new_hdf5(path: Path | str, **options) -> Iterator[h5py.File]:
    """A new HDF5 file, written whole.

    HDF5 writes through a Python stream: a full disk is then an OSError, raised at the end of the
    block, where HDF5's own files leave the process with a segmentation fault.
    """
    with written_whole(path) as partial, _Stream(partial, "w+") as stream:
        try:
            with h5py.File(stream, "w", **options) as file:
                yield file
        except Exception:
            if stream.error is None:
                raise
        if stream.error is not None:
            raise stream.error
