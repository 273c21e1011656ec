"""Tables of all runs of a study, put together from files of single runs.

A file's path, `<folder>/<model>/<run>.<anything>`, says which network and run it is of.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from ..common.cli import UserError
from ..common.paths import network_of
from .protocol_variants import ALL

KEYS = ["model", "dcls", "run"]
CHOICE = ["best", "chosen", "n", "score", "low", "high"]
GAPS = ["dcls_difference_before", "dcls_difference"]


def read_table(path: Path) -> pd.DataFrame:
    """A CSV file with a header; one without rows is an empty table. UserError names the file."""
    try:
        return pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as a table: {error}") from error


def gather(paths: list[Path]) -> pd.DataFrame:
    """Rows of every run's CSV file, each with its model, dcls and run in front.

    Raises UserError naming the file that cannot be read.
    """
    tables = []
    for path in paths:
        table = read_table(path)
        for place, (name, value) in enumerate(network_of(path).items()):
            table.insert(place, name, value)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def best_thresholds(sweeps: pd.DataFrame, choices: list[Path], usual: float) -> pd.DataFrame:
    """A row per run: KEYS, CHOICE and `usual_score`, the score at the usual threshold.

    sweeps: rows of all runs with KEYS, threshold and score.  choices: `<run>.sweep.json` of all
    runs; a run for which cross-validation could not choose has empty cells.
    """
    rows = []
    for path in choices:
        found = json.loads(path.read_text()) or dict.fromkeys(CHOICE)
        chosen = found["chosen"] and " ".join(f"{value:g}" for value in found["chosen"])
        rows.append({**network_of(path), **found, "chosen": chosen})
    at_usual = sweeps[sweeps["threshold"] == usual].rename(columns={"score": "usual_score"})
    return pd.DataFrame(rows).merge(at_usual[[*KEYS, "usual_score"]], on=KEYS, how="left")


def with_sign_changes(table: pd.DataFrame) -> pd.DataFrame:
    """Add, per run, explainer and field, the columns GAPS and `sign_changes`.

    table: rows of all runs with KEYS and `sensitivity.COLUMNS`.  GAPS: score with DCLS minus
    score without, under the protocol to start from and under the changed one; `sign_changes` says
    whether their signs differ. All three are empty for a model without its counterpart.
    """
    table = table.assign(before=table["score"] - table["difference"])
    keys = ["model", "run", "explainer", "field"]
    wide = table.pivot_table(index=keys, columns="dcls", values=["score", "before"], sort=False)
    table = table.drop(columns="before")
    if not {("score", 0), ("score", 1)} <= set(wide.columns):
        return table.assign(**dict.fromkeys([*GAPS, "sign_changes"]))
    gaps = [wide[when, 1] - wide[when, 0] for when in ("before", "score")]
    found = pd.concat(gaps, axis=1, keys=GAPS).dropna()
    signs = np.sign(found)
    found["sign_changes"] = signs[GAPS[0]] != signs[GAPS[1]]
    return table.merge(found.reset_index(), on=keys, how="left")


def under_other_protocol(table: pd.DataFrame) -> pd.DataFrame:
    """Scores with all fields changed: KEYS, explainer, score with its own interval, and n."""
    rows = table[table["field"] == ALL].drop(columns=["low", "high"])
    rows = rows.rename(columns={"score_low": "low", "score_high": "high"})
    return rows[[*KEYS, "explainer", "score", "low", "high", "n"]]
