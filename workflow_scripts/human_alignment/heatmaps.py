"""The heatmap file of one model: raw maps of every explainer at the feature map's resolution.

Layout (HDF5), for n images and a feature map of h x w:

============= ============= ====================================================================
<explainer>   float32 (n,h,w) raw map; NaN where the network's activations were not finite
image_id      str (n,)      as in the data file, same order
label, target int32 (n,)    class of the image; class the maps explain
target_logit  float32 (n,)
target_rank   int32 (n,)    how many classes have a higher logit; 0 means predicted
predicted     int32 (n,)
============= ============= ====================================================================

Attributes: `model`, `parameters` (learnt values), `weights_digest`, `data_digest`, `geometry`,
`target`, `explainers`, `versions`, `nonfinite` (number of images with NaN maps).
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from .cli import UserError
from .files import write_json, written_whole


class HeatmapWriter:
    """Collect maps chunk by chunk and join them into one file at the end.

    Each finished chunk is a small file in a hidden folder beside the output. A run that was
    killed continues with the first missing chunk; chunks of another header are thrown away. The
    joined file does not depend on how often the run was interrupted.
    """

    def __init__(self, path: Path | str, header: dict, total: int, chunk: int):
        self.path = Path(path)
        self._header = header
        self._total = total
        self._chunk = chunk
        self._folder = self.path.with_name(f".{self.path.stem}.chunks")
        described = {"header": header, "total": total, "chunk": chunk}
        note = self._folder / "header.json"
        if note.is_file() and json.loads(note.read_text()) != described:
            shutil.rmtree(self._folder)
        write_json(note, described)

    def _file(self, start: int) -> Path:
        return self._folder / f"{start:09d}.npz"

    def missing(self) -> Iterator[tuple[int, int]]:
        """Ranges of images, start and stop, that have no finished chunk yet."""
        for start in range(0, self._total, self._chunk):
            if not self._file(start).is_file():
                yield start, min(start + self._chunk, self._total)

    def put(self, start: int, arrays: dict[str, np.ndarray]) -> None:
        """Store the chunk that begins at image `start`: one array per dataset of the layout."""
        with written_whole(self._file(start)) as partial, open(partial, "wb") as stream:
            np.savez(stream, **arrays)

    def finish(self) -> None:
        """Join the chunks into the heatmap file and remove them."""
        starts = range(0, self._total, self._chunk)
        with written_whole(self.path) as partial, h5py.File(partial, "w") as file:
            nonfinite = 0
            for start in starts:
                with np.load(self._file(start)) as chunk:
                    for name in chunk.files:
                        self._write(file, name, start, chunk[name])
                    nonfinite += int(chunk["nonfinite"].sum())
            del file["nonfinite"]
            file.attrs.update({**self._header, "nonfinite": nonfinite})
        shutil.rmtree(self._folder)

    def _write(self, file: h5py.File, name: str, start: int, values: np.ndarray) -> None:
        if name not in file:
            dtype = h5py.string_dtype() if values.dtype.kind == "U" else values.dtype
            file.create_dataset(name, (self._total, *values.shape[1:]), dtype=dtype)
        values = values.astype(object) if values.dtype.kind == "U" else values
        file[name][start : start + len(values)] = values


class HeatmapFile:
    """Read a heatmap file. Maps are read in slices; the short columns at once.

    Raises UserError when the file is missing, cut short or of another kind.
    """

    def __init__(self, path: Path | str):
        self.path = Path(path)
        if not self.path.is_file():
            raise UserError(f"heatmap file {path} does not exist; extract_heatmaps.py makes it")
        try:
            self._file = h5py.File(self.path, "r")
            attributes = self._file.attrs
            self.model = str(attributes["model"])
            self.data_digest = str(attributes["data_digest"])
            self.geometry = str(attributes["geometry"])
            self.target = str(attributes["target"])
            self.parameters = int(attributes["parameters"])
            self.explainers = [str(name) for name in attributes["explainers"]]
            self.image_ids = list(self._file["image_id"].asstr()[:])
            self.labels = self._file["label"][:]
            self.predicted = self._file["predicted"][:]
        except (OSError, KeyError) as error:
            raise UserError(
                f"{path} is not a complete heatmap file ({error}); delete it and extract again"
            ) from error

    def __enter__(self) -> "HeatmapFile":
        return self

    def __exit__(self, *_) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self.labels)

    def maps(self, explainer: str, start: int, stop: int) -> np.ndarray:
        """Raw maps of one explainer, float32 (stop - start, h, w)."""
        if explainer not in self.explainers:
            raise UserError(
                f"{self.path} has no {explainer!r} maps; it has {', '.join(self.explainers)}"
            )
        return self._file[explainer][start:stop]
