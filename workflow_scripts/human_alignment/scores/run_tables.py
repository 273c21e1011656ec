"""Tables of all runs of a study, put together from files of single runs.

A file's path, `<folder>/<model>/<run>.<anything>`, says which network and run it is of.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from ..common.cli import UserError
from .pairs import in_order, network_of
from .protocol_variants import ALL

KEYS = ["model", "dcls", "run", "network"]
CHOICE = ["best", "chosen", "n", "score", "low", "high"]
GAPS = ["dcls_difference_before", "dcls_difference"]


def read_table(path: Path) -> pd.DataFrame:
    """A CSV file with a header; one without rows is an empty table. UserError names the file."""
    try:
        return pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as a table: {error}") from error


def gather(paths: list[Path], twins: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Rows of every run's CSV file, each with KEYS in front, in the paper's order of networks.

    twins: as `pairs.TWINS_FLAG` says. Raises UserError naming the file that cannot be read.
    """
    tables = []
    for path in paths:
        table = read_table(path)
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
    `gather`.
    """
    rows = []
    for path in choices:
        found = json.loads(path.read_text()) or dict.fromkeys(CHOICE)
        chosen = found["chosen"] and " ".join(f"{value:g}" for value in found["chosen"])
        rows.append({**network_of(path, twins), **found, "chosen": chosen})
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
