"""Check a study's config against its schema and fill in defaults, with messages for people."""

import copy
import itertools
import math
import os
from collections.abc import Callable, Iterator

import jsonschema

from ..common.class_folders import class_folders
from ..common.cli import UserError
from ..common.paths import SUFFIX
from ..common.picture_files import find_pictures
from ..common.records import close_name, shown
from ..common.sources import local_path, url_problem
from ..networks import records, timm_weights
from ..training.recipe import Recipe
from .study import Study, data_classes


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


_TYPES = jsonschema.Draft202012Validator.TYPE_CHECKER.redefine(
    "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
)  # JSON Schema takes 2.0 for a whole number; a command line then would read `2.0`
_Validator = _with_defaults(
    jsonschema.validators.extend(jsonschema.Draft202012Validator, type_checker=_TYPES)
)
_MOST_VALUES, _DEEPEST, _LONGEST, _LARGEST = 100_000, 20, 10_000, 2**63
_MOST_NAMES = 20  # in one line of a refusal
_IMAGE_SIDE = 64  # pixels, of the embedded digits


def checked_study(config: dict, schema: dict) -> Study:
    """The study that a config describes; every key, name and path is checked before any job.

    Raises UserError with what is wrong, where, and what is allowed (ten problems at most).
    """
    check_config(config, schema)
    study = Study(config)
    check_twins(study)
    check_sources(study)
    return study


def check_config(config: dict, schema: dict) -> None:
    """Validate in place and fill in defaults, models that `timm_models` names among them.

    `true` and `false` may be text at the top level: so they come from `--config key=true`.

    Raises UserError with each wrong key's path, its value, and what is allowed (ten at most).
    """
    if problems := list(itertools.islice(_unusable(config), 10)):
        raise _refusal(problems)
    for name, entry in schema["properties"].items():
        if entry.get("type") == "boolean" and config.get(name) in ("true", "false"):
            config[name] = config[name] == "true"
    if problems := add_timm_weights(config):
        raise _refusal(problems)
    errors = sorted(_Validator(schema).iter_errors(config), key=lambda e: list(map(str, e.path)))
    problems = [_message(error) for error in errors]
    if not errors:
        problems = _problems(config)
    if problems:
        raise _refusal(problems)
    for holder, key in (
        (config["extract"], "explainers"),
        (config["attributions"], "explainers"),
        (config, "measures"),
        (config["sweep"], "thresholds"),
        (config["controls"], "cutoffs"),
    ):
        holder[key] = sorted(holder[key])  # their order means nothing, and re-runs nothing
    figures, first = config["figures"], next(iter(config["models"]))
    if figures["overlay_model"] is None:
        figures["overlay_model"] = first
    if figures["methods_models"] is None:
        figures["methods_models"] = [first]


def add_timm_weights(config: dict) -> list[str]:
    """Add the models that `timm_models` names, and timm's weights where a model has none.

    A published model with `timm` and without `checkpoint` gets its tag and the checkpoint on the
    hub. A name that `models` has keeps its entry. What has another form than the schema asks for is
    left as it is. Returns what is wrong, a line for each problem.
    """
    patterns = config.get("timm_models", [])
    models = config.setdefault("models", {}) if patterns else config.get("models")
    if not isinstance(models, dict):
        return []
    if isinstance(patterns, list) and all(isinstance(one, str) for one in patterns):
        try:
            for row in timm_weights.matching(patterns):
                models.setdefault(row.name, {"source": "published", "timm": row.name})
        except UserError as error:
            return [f"timm_models: {error}"]
    problems, unusable = [], {}
    for name, entry in models.items():
        wanted = isinstance(entry, dict) and entry.get("source") == "published"
        if wanted and isinstance(entry.get("timm"), str) and "checkpoint" not in entry:
            try:
                if reason := _take_timm_weights(entry, _needed_classes(config)):
                    unusable.setdefault(reason, []).append(name)
            except UserError as error:
                problems.append(f"models.{name}: {error}")
    for reason, names in unusable.items():
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        problems.append(f"models: {reason}: {', '.join(names[:_MOST_NAMES])}{more}")
    if unusable and patterns:
        problems.append("timm_models: a pattern that begins with ! takes out what it matches")
    return problems


def _needed_classes(config: dict) -> int | None:
    """How many classes networks must have; None if any number will do, or it is not known.

    Both presets of the protocol explain the label.
    """
    protocol = config.get("protocol")
    if isinstance(protocol, dict) and protocol.get("target") == "prediction":
        return None
    return data_classes(config)


def _take_timm_weights(entry: dict, classes: int | None) -> str | None:
    """Put the tag and the checkpoint of timm's weights into a model's entry.

    Returns why they cannot be used; the entry then stays as it is.
    Raises UserError when timm has no weights of the name.
    """
    name, at, layer = entry["timm"].partition("@")
    records.check_timm_name(name)
    row = timm_weights.find(name)
    if "dcls" in entry:
        return "timm's weights have no DCLS (remove `dcls`, or give a `checkpoint`)"
    if problem := row.problem(entry.get("feature_layer") or layer, classes):
        return problem
    entry["timm"] = f"{row.name}{at}{layer}"
    entry["checkpoint"] = {"url": row.source}
    return None


def _refusal(problems: list[str]) -> UserError:
    """One screen of problems: the first ten, the end of a very long one left out."""
    every = list(dict.fromkeys(problems))[:10]
    lines = [text if len(text) <= 1500 else f"{text[:1500]}..." for text in every]
    return UserError("the config cannot be used:\n  " + "\n  ".join(lines))


def _unusable(config: dict) -> Iterator[str]:
    """What no key of a config may hold, whatever its place: one line each.

    Keys are text; values are text, finite numbers, true, false, null, lists and mappings of these.
    A size is set to all of it, because a few aliases of YAML can stand for billions of values.
    """
    waiting, count = [("", config, 0)], 0
    while waiting:
        where, value, depth = waiting.pop()
        count += 1
        if count > _MOST_VALUES:
            yield f"it holds more than {_MOST_VALUES:,} values"
            return
        place = where or "top level"
        match value:
            case dict() | list() if depth > _DEEPEST:
                yield f"{place}: nested more than {_DEEPEST} deep"
            case dict():
                for key, inner in value.items():
                    if isinstance(key, str) and not _text_problem(key):
                        waiting.append((f"{where}.{key}".lstrip("."), inner, depth + 1))
                    else:
                        yield f"{place}: the key {shown(key)} is no text; put it in quotes"
            case list():
                inner = [(f"{where}.{i}", one, depth + 1) for i, one in enumerate(value)]
                waiting += reversed(inner)
            case str():
                if problem := _text_problem(value):
                    yield f"{place}: {shown(value)} {problem}"
            case float() if not math.isfinite(value):
                yield f"{place}: {value} is not allowed; allowed: a finite number"
            case int() if abs(value) > _LARGEST:
                yield f"{place}: a number of {value.bit_length()} bits is too large"
            case None | bool() | int() | float():
                pass
            case _:
                kind = type(value).__name__
                yield f"{place}: {shown(value)} is a {kind}; put it in quotes to make it text"


def _text_problem(text: str) -> str | None:
    """Why a text can be no name, path or sentence; None if it can."""
    if len(text) > _LONGEST:
        return f"is longer than {_LONGEST:,} characters"
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        return "holds a character that no file can (NUL or half a surrogate pair)"
    return None


def _message(error: jsonschema.ValidationError) -> str:
    """One line: where, what, what is allowed."""
    where = ".".join(str(part) for part in error.path) or "top level"
    match error.validator:
        case "additionalProperties":
            known = list(error.schema.get("properties", {}))
            unknown = [name for name in error.instance if name not in known]
            return (
                f"{where}: unknown key {shown(unknown[0])}{close_name(unknown[0], known)}; "
                f"allowed: {', '.join(known)}"
            )
        case "enum":
            allowed = ", ".join(map(str, error.validator_value))
            close = close_name(str(error.instance), map(str, error.validator_value))
            return f"{where}: {shown(error.instance)} is not known{close}; allowed: {allowed}"
        case "minimum" | "exclusiveMinimum" | "maximum":
            sign = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<="}[error.validator]
            return f"{where}: {error.instance!r} is out of range; allowed: {sign} " + str(
                error.validator_value
            )
        case "pattern":
            allowed = error.schema.get("$comment", f"the pattern {error.validator_value}")
            return f"{where}: {shown(error.instance)} is not allowed; allowed: {allowed}"
        case "type" if isinstance(error.instance, float) and error.instance.is_integer():
            return f"{where}: {error.message}; write {int(error.instance)}"
        case _:
            return f"{where}: {error.message.replace(repr(error.instance), shown(error.instance))}"


def _problems(config: dict) -> list[str]:
    """What a schema cannot check: names that must be known, and records that check themselves."""
    known = [*records.load_networks(), *config["networks"]]
    return [
        *_record_problems("recipes", config["recipes"], Recipe.from_dict),
        *_record_problems("networks", config["networks"], _check_network),
        *(text for name in config["models"] for text in _model_problems(config, name, known)),
        *(text for name in config["models"] for text in _training_problems(config, name)),
        *_figure_problems(config),
        *_folder_problems(config),
    ]


def _check_network(record: dict) -> None:
    network = records.Network.from_dict(record)
    if network.family == "timm":
        records.check_timm_name(network.arguments["name"])


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
            f"models.{name}: no network called {plain!r}{close_name(plain, known)}; "
            f"give `timm`, or `architecture`, one of: {', '.join(known)}"
        )
    if "timm" in entry:
        try:
            records.check_timm_name(entry["timm"].partition("@")[0])  # a layer may follow
        except UserError as error:
            yield f"models.{name}.timm: {error}"
    if plain in known or "timm" in entry:
        try:
            Study(config).network(name)
        except UserError as error:
            yield f"models.{name}: {error}"
    recipe = entry.get("train", {}).get("recipe")
    if entry["source"] == "train" and recipe not in config["recipes"]:
        recipes = ", ".join(config["recipes"]) or "none is given"
        yield (
            f"models.{name}.train.recipe: {recipe!r} is not known; allowed, from `recipes`: "
            f"{recipes}"
        )


def _training_problems(config: dict, name: str) -> Iterator[str]:
    """What the trainer would refuse of a model's recipe, on this network, these images and ranks.

    A network or a recipe that is wrong by itself is told elsewhere.
    """
    entry = config["models"][name]
    values = config["recipes"].get(entry.get("train", {}).get("recipe"))
    if entry["source"] != "train" or values is None:
        return
    try:
        network, recipe = Study(config).network(name), Recipe.from_dict(values)
    except UserError:
        return
    where = f"recipes.{entry['train']['recipe']}"
    if recipe.layer_scale is not None and network.family not in records.LAYER_SCALE:
        yield (
            f"{where}.layer_scale: {name} is of family {network.family}, which has none to set; "
            f"allowed: null, or a model of family {' or '.join(records.LAYER_SCALE)}"
        )
    if config["imagenet"]["train"] is None and recipe.shift >= _IMAGE_SIDE:
        yield (
            f"{where}.shift: {recipe.shift} is out of range; allowed: less than the image's side, "
            f"{_IMAGE_SIDE}"
        )
    try:
        recipe.piece(config["train"]["nodes"] * max(1, config["train"]["gpus"]))
    except UserError as error:
        yield f"{where}: {error}"


def _figure_problems(config: dict) -> Iterator[str]:
    """Are the networks of the figures in the study, plain or with DCLS?"""
    figures = config["figures"]
    wanted = [("overlay_model", figures["overlay_model"])]
    wanted += [("methods_models", name) for name in figures["methods_models"] or []]
    for key, name in wanted:
        if name is not None and not {name, name + SUFFIX} & config["models"].keys():
            yield (
                f"figures.{key}: the study has no model {name!r}"
                f"{close_name(name, config['models'])}; allowed: {', '.join(config['models'])}"
            )
    named = {"figures.label": figures["label"], "gallery.models": config["gallery"]["models"]}
    for key, names in named.items():
        for name in names:
            if name not in config["models"]:
                close = close_name(name, config["models"])
                yield f"{key}: the study has no model {name!r}{close}"


def _folder_problems(config: dict) -> Iterator[str]:
    """Do the settings of pictures and maps of one's own go together?"""
    if config["data"] != "folder":
        return
    folder = config["folder"]
    if (folder["maps"] is None) == (folder["fixations"] is None):
        given = "both are given" if folder["maps"] else "none is given"
        yield f"folder: {given} of `maps` and `fixations`; allowed: one of them"
    if folder["fixations"] and not folder["sigma"]:
        yield (
            "folder.sigma: fixations need one above 0: the standard deviation in pixels of the "
            "picture of the Gaussian that each of them becomes"
        )
    if folder["labels"] is None and Study(config).protocol.target == "label":
        yield (
            "protocol.target: 'label' cannot be explained, as `folder` names no labels; give "
            "`labels`, or write `protocol: {target: prediction}`"
        )


def check_twins(study: Study) -> None:
    """Whoever has `plain` has DCLS, and names a model of the study without it.

    Raises UserError with the key and what is allowed.
    """
    models, twins = study.config["models"], study.twins
    allowed = [name for name in models if name not in twins]
    problems = []
    for name, entry in models.items():
        plain = entry.get("plain")
        if plain and name not in twins:
            problems.append(f"models.{name}.plain: this network has no DCLS; give it `dcls`")
        elif plain and plain not in allowed:
            problems.append(
                f"models.{name}.plain: {plain!r} is no model of the study without DCLS"
                f"{close_name(plain, allowed)}; allowed: {', '.join(allowed) or 'none'}"
            )
    if problems:
        raise _refusal(problems)


def check_sources(study: Study) -> None:
    """Local paths of the config exist and hold what they should; URLs are left to the download.

    Raises UserError naming the key of each path that does not exist, or what a path lacks.
    """
    config = study.config
    named = {f"imagenet.{part}": path for part, path in config["imagenet"].items()}
    named["figures.pictures"] = config["figures"]["pictures"]
    maps = {f"references.maps.{name}": path for name, path in config["references"]["maps"].items()}
    named |= maps
    if config["data"] == "clickme":
        named["clickme.source"] = config["clickme"]["source"]
    for model, entry in config["models"].items():
        named[f"models.{model}.checkpoint.url"] = entry.get("checkpoint", {}).get("url")
    if problems := [f"{key}: {text}" for key, url in named.items() if (text := url_problem(url))]:
        raise _refusal(problems)
    if problems := [
        f"{key}: {shown(path)} is not on this machine; download it and give its path"
        for key, path in maps.items()
        if local_path(path) is None
    ]:
        raise _refusal(problems)
    missing = [
        f"{key}: {shown(path)[1:-1]} does not exist"
        for key, path in named.items()
        # Not Path.exists, which raises where a name is longer than the file system takes.
        if path and (local := local_path(path)) and not os.path.exists(local)
    ]
    missing += [
        f"folder.{key}: {shown(path)[1:-1]} does not exist"
        for key, path in study.folder_paths.items()
        if not os.path.exists(path)
    ]
    missing += [
        f"{key}: {path} is no file"
        for key, path in named.items()
        if key.endswith("checkpoint.url") and path and os.path.isdir(local_path(path) or "")
    ]
    if missing:
        raise UserError("the config names paths that do not exist:\n  " + "\n  ".join(missing[:10]))
    check_folders(**config["imagenet"])
    if any(run.run != "published" for run in study.runs) and not study.training_images:
        raise UserError("a model has `source: train`; name the images as `imagenet.train`")
    if config["figures"]["pictures"]:
        find_pictures(config["figures"]["pictures"])
    if config["partial"] and not study.score_files():
        raise UserError("partial: no run of the study has scores yet; run it without first")


def check_folders(train: str | None, val: str | None) -> None:
    """The image folders that are named hold class folders with images, and the same classes.

    Raises UserError with what is expected, or the classes that only one has (three at most).
    """
    classes, problems = {}, []
    for part, root in (("train", train), ("val", val)):
        try:
            if root:
                classes[part] = class_folders(root)
        except UserError as error:
            problems.append(f"imagenet.{part}: {error}")
    if problems:
        raise UserError("images cannot be read as classes:\n  " + "\n  ".join(problems))
    if len(classes) < 2:
        return
    problems = [
        f"imagenet.{part} lacks {len(names)} class folders: {', '.join(sorted(names)[:3])}"
        for part, names in (
            ("train", classes["val"] - classes["train"]),
            ("val", classes["train"] - classes["val"]),
        )
        if names
    ]
    if problems:
        raise UserError(
            "training and validation images differ in class:\n  " + "\n  ".join(problems)
        )
