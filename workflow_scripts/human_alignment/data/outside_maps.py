"""Maps that others made of images, by name: what their models or their observers look at.

They lie in a folder, one file a map, or in one HDF5 file:

- `<folder>/<name>.png`, `.tif` or `.tiff`: one channel of 1, 8, 16 or 32 bits or float32; `.npy`: a
  numpy array (height, width) of numbers; or `.npz` with one such array. A name with slashes is a
  file in sub-folders.
- `image_id`, bytes (n,), and `map`, float (n, height, width).

Maps may be of any size up to 4096 pixels a side.
"""

import argparse
import contextlib
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import h5py
import numpy as np
from PIL import Image

from ..common.cli import UserError
from ..common.map_files import find_maps
from .data_file import LARGEST
from .decoding import UNREADABLE

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_GREY = ("1", "L", "I", "I;16", "I;16B", "I;16L", "F")  # Pillow's names of one channel
_WANTED = "a folder of <image_id>.png, .tif, .npy or .npz, or an HDF5 file with image_id and map"
_BROKEN = (*UNREADABLE, LookupError, TypeError, RuntimeError, MemoryError, EOFError)
_BROKEN += (zipfile.BadZipFile, zlib.error, NotImplementedError)  # of an .npz file
_LARGEST_ARRAY = LARGEST**2 * 8 + 10_000  # bytes of an .npz file's array and its header


def maps_argument(text: str) -> tuple[str, str]:
    """Parse a command-line value `NAME=PATH` (an argparse `type`): the name and the path."""
    name, equals, path = text.partition("=")
    if not (NAME.fullmatch(name) and equals and path):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not NAME=PATH, with a name of letters, digits, _ . and -"
        )
    return name, path


class Maps:
    """Maps by name, read one by one.

    path: of the folder or the HDF5 file.  called: begins what messages call them.

    Raises UserError that names the path when it does not exist, is of an unknown format, or has two
    maps of one name.
    """

    def __init__(self, path: Path | str, called: str = "the maps"):
        self.path, self._called = Path(path), called
        if not self.path.exists():
            raise UserError(f"{self._named()} does not exist; allowed: {_WANTED}")
        self._file: h5py.File | None = None
        self._places: dict[str, Path | int]
        self._places = self._listed_folder() if self.path.is_dir() else self._listed_file()

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        if self._file is not None:
            self._file.close()

    @property
    def names(self) -> list[str]:
        """Names of all maps."""
        return list(self._places)

    def place(self, name: str) -> str:
        """How messages call a map."""
        place = self._places[name]
        return self._named() + f" image {name!r}" if self._file else f"the map {place}"

    def map(self, name: str) -> np.ndarray | None:
        """A map, float32 (height, width); None where there is none of this name.

        Raises UserError that names the map when it cannot be read, is not of one channel or not
        of numbers, is empty or too large, or holds a value that is not finite.
        """
        if name not in self._places:
            return None
        place, where = self._places[name], self.place(name)
        with _told(where):
            found = self._file["map"][place] if self._file else _read(place, where)
        if found.ndim != 2 or not 1 <= min(found.shape) <= max(found.shape) <= LARGEST:
            raise UserError(
                f"{where} has the shape {found.shape}; allowed: (height, width), sides of 1 to "
                f"{LARGEST} pixels"
            )
        if found.dtype.kind not in "fiub":
            raise UserError(f"{where} is of {found.dtype}; allowed: numbers")
        with np.errstate(over="ignore"):  # a value too large for float32 is told as infinite
            found = found.astype(np.float32)
        if not np.isfinite(found).all():
            raise UserError(f"{where} holds NaN or an infinite value; allowed: finite numbers")
        return found

    def _named(self) -> str:
        """How messages name the maps."""
        return f"{self._called} {self.path},"

    def _listed_folder(self) -> dict[str, Path]:
        """Files of maps by image id. Raises UserError when two are of one id."""
        found: dict[str, Path] = {}
        for path in find_maps(self.path):
            image_id = path.relative_to(self.path).with_suffix("").as_posix()
            if image_id in found:
                raise UserError(
                    f"{found[image_id]} and {path} are maps of one image; keep one of them"
                )
            found[image_id] = path
        return found

    def _listed_file(self) -> dict[str, int]:
        """Rows of the HDF5 file by image id. Raises UserError on another file."""
        if not h5py.is_hdf5(self.path):
            raise UserError(f"{self._named()} is of an unknown format; allowed: {_WANTED}")
        with _told(self._named()):
            self._file = h5py.File(self.path)
            ids, maps = (self._file.get(name) for name in ("image_id", "map"))
            kinds = [
                f"{name} is {'missing' if one is None else f'{one.dtype} {one.shape}'}"
                for name, one in (("image_id", ids), ("map", maps))
            ]
            if (
                ids is None or maps is None or ids.ndim != 1 or maps.ndim != 3
                or ids.dtype.kind not in "SO" or maps.dtype.kind != "f" or len(ids) != len(maps)
            ):  # fmt: skip
                raise UserError(
                    f"{self._named()} cannot be used: {', '.join(kinds)}; allowed: image_id bytes "
                    "(n,) and map float (n, height, width)"
                )
            names = [one.decode() for one in ids[:].tolist()]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise UserError(f"{self._named()} holds two maps of image {twice!r}; keep one of them")
        return {name: row for row, name in enumerate(names)}


class OutsideMaps(Maps):
    """The maps that one model made of the images of a data file.

    name: how tables call the model.  image_ids: of the data file.  unmatched: how many maps are of
    none of these images.

    Raises UserError as `Maps` does, and when there is no map of any image.
    """

    def __init__(self, name: str, path: Path | str, image_ids: Sequence[str]):
        super().__init__(path, f"the maps {name!r},")
        self.name, found = name, self._places
        self._places = {key: found[key] for key in image_ids if key in found}
        self.unmatched = len(found) - len(self._places)
        if not self._places:
            example = f", such as {next(iter(found))!r}" if found else ""
            raise UserError(
                f"{self._named()} holds {len(found)} maps{example}, but none of an image of the "
                f"data file, such as {image_ids[0]!r}; name each map by its image's id"
            )


@contextlib.contextmanager
def _told(where: str) -> Iterator[None]:
    """Turn what reading a damaged file ends with into a UserError that names it."""
    try:
        yield
    except UserError:
        raise
    except _BROKEN as error:
        raise UserError(f"{where} cannot be read ({error}); make it again") from error


def _read(path: Path, where: str) -> np.ndarray:
    """A map as its file has it. where: begins the message of errors."""
    if path.suffix.lower() == ".npy":
        return np.load(path, mmap_mode="r", allow_pickle=False)
    if path.suffix.lower() == ".npz":
        return _only_array(path, where)
    with Image.open(path) as picture:
        if picture.mode not in _GREY or getattr(picture, "n_frames", 1) > 1:
            raise UserError(
                f"{where} has the mode {picture.mode} and {getattr(picture, 'n_frames', 1)} "
                "pages; allowed: one page of one grey channel; convert it to grey levels"
            )
        if max(picture.size) > LARGEST:
            raise UserError(f"{where} is {picture.size}; allowed: sides of {LARGEST} at most")
        return np.asarray(picture)


def _only_array(path: Path, where: str) -> np.ndarray:
    """The one array of an .npz file. where: begins the message of errors."""
    with np.load(path, allow_pickle=False) as held:
        if len(held.files) != 1:
            raise UserError(f"{where} holds {len(held.files)} arrays; allowed: one")
        # What a few compressed bytes can grow to is looked at before they do.
        if held.zip.infolist()[0].file_size > _LARGEST_ARRAY:
            raise UserError(f"{where} is too large; allowed: sides of {LARGEST} pixels at most")
        return np.asarray(held[held.files[0]])
