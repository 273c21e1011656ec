"""Files that are either complete or absent, and digests of what is in them. Python alone."""

import contextlib
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .cli import UserError


@contextlib.contextmanager
def written_whole(path: Path | str) -> Iterator[Path]:
    """Give a temporary name beside `path`; move it to `path` when the block ends without error.

    On any error the temporary file is removed and an older file at `path` stays as it was. What a
    killed writer of `path` left is removed first, see `remove_leftovers`. An
    OSError that names no file, as a full disk's does, then names `path`. The file is readable by
    others as the umask says, also where a library creates its files for the user alone.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path)
    # The ending stays: matplotlib and others read the format from it.
    partial = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        yield partial
        mask = os.umask(0)
        os.umask(mask)
        partial.chmod(0o666 & ~mask)
        os.replace(partial, path)
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
    finally:
        partial.unlink(missing_ok=True)


def remove_leftovers(path: Path | str) -> None:
    """Remove temporary files of `written_whole` beside `path` that a killed writer of it left.

    They are known by the name of the output: the number in it may be of a process of another
    machine. Temporary files of other outputs stay, so no two processes may write one output.
    """
    path = Path(path)
    name = re.compile(rf"\.{re.escape(path.stem)}\.\d+\.partial{re.escape(path.suffix)}")
    for file in path.parent.iterdir():
        if name.fullmatch(file.name):
            file.unlink(missing_ok=True)


def json_text(value) -> str:
    """`value` as indented JSON with sorted keys."""
    return json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n"


def check_room(path: Path | str, size: int) -> None:
    """Check, before long work, that a file of `size` bytes can be written at `path`.

    Makes the folder. Raises UserError that names the file, and what is missing.
    """
    folder = Path(path).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as trial:
            trial.write(b"x")
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror} ({folder})") from error
    free = shutil.disk_usage(folder).free
    if free < size:
        raise UserError(
            f"{path} needs {size / 1e6:,.1f} MB; the disk of {folder} has {free / 1e6:,.1f} MB left"
        )


def write_json(path: Path | str, value) -> None:
    """Write `value` as `json_text` gives it, whole or not at all."""
    with written_whole(path) as partial:
        partial.write_text(json_text(value))


def sha256(path: Path | str) -> str:
    """Hex SHA-256 of a file's bytes."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def content_digest(path: Path | str) -> str:
    """Hex SHA-256 of a file's bytes, or of the names and bytes of all files in a folder.

    Files and folders whose names begin with a dot do not count.
    """
    if not Path(path).is_dir():
        return sha256(path)
    total = hashlib.sha256()
    for folder, subfolders, names in os.walk(path, followlinks=True):
        subfolders[:] = sorted(name for name in subfolders if name[0] != ".")
        for name in sorted(name for name in names if name[0] != "."):
            file = os.path.join(folder, name)
            total.update(f"{os.path.relpath(file, path)}\0{sha256(file)}\n".encode())
    return total.hexdigest()
