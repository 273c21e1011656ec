"""Which files of a folder are pictures, and which folders are classes, by names alone."""

import os
from pathlib import Path

from .cli import UserError

ENDINGS = (".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
CLASS_ENDINGS = (".jpeg", ".jpg", ".png")  # those that timm lists, which reads class folders


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
        raise UserError(f"{root}: {expected}, ending in {', '.join(CLASS_ENDINGS)}; it {held}")
    return found


def _split(folder: Path | str) -> tuple[list[str], str | None]:
    """Paths of the folders in a folder, and the name of an image in it, where the search ends."""
    inner = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                inner.append(entry.path)
            elif entry.name.lower().endswith(CLASS_ENDINGS):
                return inner, entry.name
    return inner, None


def _holding_images(folder: str) -> set[str]:
    inner, image = _split(folder)
    return {Path(folder).name} if image else set().union(*map(_holding_images, inner))
