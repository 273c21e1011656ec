"""Tables of the scores of all runs under several protocols: threshold sweeps and sensitivity."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from .bootstrap import Row, add_intervals
from .pairs import in_order, network_of
from .protocol_variants import ALL, SWEPT
from .run_tables import KEYS
from .sensitivity import COLUMNS, sensitivity_rows
from .sweeps import cross_validate, sweep_rows
from .variant_file import read_variants

GAPS = ["dcls_difference_before", "dcls_difference"]


def threshold_tables(
    paths: list[Path],
    usual: float,
    folds: int,
    twins: Mapping[str, str] | None = None,
    *,
    resamples: int,
    seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores at all thresholds and the best threshold, of all runs, in the paper's order.

    paths: `<folder>/<model>/<run>.sweep.h5` of all runs.  usual: the protocol's threshold.  folds:
    of the cross-validation.  twins: as `pairs.TWINS_FLAG` says.  resamples, seed: of the bootstrap;
    the seed also draws the folds.

    Returns a row per run and threshold (KEYS and `sweeps.COLUMNS`), and a row per run (KEYS,
    `sweeps.CHOICE` and `usual_score`, the score at the usual threshold). Its cells are empty where
    cross-validation could not choose. Raises UserError that names a file that cannot be read.
    """

    def rows() -> Iterator[Row]:
        for path in paths:
            names = network_of(path, twins)
            found = read_variants(path)
            protocols = found.source.protocols
            scores = {protocols[key].threshold: one for key, one in found.scores[SWEPT].items()}
            # They differ in the threshold only.
            under = next(iter(protocols.values())), found.source.human_ceiling
            for row, values in sweep_rows(scores, *under):
                yield names | row, values
            row, values = cross_validate(scores, *under, folds=folds, seed=seed)
            if row["chosen"] is not None:
                row["chosen"] = " ".join(f"{value:g}" for value in row["chosen"])
            yield names | row, values

    found = list(add_intervals(rows(), resamples=resamples, seed=seed))
    curves = pd.DataFrame([row for row in found if "threshold" in row])
    choices = pd.DataFrame([row for row in found if "best" in row])
    curves, choices = (in_order(table).reset_index(drop=True) for table in (curves, choices))
    at_usual = curves[curves["threshold"] == usual].rename(columns={"score": "usual_score"})
    return curves, choices.merge(at_usual[[*KEYS, "usual_score"]], on=KEYS, how="left")


def sensitivity_table(
    paths: list[Path], twins: Mapping[str, str] | None = None, **settings
) -> pd.DataFrame:
    """What each field of the protocol changes, of all runs, in the paper's order.

    paths: `<folder>/<model>/<run>.sensitivity.h5` of all runs.  twins: as `pairs.TWINS_FLAG` says.
    settings: `resamples` and `seed` of the bootstrap.  Columns: KEYS, `sensitivity.COLUMNS`, and
    those of `with_sign_changes`. Raises UserError that names a file that cannot be read.
    """

    def rows() -> Iterator[Row]:
        for path in paths:
            names = network_of(path, twins)
            found = read_variants(path)
            under = found.source.protocols, found.source.human_ceiling
            for row, values in sensitivity_rows(found.scores, *under):
                yield names | row, values

    table = pd.DataFrame(add_intervals(rows(), **settings), columns=[*KEYS, *COLUMNS])
    return with_sign_changes(in_order(table).reset_index(drop=True))


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
