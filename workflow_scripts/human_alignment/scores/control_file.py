"""Controls of the scores of one run: the file that skill, partial correlations and smoothness are
computed from.

Layout (HDF5), for e explainers, s of them smoothed, c cut-offs, b bands and n records of the
heatmap file:

============= ================= ================================================================
rho           float64 (e, 2, n) of the heatmaps with the maps of `controls.KINDS`; NaN unless `ok`
status        uint8 (e, 2, n)   place of the record's status in `reference_file.STATUSES`
smooth_rho    float64 (s, c, n) of the smoothed heatmaps with the own human map
smooth_status uint8 (s, c, n)   likewise
spectrum      float64 (e, b)    mean over images of a band's share in the power of the raw maps
spectrum_n    int64 (e,)        number of these images
ratio         float64 (n,)      of the Gaussian that the record's heatmaps met; NaN where none did
row           int32 (n,)        row of the data file
============= ================= ================================================================

The attribute `source` is a `ControlSource` as JSON. The file's user block holds the SHA-256 of the
rest.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import h5py
import numpy as np
from pydantic import Field

from ..common.cli import UserError
from ..common.hdf5 import Column, check_columns, check_seal, damage_told, new_sealed_hdf5
from ..common.records import checked
from .controls import KINDS, Controls
from .reference_file import STATUSES
from .score_file import Scores, ScoreSource
from .variant_file import check_rho, status_codes

COLUMNS = {
    "rho": Column("float64", ("e", len(KINDS), "n")),
    "status": Column("uint8", ("e", len(KINDS), "n")),
    "smooth_rho": Column("float64", ("s", "c", "n")),
    "smooth_status": Column("uint8", ("s", "c", "n")),
    "spectrum": Column("float64", ("e", "b")),
    "spectrum_n": Column("int64", ("e",)),
    "ratio": Column("float64", ("n",)),
    "row": Column("int32", ("n",)),
}


class ControlSource(ScoreSource):
    """What controls were made from, and under which protocol and settings.

    smoothed: explainers whose maps were smoothed.  cutoffs: in cycles per image.  seed: of the
    pairs of images.
    """

    smoothed: list[str] = Field(min_length=1, description="a list of names")
    cutoffs: list[Annotated[float, Field(gt=0)]] = Field(
        min_length=1, description="a list of numbers above 0"
    )
    seed: int = Field(ge=0, description="a whole number, 0 or more")


@dataclass(frozen=True)
class ControlFile:
    """A file as read. ratio, rows: (n,), see the layout."""

    source: ControlSource
    controls: Controls
    ratio: np.ndarray
    rows: np.ndarray


def write_controls(path: Path | str, found: ControlFile) -> None:
    """Write the controls of a run, as the source lists explainers and cut-offs."""
    source, controls = found.source, found.controls
    every = [[controls.scores[name][kind] for kind in KINDS] for name in source.explainers]
    smooth = [[controls.smooth[name][one] for one in source.cutoffs] for name in source.smoothed]
    with new_sealed_hdf5(path) as file:
        for prefix, table in (("", every), ("smooth_", smooth)):
            file[f"{prefix}rho"] = np.array([[one.rho for one in row] for row in table])
            file[f"{prefix}status"] = np.array(
                [[status_codes(one.status, STATUSES) for one in row] for row in table]
            )
        spectra = [controls.spectra[name] for name in source.explainers]
        file["spectrum"] = np.array([share for share, _ in spectra], np.float64)
        file["spectrum_n"] = np.array([count for _, count in spectra], np.int64)
        file["ratio"], file["row"] = found.ratio, np.asarray(found.rows, np.int32)
        file.attrs["source"] = source.model_dump_json()


def read_controls(path: Path | str) -> ControlFile:
    """Read and check the controls of a run.

    Raises UserError that names the file when it is missing, cut short or inconsistent.
    """
    if not Path(path).is_file():
        raise UserError(f"{path} does not exist; score_controls.py makes it")
    with damage_told(path, "file of controls", "score the controls again"):
        check_seal(path)
        with h5py.File(path) as file:
            check_columns(file, COLUMNS)
            source = checked(ControlSource, "source", json.loads(file.attrs["source"]))
            arrays = {name: file[name][:] for name in COLUMNS}
        _check(source, arrays)
    scores = _by_name(arrays["rho"], arrays["status"], source.explainers, KINDS)
    smooth = _by_name(
        arrays["smooth_rho"], arrays["smooth_status"], source.smoothed, source.cutoffs
    )
    spectra = zip(arrays["spectrum"], arrays["spectrum_n"].tolist(), strict=True)
    controls = Controls(scores, smooth, dict(zip(source.explainers, spectra, strict=True)))
    return ControlFile(source, controls, arrays["ratio"], arrays["row"])


def _by_name(rho: np.ndarray, codes: np.ndarray, names: list[str], keys) -> dict[str, dict]:
    status = np.array(STATUSES, object)[codes]
    return {
        name: {key: Scores(rho[i, j], status[i, j]) for j, key in enumerate(keys)}
        for i, name in enumerate(names)
    }


def _check(source: ControlSource, arrays: dict[str, np.ndarray]) -> None:
    """Shapes as the source says, and values in range."""
    shapes = {
        "rho": (len(source.explainers), len(KINDS), source.images),
        "smooth_rho": (len(source.smoothed), len(source.cutoffs), source.images),
    }
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise UserError(f"{name} has the shape {arrays[name].shape}, not {shape}")
    for names in (source.explainers, source.smoothed, source.cutoffs):
        if len(set(names)) < len(names):
            raise UserError(f"{names} names one thing twice")
    if not set(source.smoothed) <= set(source.explainers):
        raise UserError(f"of the smoothed {source.smoothed} it has no controls")
    check_rho(arrays["rho"], arrays["status"], STATUSES)
    check_rho(arrays["smooth_rho"], arrays["smooth_status"], STATUSES)
    shares, counts = arrays["spectrum"], arrays["spectrum_n"]
    known = np.where(counts[:, None] > 0, (shares >= 0) & (shares <= 1), np.isnan(shares))
    if not known.all() or (counts < 0).any() or (counts > source.images).any():
        raise UserError("a share of the spectrum is not from 0 to 1, or its count is impossible")
    ratio, rows = arrays["ratio"], arrays["row"]
    if not (np.isnan(ratio) | ((ratio > 0) & np.isfinite(ratio))).all():
        raise UserError("a ratio is not above 0")
    if (np.diff(rows) <= 0).any() or not 0 <= rows[0] <= rows[-1] < source.data_images:
        raise UserError(f"its rows do not rise within the {source.data_images} of the data file")
