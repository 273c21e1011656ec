"""Records with closed keys: pydantic models that refuse bad values in one sentence."""

import difflib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from .cli import UserError
from .sources import masked


class Record(BaseModel):
    """A frozen record: unknown keys, values of another type, NaN and infinity are refused.

    A field's `description` says which values are allowed; a `Literal` says it by itself.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def as_tuples(value: object) -> object:
    """Lists within lists as tuples: YAML and JSON have lists only, and a record must not change.

    For pydantic's `BeforeValidator`.
    """
    return tuple(map(as_tuples, value)) if isinstance(value, list) else value


Kind = TypeVar("Kind", bound=Record)


def read_json(path: Path | str) -> object:
    """What a JSON file holds. Raises UserError that names a file that is missing or not whole."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"{path} is not complete JSON ({error}); delete it and run what makes it again"
        ) from error


def checked(kind: type[Kind], what: str, values: dict) -> Kind:
    """A record from a dict of its fields.

    what: the name of the record for messages. Raises UserError that names the record, the first
    wrong field, its value and what is allowed.
    """
    if not isinstance(values, dict):
        raise UserError(f"{what}: it is {shown(values)}; expected a mapping of keys and values")
    try:
        return kind(**values)
    except ValidationError as error:
        # An unknown key first: a misspelt one is missing under its right name too.
        first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
        raise UserError(f"{what}: {_sentence(kind, values, first['loc'], first['msg'])}") from None


def _sentence(kind: type[Record], values: dict, place: tuple, message: str) -> str:
    """One of pydantic's errors in our words, for the outermost value that is not a record."""
    path, field, value = [], None, values
    for part in map(str, place):
        path.append(part)
        name, fields = ".".join(path), kind.model_fields
        field = fields.get(part)
        if field is None:
            hint = f"{close_name(part, fields)}; allowed: {', '.join(fields)}"
            return f"unknown key {shown(name)}{hint}"
        if part not in value:
            required = [key for key, one in fields.items() if one.is_required()]
            return f"the key {name!r} is missing; required: {', '.join(required)}"
        value, inner = value[part], _record_in(field)
        if inner is None or not isinstance(value, dict):
            break
        kind = inner
    if field is None:
        return message
    hint = f"{_allowed(field)}{_yaml_hint(field, value)}"
    return f"{'.'.join(path)} is {shown(value)}; allowed: {hint}"


def shown(value: object) -> str:
    """A value as messages show it, as Python writes it, without the secrets of URLs.

    The middle of a long one is left out.
    """
    text = masked(repr(value))
    return text if len(text) <= 160 else f"{text[:120]}...{text[-30:]}"


def close_name(name: str, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)` where a known name is close, else nothing."""
    close = difflib.get_close_matches(name, known, 1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _kinds(field: FieldInfo) -> tuple:
    return (field.annotation, *get_args(field.annotation))


def _record_in(field: FieldInfo) -> type[Record] | None:
    """The kind of record that a field holds; None if it holds no record."""
    kinds = (kind for kind in _kinds(field) if isinstance(kind, type))
    return next((kind for kind in kinds if issubclass(kind, Record)), None)


def _yaml_hint(field: FieldInfo, value: object) -> str:
    """What to write where YAML took a number such as 1e-3 for text."""
    wanted = float in _kinds(field) and isinstance(value, str)
    if wanted and re.fullmatch(r"[-+]?\d+e[-+]?\d+", value.lower()):
        return "; YAML reads 1e-3 as text, write 1.0e-3"
    return ""


def _allowed(field: FieldInfo) -> str:
    if field.description:
        return field.description
    if field.annotation is bool:
        return "true or false"
    return " or ".join(map(str, get_args(field.annotation) or [field.annotation.__name__]))
