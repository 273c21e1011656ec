"""The heatmap file of one model: raw maps of every explainer at the feature map's resolution.

Layout (HDF5), for n images and a feature map of h x w:

============= ============= ====================================================================
<explainer>   float32 (n,h,w) raw map; NaN where the network's activations were not finite
image_id      bytes (n,)    as in the data file, same order
label, target int32 (n,)    class of the image; class the maps explain
target_logit  float32 (n,)
target_rank   int32 (n,)    how many classes have a higher logit; 0 means predicted
predicted     int32 (n,)
row           int32 (n,)    row of the data file; only where the images are a sample
============= ============= ====================================================================

These maps are of the layer `before_norm` (common/layers.py). Where the network has a norm, the maps
behind it are in datasets `<explainer>.behind_norm`, if they were asked for.

Attributes: `model`, `dcls` (whether the network has DCLS), `parameters` (learnt values),
`weights_digest`, `data_digest`, `geometry`, `crops` (whether the network's centre crop cuts the
images; if not, the maps are those of both geometries), `target`, `explainers`, `precision`,
`compiled`, `versions`, `images` (in the data file), `first` (row of the data file that comes
first), `nonfinite` (number of images with NaN maps), `layers` (whose maps were asked for), `norm`
(whether a norm behind the pooling makes the maps of the two layers differ; without one they are
stored once, and are given for both). The file's user block holds the SHA-256 of the rest.

A file without `layers` and `norm` is of a time before them: its maps are those of `before_norm`.
One without `crops` holds maps of its own geometry only.

A chunk, a shard and the whole are one kind of file: rows `first` to `first + n` of `images`.
"""

import contextlib
import itertools
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Literal

import h5py
import numpy as np
from pydantic import BeforeValidator, ConfigDict, Field

from ..common.cli import UserError
from ..common.files import json_text, write_json
from ..common.geometry import GEOMETRIES, canonical
from ..common.hdf5 import (
    Column,
    check_columns,
    check_seal,
    damage_told,
    new_sealed_hdf5,
    plain_attributes,
)
from ..common.layers import BEFORE_NORM, LAYERS, Layer
from ..common.records import Record, checked

COLUMNS = {
    "image_id": Column("bytes", ("n",)),
    "label": Column("int32", ("n",)),
    "target": Column("int32", ("n",)),
    "target_logit": Column("float32", ("n",)),
    "target_rank": Column("int32", ("n",)),
    "predicted": Column("int32", ("n",)),
    "row": Column("int32", ("n",), optional=True),
}
MAPS = Column("float32", ("n", "h", "w"))  # of each explainer and layer
Count = Annotated[int, Field(ge=0)]


def dataset(explainer: str, layer: str) -> str:
    """Name of the dataset that holds an explainer's maps of a layer."""
    return explainer if layer == BEFORE_NORM else f"{explainer}.{layer}"


class Header(Record):
    """The attributes that readers of a heatmap file use; there may be others."""

    model_config = ConfigDict(extra="ignore")

    model: str
    dcls: bool
    parameters: Count
    weights_digest: str
    data_digest: str
    geometry: Annotated[Literal["crop", "full"], BeforeValidator(canonical)]
    crops: bool = True
    target: Literal["label", "prediction"]
    explainers: list[str] = Field(min_length=1, description="a list of names")
    versions: str
    images: Count
    first: Count
    nonfinite: Count
    layers: list[Layer] = Field(
        [BEFORE_NORM], min_length=1, description=f"a list of {' and '.join(LAYERS)}"
    )
    norm: bool = True

    @property
    def datasets(self) -> list[str]:
        """Names of the datasets that hold maps."""
        stored = self.layers if self.norm else [BEFORE_NORM]
        return [dataset(explainer, layer) for layer in stored for explainer in self.explainers]


class HeatmapWriter:
    """Collect maps chunk by chunk and join them into one file at the end.

    Each finished chunk is a small file in a hidden folder beside the output. A run that was
    killed continues with the first missing chunk; chunks with another header are deleted. The
    joined file does not depend on how often the run was interrupted.

    header: attributes of the file.  rows: first and last (exclusive) row of the data file.
    """

    def __init__(self, path: Path | str, header: dict, rows: tuple[int, int], chunk: int):
        self.path = Path(path)
        self._header = header
        self._rows = rows
        self._chunk = chunk
        self._folder = self.path.with_name(f".{self.path.stem}.chunks")
        described = {"header": header, "rows": list(rows), "chunk": chunk}
        note = self._folder / "header.json"
        # A folder without its note is what a kill left of its removal.
        if self._folder.is_dir() and not (
            note.is_file() and note.read_text() == json_text(described)
        ):
            shutil.rmtree(self._folder)
        write_json(note, described)

    def _chunks(self) -> Iterator[tuple[int, Path]]:
        for start in range(*self._rows, self._chunk):
            yield start, self._folder / f"{start:09d}.h5"

    def missing(self) -> Iterator[tuple[int, int]]:
        """Ranges of rows, start and stop, that have no finished chunk yet."""
        for start, path in self._chunks():
            if not path.is_file():
                yield start, min(start + self._chunk, self._rows[1])

    def put(self, start: int, arrays: dict[str, np.ndarray]) -> None:
        """Store the chunk that begins at row `start`: an array per dataset, and `nonfinite`."""
        arrays = dict(arrays)
        nonfinite = int(arrays.pop("nonfinite").sum())
        path = dict(self._chunks())[start]
        with new_sealed_hdf5(path) as file:
            for name, values in arrays.items():
                file.create_dataset(name, data=values)
            file.attrs.update({**self._header, "first": start, "nonfinite": nonfinite})

    def finish(self) -> None:
        """Join the chunks into the heatmap file and remove them."""
        joined = self._folder / "joined.h5"
        join([path for _, path in self._chunks()], joined)
        joined.replace(self.path)
        shutil.rmtree(self._folder)


def join(parts: list[Path], path: Path | str) -> None:
    """Join heatmap files of one network and consecutive rows, in any order, into one.

    Raises UserError when they are of different networks or data, or when
    rows are missing or given twice.
    """
    described = sorted(((*_describe(part), part) for part in parts), key=lambda one: one[:2])
    for (_, stop, header, before), (start, _, other, after) in itertools.pairwise(described):
        if header != other:
            raise UserError(f"{before} and {after} are not of one network, data file and settings")
        if stop != start:
            raise UserError(
                f"{before} ends before row {stop} of the data file and {after} begins with row "
                f"{start}; give every part once"
            )
    first, total, header = described[0][0], described[-1][1], described[0][2]
    nonfinite = 0
    with new_sealed_hdf5(path) as file:
        for start, stop, _, part in described:
            with h5py.File(part) as piece:
                for name, values in piece.items():
                    if name not in file:
                        shape = (total - first, *values.shape[1:])
                        file.create_dataset(name, shape, values.dtype)
                    file[name][start - first : stop - first] = values[:]
                nonfinite += int(piece.attrs["nonfinite"])
        file.attrs.update({**header, "first": first, "nonfinite": nonfinite})


def _describe(path: Path | str) -> tuple[int, int, dict]:
    """First row, last row (exclusive) and the attributes that all parts of a file share."""
    with HeatmapFile(path) as part, h5py.File(path) as file:
        header = plain_attributes(file)
        del header["first"], header["nonfinite"]
        return part.first, part.first + len(part), header


class HeatmapFile:
    """Read a heatmap file. Maps are read in slices; the short columns at once.

    geometries: those that the maps are of.

    Raises UserError when the file is missing, cut short, of another kind, or not what was written.
    """

    def __init__(self, path: Path | str):
        self.path = Path(path)
        if not self.path.is_file():
            raise UserError(f"heatmap file {path} does not exist; extract_heatmaps.py makes it")
        with self._damage_told(), contextlib.ExitStack() as refused:
            check_seal(self.path)
            self._file = refused.enter_context(h5py.File(self.path, "r"))
            header = checked(Header, "attributes", plain_attributes(self._file))
            self.explainers = header.explainers
            if len({*header.datasets, *COLUMNS}) < len(header.datasets) + len(COLUMNS):
                raise UserError(f"its explainers {self.explainers} are no names of their own")
            lengths = check_columns(self._file, COLUMNS | dict.fromkeys(header.datasets, MAPS))
            self.image_ids = list(np.char.decode(self._file["image_id"][:], "utf-8"))
            self.labels = self._file["label"][:]
            self.predicted = self._file["predicted"][:]
            self.sampled = "row" in self._file
            whole = np.arange(header.first, header.first + lengths["n"])
            self.rows = self._file["row"][:] if self.sampled else whole
            self._check(header)
            refused.pop_all()  # it is not: it stays open
        self.model, self.dcls, self.parameters = header.model, header.dcls, header.parameters
        self.data_digest, self.weights_digest = header.data_digest, header.weights_digest
        self.geometry, self.target = header.geometry, header.target
        self.geometries = (header.geometry,) if header.crops else GEOMETRIES
        self.norm = header.norm
        self.layers = header.layers if header.norm else list(LAYERS)
        self.layers_differ = header.norm and set(header.layers) == set(LAYERS)
        self.versions, self.first, self.images = header.versions, header.first, header.images

    def _damage_told(self):
        return damage_told(self.path, "heatmap file", "extract again")

    def _check(self, header: Header) -> None:
        """Ranges of the short columns."""
        if not len(self.rows) or min(self._file[header.datasets[0]].shape) == 0:
            raise UserError("it holds no map")
        if (np.diff(self.rows) <= 0).any() or not 0 <= self.rows[0] <= self.rows[
            -1
        ] < header.images:
            raise UserError(f"its rows do not rise within the {header.images} of the data file")
        if min(self.labels.min() + 1, self.predicted.min()) < 0:
            raise UserError("it has a label below -1, or a predicted class below 0")

    def __enter__(self) -> "HeatmapFile":
        return self

    def __exit__(self, *_) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self.labels)

    def check_layer(self, layer: Layer) -> None:
        """Raise UserError, which says how to extract them, when a layer's maps are not there."""
        if layer not in self.layers:
            raise UserError(
                f"{self.path} has no maps of the layer {layer!r}; extract again with --layers "
                f"{' '.join(sorted({*self.layers, layer}))}"
            )

    def chosen(self, names: Iterable[str] | None = None) -> list[str]:
        """These explainers, each once, in alphabetical order; all of the file without names.

        Raises UserError, which says what the file has, when it lacks one of them.
        """
        found = sorted(set(names or self.explainers))
        for name in found:
            self._check_explainer(name)
        return found

    def _check_explainer(self, name: str) -> None:
        if name not in self.explainers:
            raise UserError(
                f"{self.path} has no {name!r} maps; it has {', '.join(self.explainers)}"
            )

    def maps(self, explainer: str, start: int, stop: int, layer: Layer = BEFORE_NORM) -> np.ndarray:
        """Raw maps of one explainer and layer, float32 (stop - start, h, w).

        Raises UserError when the file has none of that explainer or layer.
        """
        self.check_layer(layer)
        self._check_explainer(explainer)
        with self._damage_told():
            return self._file[dataset(explainer, layer if self.norm else BEFORE_NORM)][start:stop]
