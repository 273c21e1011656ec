"""Check a study's config against its schema and fill in defaults, with messages for people."""

import copy
import difflib
from pathlib import Path

import jsonschema

from ..common.cli import UserError
from ..training.recipe import Recipe


def _with_defaults(validator: type) -> type:
    """A validator that also writes the schema's defaults into the checked value."""
    check_properties = validator.VALIDATORS["properties"]

    def properties(self, schemas, instance, schema):
        if isinstance(instance, dict):
            for name, sub in schemas.items():
                if "default" in sub:
                    instance.setdefault(name, copy.deepcopy(sub["default"]))
        yield from check_properties(self, schemas, instance, schema)

    return jsonschema.validators.extend(validator, {"properties": properties})


_Validator = _with_defaults(jsonschema.Draft202012Validator)


def check_config(config: dict, schema: dict) -> None:
    """Validate in place and fill in defaults.

    Raises UserError with each wrong key's path, its value, and what is allowed (ten at most).
    """
    errors = sorted(_Validator(schema).iter_errors(config), key=lambda e: list(map(str, e.path)))
    problems = [_message(error) for error in errors]
    if not errors:
        problems = _unknown_names(config, schema)
    if problems:
        raise UserError("the config cannot be used:\n  " + "\n  ".join(problems[:10]))


def _message(error: jsonschema.ValidationError) -> str:
    """One line: where, what, what is allowed."""
    where = ".".join(str(part) for part in error.path) or "top level"
    match error.validator:
        case "additionalProperties":
            known = list(error.schema.get("properties", {}))
            unknown = [name for name in error.instance if name not in known]
            close = difflib.get_close_matches(unknown[0], known, 1)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            return f"{where}: unknown key {unknown[0]!r}{hint}; allowed: {', '.join(known)}"
        case "enum":
            allowed = ", ".join(map(str, error.validator_value))
            return f"{where}: {error.instance!r} is not known; allowed: {allowed}"
        case "minimum" | "exclusiveMinimum" | "maximum":
            sign = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<="}[error.validator]
            return f"{where}: {error.instance!r} is out of range; allowed: {sign} " + str(
                error.validator_value
            )
        case "required":
            return f"{where}: {error.message}"
        case _:
            return f"{where}: {error.message}"


def _unknown_names(config: dict, schema: dict) -> list[str]:
    """What a schema cannot check: architectures, recipes by name and content, figures' models."""
    known = schema["$defs"]["architecture"]["enum"]
    problems = []
    for name, values in config["recipes"].items():
        try:
            Recipe.from_dict(values)
        except UserError as error:
            problems.append(f"recipes.{name}: {error}")
    for name, entry in config["models"].items():
        plain = entry.get("architecture", name.removesuffix("_dcls"))
        if plain not in known and "timm" not in entry:
            close = difflib.get_close_matches(plain, known, 1)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            problems.append(
                f"models.{name}: no network called {plain!r}{hint}; "
                f"give `timm`, or `architecture`, one of: {', '.join(known)}"
            )
        recipe = entry.get("train", {}).get("recipe")
        if entry["source"] == "train" and recipe not in config["recipes"]:
            known_recipes = ", ".join(config["recipes"]) or "none is given"
            problems.append(
                f"models.{name}.train.recipe: {recipe!r} is not known; "
                f"allowed, from `recipes`: {known_recipes}"
            )
    figures = config["figures"]
    for name in (figures["overlay_model"], *figures["methods_models"]):
        # One of the zoo that the study lacks is no mistake: the figure says so in its place.
        if name not in known and name not in config["models"]:
            close = difflib.get_close_matches(name, [*config["models"], *known], 1)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            problems.append(f"figures: no network called {name!r}{hint}")
    return problems


def check_folders(train: str | None, val: str | None) -> None:
    """Compare the class folders of two image folders, where both are named.

    Raises UserError with the classes that only one of them has (three at most).
    """
    if not (train and val):
        return
    here, there = ({p.name for p in Path(root).iterdir() if p.is_dir()} for root in (train, val))
    problems = [
        f"imagenet.{part} lacks {len(names)} class folders: {', '.join(sorted(names)[:3])}"
        for part, names in (("train", there - here), ("val", here - there))
        if names
    ]
    if problems:
        raise UserError(
            "training and validation images differ in class:\n  " + "\n  ".join(problems)
        )
