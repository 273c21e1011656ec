"""The human ceilings in the summary of the references, as read and checked."""

from pathlib import Path

from pydantic import Field

from ..common.records import Record, checked, read_json


class Ceiling(Record):
    """A human ceiling over the images with several human maps.

    n: number of these images.  mean_rho: None where there are none, and note then says so.
    """

    n: int = Field(ge=0, description="a whole number, 0 or more")
    mean_rho: float | None = Field(ge=-1, le=1, description="null, or a number from -1 to 1")
    low: float | None
    high: float | None
    note: str


class HumanCeilings(Record):
    """The key `human_ceiling` of references.json; see `human_agreement` for the computed ones.

    published: of the data file; None where none is known.
    """

    published: float | None = Field(
        gt=0, le=1, description="null, or a number above 0 and at most 1"
    )
    others: Ceiling
    pairwise: Ceiling


def read_ceilings(path: Path | str) -> HumanCeilings:
    """Read the human ceilings from references.json.

    Raises UserError when the file cannot be read or holds something else.
    """
    held = read_json(path)
    return checked(
        HumanCeilings, str(path), held.get("human_ceiling") if isinstance(held, dict) else None
    )
