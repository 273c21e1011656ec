"""Check a study's config against its schema and fill in defaults, with messages for people."""

import copy
import difflib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import jsonschema

from ..common.cli import UserError
from ..common.paths import SUFFIX
from ..common.picture_files import find_pictures
from ..common.sources import local_path
from ..networks import records
from ..training.recipe import Recipe
from .study import Study


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


def checked_study(config: dict, schema: dict) -> Study:
    """The study that a config describes; every key, name and path is checked before any job.

    Raises UserError with what is wrong, where, and what is allowed (ten problems at most).
    """
    check_config(config, schema)
    study = Study(config)
    check_sources(study)
    return study


def check_config(config: dict, schema: dict) -> None:
    """Validate in place and fill in defaults.

    `true` and `false` may be text at the top level: so they come from `--config key=true`.

    Raises UserError with each wrong key's path, its value, and what is allowed (ten at most).
    """
    for name, entry in schema["properties"].items():
        if entry.get("type") == "boolean" and config.get(name) in ("true", "false"):
            config[name] = config[name] == "true"
    errors = sorted(_Validator(schema).iter_errors(config), key=lambda e: list(map(str, e.path)))
    problems = [_message(error) for error in errors]
    if not errors:
        problems = _problems(config)
    if problems:
        raise UserError("the config cannot be used:\n  " + "\n  ".join(problems[:10]))
    for holder, key in (
        (config["extract"], "explainers"),
        (config["attributions"], "explainers"),
        (config, "measures"),
        (config["sweep"], "thresholds"),
    ):
        holder[key] = sorted(holder[key])  # their order means nothing, and re-runs nothing


def _message(error: jsonschema.ValidationError) -> str:
    """One line: where, what, what is allowed."""
    where = ".".join(str(part) for part in error.path) or "top level"
    match error.validator:
        case "additionalProperties":
            known = list(error.schema.get("properties", {}))
            unknown = [name for name in error.instance if name not in known]
            return (
                f"{where}: unknown key {unknown[0]!r}{_hint(unknown[0], known)}; "
                f"allowed: {', '.join(known)}"
            )
        case "enum":
            allowed = ", ".join(map(str, error.validator_value))
            return f"{where}: {error.instance!r} is not known; allowed: {allowed}"
        case "minimum" | "exclusiveMinimum" | "maximum":
            sign = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<="}[error.validator]
            return f"{where}: {error.instance!r} is out of range; allowed: {sign} " + str(
                error.validator_value
            )
        case _:
            return f"{where}: {error.message}"


def _problems(config: dict) -> list[str]:
    """What a schema cannot check: names that must be known, and records that check themselves."""
    known = [*records.load_networks(), *config["networks"]]
    return [
        *_record_problems("recipes", config["recipes"], Recipe.from_dict),
        *_record_problems("networks", config["networks"], records.Network.from_dict),
        *(text for name in config["models"] for text in _model_problems(config, name, known)),
        *_figure_problems(config, known),
    ]


def _record_problems(section: str, values: dict, check: Callable[[dict], object]) -> Iterator[str]:
    for name, record in values.items():
        try:
            check(record)
        except UserError as error:
            yield f"{section}.{name}: {error}"


def _model_problems(config: dict, name: str, known: list[str]) -> Iterator[str]:
    """Is there such a network, and such a recipe?"""
    entry = config["models"][name]
    plain = entry.get("architecture", name.removesuffix(SUFFIX))
    if plain not in known and "timm" not in entry:
        yield (
            f"models.{name}: no network called {plain!r}{_hint(plain, known)}; "
            f"give `timm`, or `architecture`, one of: {', '.join(known)}"
        )
    recipe = entry.get("train", {}).get("recipe")
    if entry["source"] == "train" and recipe not in config["recipes"]:
        recipes = ", ".join(config["recipes"]) or "none is given"
        yield (
            f"models.{name}.train.recipe: {recipe!r} is not known; allowed, from `recipes`: "
            f"{recipes}"
        )


def _figure_problems(config: dict, known: list[str]) -> Iterator[str]:
    """A known network that the study lacks is no mistake: its figure says that it is missing."""
    names = [*config["models"], *known]
    figures = config["figures"]
    for name in (figures["overlay_model"], *figures["methods_models"]):
        if name not in names:
            yield f"figures: no network called {name!r}{_hint(name, names)}"


def _hint(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, known, 1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def check_sources(study: Study) -> None:
    """Local paths of the config exist and hold what they should; URLs are left to the download.

    Raises UserError naming the key of each path that does not exist, or what a path lacks.
    """
    config = study.config
    named = {f"imagenet.{part}": path for part, path in config["imagenet"].items()}
    named["figures.pictures"] = config["figures"]["pictures"]
    if config["data"] == "clickme":
        named["clickme.source"] = config["clickme"]["source"]
    for model, entry in config["models"].items():
        named[f"models.{model}.checkpoint.url"] = entry.get("checkpoint", {}).get("url")
    missing = [
        f"{key}: {path} does not exist"
        for key, path in named.items()
        if path and (local := local_path(path)) and not Path(local).exists()
    ]
    if missing:
        raise UserError("the config names paths that do not exist:\n  " + "\n  ".join(missing[:10]))
    check_folders(**config["imagenet"])
    if any(run.run != "published" for run in study.runs) and not study.training_images:
        raise UserError("a model has `source: train`; name the images as `imagenet.train`")
    if config["figures"]["pictures"]:
        find_pictures(config["figures"]["pictures"])
    if config["partial"] and not study.score_files(".json"):
        raise UserError("partial: no run of the study has scores yet; run it without first")


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
