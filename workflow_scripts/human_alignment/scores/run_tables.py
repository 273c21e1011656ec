"""Tables of all runs of a study, put together from files of single runs.

A file's path, `<folder>/<model>/<run>.<anything>`, says which network and run it is of.
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import Field

from ..common.cli import UserError
from ..common.records import Record, checked, read_json
from .pairs import in_order, network_of
from .protocol_variants import ALL

KEYS = ["model", "dcls", "run", "network"]
GAPS = ["dcls_difference_before", "dcls_difference"]


class Choice(Record):
    """A run's `<run>.sweep.json`: the fields of a `sweeps.Choice`."""

    best: float = Field(ge=0, le=1, description="a number from 0 to 1")
    chosen: list[float] = Field(min_length=1, description="a list of numbers")
    n: int = Field(ge=2, description="a whole number, 2 or more")
    score: float = Field(description="a finite number")
    low: float = Field(description="a finite number")
    high: float = Field(description="a finite number")


CHOICE = list(Choice.model_fields)


def read_table(path: Path, text: Sequence[str] = (), numbers: Sequence[str] = ()) -> pd.DataFrame:
    """A CSV file with a header; one without rows is an empty table.

    text, numbers: columns that it must have, in `numbers` finite numbers or empty cells. Raises
    UserError that names the file, and the line where one is at fault.
    """
    try:
        with open(path, newline="", encoding="utf-8") as stream:
            reader = csv.reader(stream)
            header = next(reader, None)
            if header is None:
                raise ValueError("it is empty")
            for place, line in enumerate(reader, 2):
                if len(line) != len(header):
                    raise ValueError(f"line {place} has not the {len(header)} cells of the header")
        table = pd.read_csv(path)
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"{path} cannot be read as a table: {error}") from error
    if missing := [name for name in [*text, *numbers] if name not in table]:
        raise UserError(f"{path} lacks the column {', '.join(missing)}; it has {', '.join(header)}")
    for name in numbers:
        values = pd.to_numeric(table[name], errors="coerce").astype(float)
        wrong = ((values.isna() & table[name].notna()) | np.isinf(values)).to_numpy()
        if wrong.any():
            row = int(np.argmax(wrong))
            raise UserError(
                f"{path}, line {row + 2}: {name} is {str(table[name][row])!r}; allowed: a finite "
                "number, or nothing"
            )
    return table


def gather(
    paths: list[Path],
    twins: Mapping[str, str] | None = None,
    text: Sequence[str] = (),
    numbers: Sequence[str] = (),
) -> pd.DataFrame:
    """Rows of every run's CSV file, each with KEYS in front, in the paper's order of networks.

    twins: as `pairs.TWINS_FLAG` says.  text, numbers: as for `read_table`, and its UserError.
    """
    tables = []
    for path in paths:
        table = read_table(path, text, numbers)
        for place, (name, value) in enumerate(network_of(path, twins).items()):
            table.insert(place, name, value)
        tables.append(table)
    return in_order(pd.concat(tables)).reset_index(drop=True)


def best_thresholds(
    sweeps: pd.DataFrame,
    choices: list[Path],
    usual: float,
    twins: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """A row per run: KEYS, CHOICE and `usual_score`, the score at the usual threshold.

    sweeps: rows of all runs with KEYS, threshold and score.  choices: `<run>.sweep.json` of all
    runs; a run for which cross-validation could not choose has empty cells.  twins: as for
    `gather`. Raises UserError that names the choice that cannot be read.
    """
    rows = []
    for path in choices:
        found = dict.fromkeys(CHOICE)
        if (values := read_json(path)) is not None:
            found = checked(Choice, str(path), values).model_dump()
            found["chosen"] = " ".join(f"{value:g}" for value in found["chosen"])
        rows.append({**network_of(path, twins), **found})
    at_usual = sweeps[sweeps["threshold"] == usual].rename(columns={"score": "usual_score"})
    table = in_order(pd.DataFrame(rows))
    return table.merge(at_usual[[*KEYS, "usual_score"]], on=KEYS, how="left")


def with_sign_changes(table: pd.DataFrame) -> pd.DataFrame:
    """Add, per run, explainer and field, the columns GAPS and `sign_changes`.

    table: rows of all runs with KEYS and `sensitivity.COLUMNS`.  GAPS: score with DCLS minus the
    plain twin's, under the protocol to start from and under the changed one; `sign_changes` says
    whether their signs differ. All three are empty for plain networks and without a twin.
    """
    keys = ["model", "run", "explainer", "field"]
    plain, dcls = (table[table["dcls"] == value] for value in (0, 1))
    both = dcls.merge(plain[[*keys, "score", "difference"]], on=keys, suffixes=("", "_plain"))
    gap = both["score"] - both["score_plain"]
    before = gap - (both["difference"] - both["difference_plain"])
    changes = (np.sign(before) != np.sign(gap)).where(gap.notna())
    values = dict(zip([*GAPS, "sign_changes"], [before, gap, changes], strict=True))
    rows = both[["network", *keys]].assign(**values)
    return table.merge(rows, on=["network", *keys], how="left")


def under_other_protocol(table: pd.DataFrame) -> pd.DataFrame:
    """Scores with all fields changed: KEYS, explainer, score with its own interval, and n."""
    rows = table[table["field"] == ALL].drop(columns=["low", "high"])
    rows = rows.rename(columns={"score_low": "low", "score_high": "high"})
    return rows[[*KEYS, "explainer", "score", "low", "high", "n"]]
