"""Which networks of a study belong together: a plain one and its twin with DCLS.

Every table of a study names a network by the columns NETWORK. `network` is its name in the config
and `dcls` is 1 if it has DCLS. `model` is what the two of a pair share: the name of the plain one.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from ..common.arguments import json_object
from ..common.cli import UserError
from ..common.paths import SUFFIX, Run

NETWORK = ["model", "dcls", "network"]
PAPER_ORDER = (  # of the rows of Table 1
    "convnext_tiny",
    "convnext_small",
    "convnext_base",
    "fastvit_sa24",
    "fastvit_sa36",
    "caformer_s18",
    "convformer_s18",
    "resnet50",
)


def full_name(model: str, dcls: int) -> str:
    """Name of a network of the paper: that of the plain one, with `_dcls` if it has DCLS."""
    return f"{model}{SUFFIX}" if dcls else model


def twins_argument(text: str) -> dict[str, str]:
    """Parse a command-line value (an argparse `type`): a JSON object of names.

    Raises UserError on anything else.
    """
    found = json_object(text)
    if not all(isinstance(name, str) for name in found.values()):
        raise UserError(f"twins: {text} is not a JSON object of names by names")
    return found


TWINS_FLAG = {  # the flag `--twins` of every script that gathers runs
    "type": twins_argument,
    "default": None,
    "help": "by each network with DCLS its plain twin (or its own name, if it has none), as JSON; "
    f"default: networks whose name ends in {SUFFIX}, and the names without it",
}


def network_of(path: Path | str, twins: Mapping[str, str] | None = None) -> dict:
    """model, dcls, run and network of a run's file, by its path.

    twins: as TWINS_FLAG says.
    """
    name, run = Run.of(path)
    if twins is None:
        twins = {name: name.removesuffix(SUFFIX)} if name.endswith(SUFFIX) else {}
    return {
        "model": twins.get(name, name),
        "dcls": int(name in twins),
        "run": run,
        "network": name,
    }


class Pair(NamedTuple):
    """Two networks that differ in DCLS only, or one without its twin (the other is None)."""

    plain: str | None
    dcls: str | None

    @property
    def label(self) -> str:
        """What figures call the pair: the plain one's name, and the other's if it differs."""
        if self.plain and self.dcls not in (None, full_name(self.plain, 1)):
            return f"{self.plain} / {self.dcls}"
        return self.plain or self.dcls


def pairs(table: pd.DataFrame) -> list[Pair]:
    """The pairs of a table with the columns NETWORK, in the paper's order, others as they appear.

    A plain network with several twins is in a pair with each of them.
    """
    found: list[Pair] = []
    networks: dict[tuple[str, int], list[str]] = {}
    for model, dcls, network in table[NETWORK].drop_duplicates().itertuples(index=False):
        networks.setdefault((model, dcls), []).append(network)
    for model in model_order(table):
        plain, dcls = (networks.get((model, d), []) for d in (0, 1))
        first = plain[0] if plain else None
        found += [Pair(first, other) for other in dcls] or [Pair(first, None)]
    return found


def place(name: str) -> int:
    """Where a network stands in the paper's order, by its name; networks it lacks come last."""
    plain = name.removeprefix("micro_").removesuffix(SUFFIX)
    return PAPER_ORDER.index(plain) if plain in PAPER_ORDER else len(PAPER_ORDER)


def model_order(table: pd.DataFrame) -> list[str]:
    """Each `model` once, in the paper's order, then those that the paper lacks as they appear."""
    return sorted(dict.fromkeys(table["model"]), key=place)


def network_order(table: pd.DataFrame) -> list[str]:
    """Each `network` once, in the order of `model_order`, the plain one before those with DCLS."""
    return list(dict.fromkeys(name for pair in pairs(table) for name in pair if name))


def in_order(table: pd.DataFrame) -> pd.DataFrame:
    """The rows by `network_order`; rows of one network keep theirs."""
    place = {name: rank for rank, name in enumerate(network_order(table))}
    return table.sort_values("network", key=lambda names: names.map(place), kind="stable")
