"""Images in one sub-folder per class, by names and sizes alone: the classes, and a digest."""

import functools
import hashlib
import os
from pathlib import Path

from .cli import UserError

ENDINGS = (".jpeg", ".jpg", ".png")  # of the files that timm lists


@functools.cache
def images_digest(root: str, endings: tuple[str, ...] = ENDINGS) -> str:
    """SHA-256 of the names below `root` and the sizes in bytes of all images in it.

    Times and other files do not count. Read once in a process: an ImageNet takes seconds.
    """
    total = hashlib.sha256()
    for folder, subfolders, names in os.walk(root, followlinks=True):
        subfolders.sort()
        images = sorted(name for name in names if name.lstrip(".").lower().endswith(endings))
        total.update(repr((os.path.relpath(folder, root), images, _sizes(folder, images))).encode())
    return total.hexdigest()


def _sizes(folder: str, names: list[str]) -> list[int | None]:
    """Sizes of files of one folder; None for a broken link."""
    here = os.open(folder, os.O_RDONLY)  # names relative to it are found faster than whole paths
    try:
        return [_size(name, here) for name in names]
    finally:
        os.close(here)


def _size(name: str, folder: int) -> int | None:
    try:
        return os.stat(name, dir_fd=folder).st_size
    except FileNotFoundError:
        return None


def class_folders(root: Path | str) -> set[str]:
    """Names of the folders below `root`, at any depth, that hold images: the classes of timm.

    A folder with an image is not searched further, so that a million images take a moment.
    Raises UserError when there are not two such folders, and when images lie beside them.
    """
    expected = "expected one sub-folder of images per class"
    if not Path(root).is_dir():
        raise UserError(f"{root} is not a folder; {expected}")
    try:
        inner, image = _split(root)
        found = set().union(*map(_holding_images, inner))
    except OSError as error:
        raise UserError(f"{root} cannot be searched for images: {error}") from error
    if image:
        raise UserError(f"{root} holds images such as {image} in no class folder; {expected}")
    if len(found) < 2:
        held = f"has images in a single one, {found.pop()!r}" if found else "holds none"
        raise UserError(f"{root}: {expected}, ending in {', '.join(ENDINGS)}; it {held}")
    return found


def _split(folder: Path | str) -> tuple[list[str], str | None]:
    """Paths of the folders in a folder, and the name of an image in it, where the search ends."""
    inner = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                inner.append(entry.path)
            elif entry.name.lower().endswith(ENDINGS):
                return inner, entry.name
    return inner, None


def _holding_images(folder: str) -> set[str]:
    inner, image = _split(folder)
    return {Path(folder).name} if image else set().union(*map(_holding_images, inner))
