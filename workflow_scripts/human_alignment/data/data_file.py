"""The one data file of a study: encoded images, labels, image ids and human maps (HDF5).

Layout, for n images:

=============== ============ ==========================================================
image_bytes     uint8 (b,)   the encoded images (JPEG or PNG), one after the other
image_offset    int64 (n+1,) where each image begins in `image_bytes`; the last is b
label           int32 (n,)   class index; `UNKNOWN` in a file of pictures without labels
image_id        bytes (n,)   unique name, UTF-8
image_digest    uint8 (n,32) SHA-256 of each image's bytes
pixel_digest    uint8 (n,32) SHA-256 of each image's decoded pixels, and their shape
human_map       float32      (n, h, w); absent in a training file
map_digest      uint8 (n,32) SHA-256 of each human map; absent where these are
box             int16 (n,4)  object's left, top, right, bottom in pixels; optional
=============== ============ ==========================================================

The attribute `about` holds, as JSON: `dataset` (name), `description` (one sentence for captions),
`num_classes`, `image_size` (side in pixels at which images are shown to models and maps are
compared), `digest` (SHA-256 of the two numbers and of all records in order) and `skipped` (the
records left out, and why). Absent where they are not known are `human_ceiling`, a number above 0
and at most 1, and `class_names`, one for each class. Neither `about` nor the ids are text of
varying length, as HDF5 calls it: the library keeps no checksum of such text, and damage there can
make it run without end.

Records whose pixels are equal are of one image, whatever its file: intervals resample images, not
records. `DataFile.groups` numbers the images.

Opening a file checks everything but images and human maps against `digest`. Each of these is
checked against its own digest when it is read, so that a job hashes what it uses and no more.

The human ceiling is what a protocol may divide the mean rho by. ClickMe's, 0.65753, is the average
alignment between human raters that serre-lab/Harmonization states as a constant; no code that
computes it is public. It is no upper bound for a heatmap that is compared with the average map of
many raters. Neither it nor the class names are part of the digest: heatmaps do not depend on them.
"""

import contextlib
import hashlib
import json
from collections.abc import Iterable, Sequence
from numbers import Integral
from pathlib import Path

import h5py
import numpy as np
from pydantic import Field

from ..common.cli import UserError
from ..common.hdf5 import Column, check_columns, damage_told, new_hdf5
from ..common.records import Record, checked
from .decoding import decode

UNKNOWN = -1  # the label of an image without one
_BUFFER = 256  # records held in memory before they are written
_INT16 = np.iinfo(np.int16)
LARGEST = 4096  # pixels of the side of an image as shown, and of a human map

_DIGESTS = ("image_digest", "pixel_digest", "map_digest")  # columns, as the file's digest has them
COLUMNS = {
    "label": Column("int32", ("n",)),
    "image_id": Column("bytes", ("n",)),
    "image_offset": Column("int64", ("n+1",)),
    "image_bytes": Column("uint8", ("b",)),
    "image_digest": Column("uint8", ("n", 32)),
    "pixel_digest": Column("uint8", ("n", 32)),
    "human_map": Column("float32", ("n", "h", "w"), optional=True),
    "map_digest": Column("uint8", ("n", 32), optional=True),
    "box": Column("int16", ("n", 4), optional=True),
}


class Skipped(Record):
    """A record that was left out, and why."""

    record: str
    reason: str


class About(Record):
    """The attribute `about` of a data file."""

    dataset: str
    description: str
    num_classes: int = Field(ge=1, description="a whole number, 1 or more")
    image_size: int = Field(ge=1, le=LARGEST, description=f"a whole number from 1 to {LARGEST}")
    digest: str
    skipped: list[Skipped] = Field(description="a list of records left out, and why")
    human_ceiling: float | None = Field(
        None, gt=0, le=1, description="null, or a number above 0 and at most 1"
    )
    class_names: list[str] | None = Field(None, description="null, or a name for each class")


def images_line(path: Path | str, other: Path | str | None = None) -> str:
    """One line for a log: how many images the records of a data file show.

    other: another split, whose images are counted in this one.
    """
    with DataFile(path) as data:
        _, counts = np.unique(data.groups, return_counts=True)
        line = f"{path}: {len(data)} records of {len(counts)} images"
        line += f", {np.sum(counts > 1)} of them in several records"
        if other is None:
            return line
        with DataFile(other) as split:
            return f"{line}; {data.shared_with(split)} records show an image of {other}"


def _array_digest(array: np.ndarray) -> bytes:
    """SHA-256 of an array's values and shape: a human map, float32, or an image's pixels, uint8."""
    digest = hashlib.sha256(f"{array.shape}".encode())
    digest.update(np.ascontiguousarray(array))
    return digest.digest()


class _Digest:
    """The digest of a data file, record by record."""

    def __init__(self, num_classes: int, image_size: int):
        self._hash = hashlib.sha256(f"{num_classes}\0{image_size}\0".encode())

    def add(self, image_id: str, label: int, *parts: bytes) -> None:
        """Add a record. parts: the digests of image and human map, and the box, as it has them."""
        self._hash.update(b"".join([f"{image_id}\0{label}\0".encode(), *parts]))

    def hex(self) -> str:
        """In hex, of the records so far."""
        return self._hash.hexdigest()


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _is_text(value: object) -> bool:
    """Whether HDF5 can hold a value as text that is not empty."""
    if not isinstance(value, str) or not value or "\0" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:  # of a file name that is not UTF-8
        return False
    return True


def _checked_map(human_map: np.ndarray, place: str) -> np.ndarray:
    """A human map as float32 (h, w). place: begins the message of the UserError."""
    try:
        found = np.ascontiguousarray(human_map, np.float32)
    except (TypeError, ValueError) as error:
        raise UserError(f"{place} its human map is not made of numbers ({error})") from error
    shape = np.shape(human_map)
    if len(shape) != 2 or found.size == 0:
        raise UserError(f"{place} its human map is {shape}; allowed: (height, width)")
    if max(shape) > LARGEST:
        raise UserError(f"{place} its human map is {shape}; allowed: sides of {LARGEST} at most")
    wrong = found[~(np.isfinite(found) & (found >= 0))]
    if wrong.size:
        raise UserError(
            f"{place} its human map holds {wrong[0]}; allowed: finite numbers, 0 or more"
        )
    return found


def _checked_box(box: tuple[int, int, int, int], place: str) -> np.ndarray:
    """A box as int16 (4,). place: begins the message of the UserError."""
    four = isinstance(box, tuple | list | np.ndarray) and len(box) == 4
    if not (four and all(_is_whole(v) and _INT16.min <= v <= _INT16.max for v in box)):
        raise UserError(
            f"{place} its box is {box!r}; allowed: four whole numbers of pixels (left, top, "
            f"right, bottom), {_INT16.max} at most"
        )
    return np.asarray(box, np.int16)


def _check_ceiling(ceiling: float | None) -> None:
    """Raise UserError unless the ceiling is None, or above 0 and at most 1; NaN is neither."""
    if ceiling is not None and not 0 < ceiling <= 1:
        raise UserError(
            f"the human ceiling {ceiling:g} is not a number above 0 and at most 1; give such a "
            "number, or leave it out where none is known"
        )


def check_class_names(names: Sequence[str], count: int) -> None:
    """Raise UserError unless there are `count` names, each a text that no other class has."""
    if len(names) != count:
        raise UserError(f"there are {len(names)} class names for {count} classes; give one each")
    for number, name in enumerate(names):
        if not _is_text(name):
            raise UserError(f"the name of class {number} is {name!r}; allowed: text, not empty")
    if len(set(names)) < count:
        twice = next(name for name in names if list(names).count(name) > 1)
        raise UserError(f"two classes have the name {twice!r}; give each its own")


class DataWriter:
    """Write a data file record by record; it appears under its name only when complete.

    human_ceiling: of the data set, above 0 and at most 1; None where none is known. Raises
    UserError when it is out of range.
    class_names: one for each class, in order; None where they are ImageNet's or have no names.
    Raises UserError as `check_class_names` does.

    >>> with DataWriter("x.h5", dataset="digits", description="...", num_classes=10,
    ...                 image_size=64) as writer:
    ...     writer.append(png, label=3, image_id="test-0", human_map=map64)

    Raises UserError when `num_classes` or `image_size` is no whole number above zero, and when
    `image_size` is above LARGEST.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        dataset: str,
        description: str,
        num_classes: int,
        image_size: int,
        human_ceiling: float | None = None,
        class_names: Sequence[str] | None = None,
    ):
        _check_ceiling(human_ceiling)
        for name, value in (("num_classes", num_classes), ("image_size", image_size)):
            if not _is_whole(value) or value < 1:
                raise UserError(
                    f"data file {path}: {name} is {value!r}; allowed: a whole number, 1 or more"
                )
        if image_size > LARGEST:
            raise UserError(
                f"data file {path}: image_size is {image_size}; allowed: {LARGEST} pixels at most"
            )
        self._whole = new_hdf5(path, libver="latest")
        self._attributes = dict(
            dataset=dataset,
            description=description,
            num_classes=int(num_classes),  # JSON knows no integer of numpy
            image_size=int(image_size),
        )
        if human_ceiling is not None:
            self._attributes["human_ceiling"] = float(human_ceiling)
        if class_names is not None:
            check_class_names(class_names, num_classes)
            self._attributes["class_names"] = list(class_names)
        self._digest = _Digest(num_classes, image_size)
        self._rows: list[dict] = []
        self._ids: dict[str, None] = {}  # in order
        self._shapes: dict[str, tuple] | None = None  # of a record's fields; None at first
        self._bytes = 0
        self._count = 0
        self._skipped: list[dict] = []

    def __enter__(self) -> "DataWriter":
        self._file = self._whole.__enter__()
        return self

    def append(
        self,
        image: bytes,
        label: int | None,
        image_id: str,
        human_map: np.ndarray | None = None,
        box: tuple[int, int, int, int] | None = None,
    ) -> None:
        """Add one record. Labels, human maps and boxes are in all records of a file or in none.

        image: an encoded image (JPEG or PNG); it is decoded.  label: 0 to
        num_classes - 1, or None if it is unknown.  image_id: text that no other record has.
        human_map: (h, w), the same in every record; finite numbers, 0 or more.
        box: left, top, right, bottom in pixels.

        Raises UserError that names the image id of a record that is otherwise; nothing is added.
        """
        if not _is_text(image_id):
            raise UserError(
                f"image id {image_id!r} of record {self._count + len(self._rows) + 1}; allowed: "
                "text (UTF-8, without NUL) that is not empty"
            )
        if image_id in self._ids:
            raise UserError(f"image id {image_id!r} stands twice; each image needs its own")
        place = f"image {str(image_id)!r}:"
        row = {"image": image, "label": self._checked_label(label, place), "image_id": image_id}
        if not isinstance(image, bytes):
            kind = type(image).__name__
            raise UserError(f"{place} it is given as {kind}; allowed: the bytes of a JPEG or PNG")
        row["pixel_digest"] = _array_digest(decode(image, f"image {image_id!r}"))
        if human_map is not None:
            row["human_map"] = _checked_map(human_map, place)
        if box is not None:
            row["box"] = _checked_box(box, place)
        self._check_like_before(row, place)
        self._ids[image_id] = None
        row["image_digest"] = hashlib.sha256(image).digest()
        if human_map is not None:
            row["map_digest"] = _array_digest(row["human_map"])
        parts = [row[name] for name in (*_DIGESTS, "box") if name in row]
        self._digest.add(image_id, row["label"], *parts)
        self._rows.append(row)
        if len(self._rows) == _BUFFER:
            self._flush()

    def _checked_label(self, label: int | None, place: str) -> int:
        """The number to store for a label. place: begins the message of the UserError."""
        classes = self._attributes["num_classes"]
        if label is None:
            return UNKNOWN
        if not _is_whole(label) or not 0 <= label < classes:
            raise UserError(
                f"{place} its label is {label!r}; allowed: a whole number from 0 to {classes - 1}"
            )
        return int(label)

    def _check_like_before(self, row: dict, place: str) -> None:
        """Labels and optional fields are in all records or in none, and of one shape.

        Raises UserError that begins with `place`.
        """
        shapes = {name: row[name].shape for name in ("human_map", "box") if name in row}
        if row["label"] != UNKNOWN:
            shapes["label"] = ()
        if self._shapes is None:
            self._shapes = shapes
        before = self._shapes
        for name in sorted(shapes.keys() | before.keys()):
            word = name.replace("_", " ")
            if (name in shapes) != (name in before):
                here, there = ("a", "none") if name in shapes else ("no", "one")
                raise UserError(f"{place} it has {here} {word}, images before it have {there}")
            if shapes[name] != before[name]:
                raise UserError(
                    f"{place} its {word} is {shapes[name]}, those before it are {before[name]}"
                )

    def skip(self, record: str, reason: str) -> None:
        """Note a record that was left out; it is listed in the file's `skipped` attribute."""
        self._skipped.append({"record": record, "reason": reason})

    def _extend(self, name: str, values: np.ndarray, dtype=None, chunk: int = 256) -> None:
        if name not in self._file:
            shape = values.shape[1:]
            self._file.create_dataset(
                name,
                (0, *shape),
                maxshape=(None, *shape),
                chunks=(chunk, *shape),
                dtype=dtype or values.dtype,
            )
        dataset = self._file[name]
        dataset.resize(len(dataset) + len(values), axis=0)
        dataset[len(dataset) - len(values) :] = values

    def _flush(self) -> None:
        if not self._rows:
            return
        rows, self._rows = self._rows, []
        lengths = np.array([len(row["image"]) for row in rows], np.int64)
        ends = self._bytes + np.cumsum(lengths)
        if self._count == 0:
            self._extend("image_offset", np.zeros(1, np.int64), chunk=4096)
        self._extend("image_offset", ends)
        joined = np.frombuffer(b"".join(row["image"] for row in rows), np.uint8)
        self._extend("image_bytes", joined, chunk=1 << 20)
        self._extend("label", np.array([row["label"] for row in rows], np.int32), chunk=4096)
        for name in _DIGESTS:
            if name in rows[0]:
                found = b"".join(row[name] for row in rows)
                self._extend(name, np.frombuffer(found, np.uint8).reshape(-1, 32), chunk=4096)
        if "human_map" in rows[0]:
            self._extend("human_map", np.stack([row["human_map"] for row in rows]), chunk=16)
        if "box" in rows[0]:
            self._extend("box", np.stack([row["box"] for row in rows]), chunk=4096)
        self._bytes += int(lengths.sum())
        self._count += len(rows)

    def __exit__(self, kind, error, trace) -> None:
        try:
            if kind is None:
                self._flush()
                if self._count == 0:
                    raise UserError("no record to write: the data file would be empty")
                self._file["image_id"] = np.array([name.encode() for name in self._ids])
                end = {"digest": self._digest.hex(), "skipped": self._skipped}
                # A numpy integer is none of JSON's.
                numbers = {
                    name: int(self._attributes[name]) for name in ("num_classes", "image_size")
                }
                about = json.dumps(self._attributes | numbers | end, sort_keys=True)
                self._file.attrs["about"] = np.bytes_(about.encode())
            self._file.close()
        except BaseException as failure:
            self._file.close()
            self._whole.__exit__(type(failure), failure, failure.__traceback__)
            raise
        self._whole.__exit__(kind, error, trace)


class DataFile:
    """Read a data file. Slices are contiguous reads; nothing is loaded that is not asked for.

    Safe to hand to loader workers: each process opens the file for itself on first use.

    Raises UserError when the file is missing, cut short, of another kind, or not what was written.
    """

    def __init__(self, path: Path | str):
        self.path = Path(path)
        if not self.path.is_file():
            raise UserError(f"data file {self.path} does not exist; a prepare_* script makes it")
        self._handle: h5py.File | None = None
        with self._damage_told(), contextlib.ExitStack() as refused:
            refused.push(self)
            lengths = check_columns(self._file, COLUMNS)
            found = checked(About, "about", json.loads(self._file.attrs["about"]))
            if max(lengths.get("h", 1), lengths.get("w", 1)) > LARGEST:
                raise UserError(f"its human maps have more than {LARGEST} pixels a side")
            self._offsets = self._file["image_offset"][:]
            self.labels: np.ndarray = self._file["label"][:]
            self.image_ids: list[str] = [one.decode() for one in self._file["image_id"][:].tolist()]
            self._digests = {name: self._file[name][:] for name in _DIGESTS if name in self}
            self._check(found, lengths["b"])
            refused.pop_all()  # it is not: it stays open
        self.dataset, self.description = found.dataset, found.description
        self.num_classes, self.image_size = found.num_classes, found.image_size
        self.digest, self.human_ceiling = found.digest, found.human_ceiling
        self.class_names: list[str] | None = found.class_names
        self.skipped: list[dict] = [one.model_dump() for one in found.skipped]

    def _damage_told(self):
        return damage_told(self.path, "data file", "prepare it again")

    def _check(self, attributes: About, size: int) -> None:
        """Ranges of the short columns, and their digest. size: of `image_bytes`."""
        labels, offsets, classes = self.labels, self._offsets, attributes.num_classes
        if not len(labels):
            raise UserError("it holds no image")
        wrong = (labels < 0) | (labels >= classes)
        if wrong.any() and (labels != UNKNOWN).any():
            row = int(np.argmax(wrong))
            raise UserError(f"the label of image {self.image_ids[row]!r} is {labels[row]}; "
                            f"allowed: 0 to {classes - 1}")  # fmt: skip
        if offsets[0] != 0 or offsets[-1] != size or (np.diff(offsets) <= 0).any():
            raise UserError(
                f"image_offset does not rise from 0 to {size}, the length of image_bytes"
            )
        if attributes.class_names is not None:
            check_class_names(attributes.class_names, classes)
        if ("human_map" in self) != ("map_digest" in self):
            raise UserError("of human_map and map_digest it has only one")
        digest = _Digest(classes, attributes.image_size)
        columns = [map(bytes, column) for column in self._digests.values()]
        columns += [map(bytes, self.boxes())] if "box" in self else []
        for record in zip(self.image_ids, labels.tolist(), *columns, strict=True):
            digest.add(*record)
        if digest.hex() != attributes.digest:
            raise UserError("its records are not those that were written: the digest differs")

    def __contains__(self, name: str) -> bool:
        """Whether the file has a dataset of this name."""
        return name in self._file

    @property
    def _file(self) -> h5py.File:
        if self._handle is None:
            self._handle = h5py.File(self.path, "r")
        return self._handle

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_handle": None}

    def __enter__(self) -> "DataFile":
        return self

    def __exit__(self, *_) -> None:
        if self._handle is not None:
            self._handle.close()
            self._handle = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def groups(self) -> np.ndarray:
        """The image of each record, int64 (n,): the row of the first record with its pixels."""
        _, first, place = np.unique(
            self._digests["pixel_digest"], axis=0, return_index=True, return_inverse=True
        )
        return first[place.reshape(-1)]

    def shared_with(self, other: "DataFile") -> int:
        """How many records of this file are of an image that the other file has too."""
        theirs = {one.tobytes() for one in other._digests["pixel_digest"]}
        return sum(one.tobytes() in theirs for one in self._digests["pixel_digest"])

    def images(self, start: int, stop: int) -> list[bytes]:
        """Encoded bytes of images `start` to `stop` (exclusive).

        Raises UserError that names the image and the file when its bytes are not those written.
        """
        offsets = self._offsets[start : stop + 1]
        with self._damage_told():
            block = self._file["image_bytes"][offsets[0] : offsets[-1]].tobytes()
        begin = offsets - offsets[0]
        images = [block[a:b] for a, b in zip(begin[:-1], begin[1:], strict=True)]
        found = (hashlib.sha256(image).digest() for image in images)
        self._compare("image_digest", start, found)
        return images

    def human_maps(self, start: int, stop: int) -> np.ndarray:
        """Human maps of images `start` to `stop`, float32 (stop - start, h, w).

        Raises UserError when the file has none, and one that names the image and the file when its
        map is not the one written.
        """
        if "human_map" not in self:
            raise UserError(f"{self.path} holds no human maps: it is a training file")
        with self._damage_told():
            maps = self._file["human_map"][start:stop]
        self._compare("map_digest", start, map(_array_digest, maps))
        return maps

    def _compare(self, column: str, start: int, digests: Iterable[bytes]) -> None:
        """Compare digests of what was read, from row `start` on, with the file's own."""
        for row, found in enumerate(digests, start):
            if found != self._digests[column][row].tobytes():
                what = {"image_digest": "the image", "map_digest": "its human map"}[column]
                raise UserError(
                    f"{self.named(row)}: {what} is not what was written, its digest differs; "
                    "delete the file and prepare it again"
                )

    def named(self, row: int) -> str:
        """How messages name an image: the file and the image's id."""
        return f"{self.path}, image {self.image_ids[row]!r}"

    def boxes(self) -> np.ndarray | None:
        """Object boxes, int16 (n, 4): left, top, right, bottom; None if the file has none."""
        return self._file["box"][:] if "box" in self else None

    def index(self, image_id: str) -> int:
        """Position of an image by its id. Raises UserError naming the file when unknown."""
        try:
            return self.image_ids.index(image_id)
        except ValueError as error:
            raise UserError(f"{self.path} holds no image with id {image_id!r}") from error
