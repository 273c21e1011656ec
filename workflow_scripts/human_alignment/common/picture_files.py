"""Which files of a folder are pictures, by their names alone."""

import os
from collections.abc import Sequence
from pathlib import Path

from .cli import UserError

ENDINGS = (".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")


def find_pictures(folder: Path | str) -> list[Path]:
    """Files of a folder that end as pictures do, sorted by name.

    Raises UserError when there is none.
    """
    if not Path(folder).is_dir():
        raise UserError(f"{folder} is not a folder of pictures")
    files = [path for path in sorted(Path(folder).iterdir()) if path.name[0] != "."]
    found = [path for path in files if path.suffix.lower() in ENDINGS]
    if not found:
        raise UserError(f"{folder} holds no picture; its files may end in {', '.join(ENDINGS)}")
    return found


def files_below(folder: Path | str, endings: Sequence[str]) -> list[Path]:
    """Files of a folder, at any depth, whose names end so; sorted, links followed.

    endings: in lower case; the files' may be in any. Files and folders whose names begin with a dot
    are left out. Raises UserError when `folder` is no folder.
    """
    if not Path(folder).is_dir():
        raise UserError(f"{folder} is not a folder")
    found = []
    for inner, subfolders, names in os.walk(folder, followlinks=True):
        subfolders[:] = [name for name in subfolders if name[0] != "."]
        found += [Path(inner, name) for name in names if name[0] != "."]
    return sorted(path for path in found if path.suffix.lower() in endings)
