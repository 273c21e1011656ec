"""Scores of maps that no network made: the file that controls and skill are computed from.

Layout (HDF5), for r references and n records in the order of the data file:

======== ============== ========================================================================
rho      float64 (r, n) NaN unless the status is `ok`
status   uint8 (r, n)   place of the record's status in `STATUSES`
ratio    float64 (n,)   width over height of the Gaussian that the record was scored with as the
                        reference `centre`; NaN where there was none
group    int64 (n,)     the image of the record: the row of the first record with its pixels
others   float64 (n,)   agreement of the human maps of an image, as `human_agreement` says; it
                        stands at the image's first record, NaN elsewhere and where there is none
pairwise float64 (n,)   likewise
======== ============== ========================================================================

The attribute `source` is a `ReferenceSource` as JSON. The file's user block holds the SHA-256 of
the rest.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from pydantic import Field

from ..common.cli import UserError
from ..common.hdf5 import Column, check_columns, check_seal, damage_told, new_sealed_hdf5
from ..common.records import Record, checked
from . import human_agreement, score_rows
from .protocol import Protocol
from .score_file import Scores
from .variant_file import check_rho, status_codes

CENTRE = "centre"  # names the reference that other files refer to
NO_OTHER_IMAGE = "no_other_image"
NO_OTHER_CLASS = "no_other_class"
NO_MAP = "no_map"
STATUSES = (*score_rows.STATUSES, NO_OTHER_IMAGE, NO_OTHER_CLASS, NO_MAP)
COLUMNS = {
    "rho": Column("float64", ("r", "n")),
    "status": Column("uint8", ("r", "n")),
    "ratio": Column("float64", ("n",)),
    "group": Column("int64", ("n",)),
    "others": Column("float64", ("n",)),
    "pairwise": Column("float64", ("n",)),
}


class ReferenceSource(Record):
    """What references were scored on: a data file, at the size of its images, under a protocol.

    ratios: of the centred Gaussian, the one chosen for each fold; null where none could be.
    """

    data_digest: str
    image_size: int = Field(ge=1, description="a whole number, 1 or more")
    human_ceiling: float | None = Field(
        gt=0, le=1, description="null, or a number above 0 and at most 1"
    )
    references: list[str] = Field(min_length=1, description="a list of names")
    protocol: Protocol
    ratios: list[float | None] = Field(description="a list of numbers or null")


@dataclass(frozen=True)
class References:
    """A file as read. scores: by reference, over the n records.  ratio, groups: (n,).  agreement:
    for each of `human_agreement.KINDS`, (n,).
    """

    source: ReferenceSource
    scores: dict[str, Scores]
    ratio: np.ndarray
    groups: np.ndarray
    agreement: dict[str, np.ndarray]


def write_references(path: Path | str, found: References) -> None:
    """Write scores by reference, as the source lists them."""
    every = [found.scores[name] for name in found.source.references]
    codes = [status_codes(one.status, STATUSES) for one in every]
    with new_sealed_hdf5(path) as file:
        file["rho"] = np.array([one.rho for one in every])
        file["status"] = np.array(codes, np.uint8)
        file["ratio"], file["group"] = found.ratio, found.groups
        for kind, values in found.agreement.items():
            file[kind] = values
        file.attrs["source"] = found.source.model_dump_json()


def read_references(path: Path | str) -> References:
    """Read and check a file of references.

    Raises UserError that names the file when it is missing, cut short or inconsistent.
    """
    if not Path(path).is_file():
        raise UserError(f"{path} does not exist; score_references.py --rho makes it")
    with damage_told(path, "file of references", "score the references again"):
        check_seal(path)
        with h5py.File(path) as file:
            check_columns(file, COLUMNS)
            source = checked(ReferenceSource, "source", json.loads(file.attrs["source"]))
            rho, codes, ratio, groups, *agreement = (file[name][:] for name in COLUMNS)
        _check(source, rho, codes, ratio, groups)
        if any((np.abs(one) > 1).any() for one in agreement):
            raise UserError("an agreement of human maps is not from -1 to 1")
    status = np.array(STATUSES, object)[codes]
    scores = {
        name: Scores(rho[place], status[place]) for place, name in enumerate(source.references)
    }
    of_kind = dict(zip(human_agreement.KINDS, agreement, strict=True))
    return References(source, scores, ratio, groups, of_kind)


def _check(
    source: ReferenceSource,
    rho: np.ndarray,
    codes: np.ndarray,
    ratio: np.ndarray,
    groups: np.ndarray,
) -> None:
    """Names that are those of the rows, and values in range."""
    if len(set(source.references)) != len(rho) or len(rho) != len(source.references):
        raise UserError(f"{len(rho)} rows of rho for the references {source.references}")
    if CENTRE not in source.references:
        raise UserError(f"the reference {CENTRE} is missing")
    check_rho(rho, codes, STATUSES)
    if not (np.isnan(ratio) | ((ratio > 0) & np.isfinite(ratio))).all():
        raise UserError("a ratio is not above 0")
    rows = np.arange(len(groups))
    if not len(groups) or not ((groups >= 0) & (groups <= rows)).all():
        raise UserError("group does not hold rows of first records")
    if (groups[groups] != groups).any():
        raise UserError("group does not hold rows of first records")
