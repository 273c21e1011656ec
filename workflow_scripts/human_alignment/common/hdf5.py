"""HDF5 files that are either complete or absent."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import h5py

from .files import written_whole


@contextlib.contextmanager
def new_hdf5(path: Path | str, **options) -> Iterator[h5py.File]:
    """A new HDF5 file, written whole.

    HDF5 writes through a Python stream: a full disk is then an OSError, where HDF5's own files
    leave the process with a segmentation fault.
    """
    with (
        written_whole(path) as partial,
        open(partial, "w+b") as stream,
        h5py.File(stream, "w", **options) as file,
    ):
        yield file
