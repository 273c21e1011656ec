"""Records with closed keys: pydantic models that refuse bad values in one sentence."""

from typing import TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from ..common.cli import UserError


class Record(BaseModel):
    """A frozen record: unknown keys, values of another type, NaN and infinity are refused.

    A field's `description` says which values are allowed; a `Literal` says it by itself.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


Kind = TypeVar("Kind", bound=Record)


def checked(kind: type[Kind], what: str, values: dict) -> Kind:
    """A record from a dict of its fields.

    what: the name of the record for messages. Raises UserError that names the record, the first
    wrong field, its value and what is allowed.
    """
    try:
        return kind(**values)
    except ValidationError as error:
        raise UserError(f"{what}: {_sentence(kind, dict(error.errors()[0]))}") from None


def _sentence(kind: type[Record], error: dict) -> str:
    """One of pydantic's errors in our words."""
    name, fields = ".".join(map(str, error["loc"])), ", ".join(kind.model_fields)
    if error["type"] == "extra_forbidden":
        return f"unknown field {name!r}; allowed: {fields}"
    if error["type"] == "missing":
        return f"the field {name!r} is missing; give all of: {fields}"
    field = kind.model_fields.get(name)
    return f"{name} is {error['input']!r}; allowed: {_allowed(field) if field else error['msg']}"


def _allowed(field: FieldInfo) -> str:
    return field.description or " or ".join(map(str, get_args(field.annotation)))
