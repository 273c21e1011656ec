"""Which files of a folder are pictures, by their names alone."""

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
