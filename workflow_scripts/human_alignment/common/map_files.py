"""Which files of a folder are saliency maps, by their names alone, and whether they changed."""

import functools
import hashlib
import os
from pathlib import Path

from .picture_files import files_below

ENDINGS = (".npy", ".npz", ".png", ".tif", ".tiff")


def find_maps(folder: Path | str) -> list[Path]:
    """Files in a folder that end as maps do, as `files_below` finds them."""
    return files_below(folder, ENDINGS)


@functools.cache
def maps_digest(path: str) -> str:
    """SHA-256 of names, sizes and times of the maps at a path: those in a folder, or one file.

    The time counts, because a map that is made anew often has the size of the one before.
    """
    root, total = Path(path), hashlib.sha256()
    for one in find_maps(root) if root.is_dir() else [root]:
        found = os.stat(one)
        total.update(repr((str(one.relative_to(root)), found.st_size, found.st_mtime_ns)).encode())
    return total.hexdigest()
