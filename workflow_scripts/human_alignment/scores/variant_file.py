"""Scores of one run under several protocols: the file that sweeps and sensitivity are made from.

Layout (HDF5), for e explainers, k named protocols and n records in the order of the data file:

====== ================= =======================================================================
rho    float64 (e, k, n) NaN unless the status is `ok`
status uint8 (e, k, n)   place of the record's status in `score_rows.STATUSES`
image  int64 (n,)        row of the data file's first record with the same pixels
====== ================= =======================================================================

The attribute `source` is a `VariantSource` as JSON. The file's user block holds the SHA-256 of the
rest.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from ..common.cli import UserError
from ..common.hdf5 import Column, check_columns, check_seal, damage_told, new_sealed_hdf5
from ..common.records import checked
from .protocol import Protocol
from .score_file import Scores, Source
from .score_rows import STATUSES
from .spearman import OK

COLUMNS = {
    "rho": Column("float64", ("e", "k", "n")),
    "status": Column("uint8", ("e", "k", "n")),
    "image": Column("int64", ("n",)),
}


class VariantSource(Source):
    """What the scores were made from, and the protocols by name."""

    protocols: dict[str, Protocol]


@dataclass(frozen=True)
class Variants:
    """A file as read. scores: by explainer, then by the protocol's name."""

    source: VariantSource
    scores: dict[str, dict[str, Scores]]


def write_variants(
    path: Path | str, source: VariantSource, scores: dict[str, dict[str, Scores]]
) -> None:
    """Write scores by explainer and by the protocol's name, as the source lists them."""
    every = [
        [scores[explainer][name] for name in source.protocols] for explainer in source.explainers
    ]
    codes = [[status_codes(one.status, STATUSES) for one in row] for row in every]
    with new_sealed_hdf5(path) as file:
        file.create_dataset("rho", data=np.array([[one.rho for one in row] for row in every]))
        file.create_dataset("status", data=np.array(codes, np.uint8))
        file.create_dataset("image", data=np.asarray(every[0][0].groups, np.int64))
        file.attrs["source"] = source.model_dump_json()


def read_variants(path: Path | str) -> Variants:
    """Read and check a file of scores under several protocols.

    Raises UserError that names the file when it is missing, cut short or inconsistent.
    """
    if not Path(path).is_file():
        raise UserError(f"{path} does not exist")
    what = "file of scores under several protocols"
    with damage_told(path, what, "score again"):
        check_seal(path)
        with h5py.File(path) as file:
            check_columns(file, COLUMNS)
            source = checked(VariantSource, "source", json.loads(file.attrs["source"]))
            rho, codes, groups = (file[name][:] for name in COLUMNS)
        _check(source, rho, codes)
    status = np.array(STATUSES, object)[codes]
    scores = {
        explainer: {
            name: Scores(rho[i, j], status[i, j], groups) for j, name in enumerate(source.protocols)
        }
        for i, explainer in enumerate(source.explainers)
    }
    return Variants(source, scores)


def _check(source: VariantSource, rho: np.ndarray, codes: np.ndarray) -> None:
    """Shapes as the source says, known statuses, rho from -1 to 1 exactly where it is defined."""
    shape = len(source.explainers), len(source.protocols), source.images
    if rho.shape != shape:
        raise UserError(f"arrays of shape {rho.shape}, not {shape}")
    check_rho(rho, codes, STATUSES)


def status_codes(status: np.ndarray, statuses: tuple[str, ...]) -> np.ndarray:
    """The place of each status (n,) in `statuses`, uint8 (n,)."""
    return np.argmax(status[:, None] == np.array(statuses), axis=1).astype(np.uint8)


def check_rho(rho: np.ndarray, codes: np.ndarray, statuses: tuple[str, ...]) -> None:
    """Raise UserError unless each code is a place in `statuses`, and each rho is from -1 to 1
    exactly where it is defined. rho, codes: of one shape."""
    if codes.max(initial=0) >= len(statuses):
        raise UserError(f"status {codes.max()}, where only {len(statuses)} are known")
    ok = codes == statuses.index(OK)
    if not np.where(ok, np.abs(rho) <= 1, np.isnan(rho)).all():
        raise UserError("a rho does not agree with its status")
