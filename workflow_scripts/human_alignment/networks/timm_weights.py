"""timm's own pretrained weights by name, from a list; timm is not imported.

A name is a model and a tag: `resnet50.a1_in1k`. timm_weights.csv has a row for each: the
repository of the Hugging Face hub that holds the weights, the input's side, the number of classes,
whether the tag is the model's default, and why the network has no map to explain.
"""

import csv
import difflib
import fnmatch
import functools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from ..common.cli import UserError
from ..common.sources import HUB

FILE = Path(__file__).with_name("timm_weights.csv")  # written by envs/list_timm_models.py
COLUMNS = ("name", "repository", "size", "classes", "default", "no_map")


class Weights(NamedTuple):
    """One row of the list.

    name: model and tag.  repository: on the hub, `owner/name`; empty if the weights are elsewhere.
    size: side of the input in pixels.  classes: of the classifier; 0 if there is none.
    default: whether timm takes this tag where none is named.
    no_map: why the network cannot be explained; empty if it can.
    """

    name: str
    repository: str
    size: int
    classes: int
    default: bool
    no_map: str

    @property
    def source(self) -> str:
        """Where the weights are, as a checkpoint's `url`. timm's repositories name the file so."""
        return f"{HUB}{self.repository}/model.safetensors"

    def problem(self, layer: str | None = None, classes: int | None = None) -> str | None:
        """Why the weights cannot be used, and what to do; None if they can.

        layer: the module that the user names for the last feature map; timm's need not be found.
        classes: how many the network must have; None if any number will do.
        """
        if not self.repository:
            return (
                "no repository of the hub holds the weights (give the address of a checkpoint: "
                "`checkpoint: {url: ...}`, by hand `--source`)"
            )
        if not self.classes:
            return "no classifier, so no class to explain"
        if self.no_map and not layer:
            return f"{self.no_map} (`feature_layer` may name one)"
        if classes not in (None, self.classes):
            return (
                f"other classes than the {classes:,} of the data (`protocol: {{target: "
                "prediction}` explains the predicted class)"
            )
        return None


@functools.cache
def listed() -> Mapping[str, Weights]:
    """All weights by name."""
    with open(FILE, newline="") as stream:
        rows = [
            Weights(
                name=row["name"],
                repository=row["repository"],
                size=int(row["size"]),
                classes=int(row["classes"]),
                default=row["default"] == "1",
                no_map=row["no_map"],
            )
            for row in csv.DictReader(stream)
        ]
    return {row.name: row for row in rows}


def find(name: str) -> Weights:
    """The weights of a name, of a model without a tag those that timm takes by default.

    Raises UserError with close names when timm has none.
    """
    if name in listed():
        return listed()[name]
    for row in listed().values():
        if row.default and row.name.partition(".")[0] == name:
            return row
    raise UserError(f"timm has no weights called {name!r}{_hint(name)}")


def matching(patterns: Iterable[str]) -> list[Weights]:
    """The weights whose names match any of the patterns, in the order of the patterns.

    patterns: with `*`, `?` and `[...]` as in a shell; one that begins with `!` takes out what it
    matches of those before it.
    Raises UserError with close names for a pattern that matches nothing.
    """
    found: dict[str, Weights] = {}
    for pattern in patterns:
        plain = pattern.removeprefix("!")
        names = fnmatch.filter(listed(), plain)
        if not names:
            raise UserError(f"no weights of timm match {plain!r}{_hint(plain)}")
        for name in names:
            if pattern.startswith("!"):
                found.pop(name, None)
            else:
                found[name] = listed()[name]
    return list(found.values())


def _hint(name: str) -> str:
    """`; did you mean ...?` with up to three names of the list that are close, else nothing."""
    model, dot, _ = name.partition(".")
    tags = [known for known in listed() if dot and known.startswith(f"{model}.")]
    close = difflib.get_close_matches(name, tags or list(listed()), 3, 0.0 if tags else 0.6)
    return f"; did you mean {', '.join(close)}?" if close else ""
