"""Which files of a folder with one sub-folder per class are its images, and a digest of them."""

import functools
import hashlib
import os

ENDINGS = (".jpeg", ".jpg", ".png")


@functools.cache
def images_digest(root: str) -> str:
    """SHA-256 of the names below `root` and the sizes in bytes of all images in it.

    Times and other files do not count. Read once in a process: an ImageNet takes seconds.
    """
    total = hashlib.sha256()
    for folder, subfolders, names in os.walk(root, followlinks=True):
        subfolders.sort()
        images = sorted(name for name in names if name.lstrip(".").lower().endswith(ENDINGS))
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
