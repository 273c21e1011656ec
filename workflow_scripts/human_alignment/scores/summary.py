"""The summary of all scores: what every table and figure reads, checked and averaged over runs."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from ..common.cli import UserError
from .explainer_names import EXPLAINER_NAMES
from .pairs import NETWORK, full_name, in_order

FURTHER_NAMES = {
    "hires_cam": "HiResCAM",
    "grad_cam_plus_plus": "Grad-CAM++",
    "xgrad_cam": "XGrad-CAM",
    "layer_cam": "LayerCAM",
    "eigen_cam": "Eigen-CAM",
    "eigen_grad_cam": "Eigen-Grad-CAM",
    "saliency": "Saliency",
    "rise": "RISE",
}
SAME = 5e-4  # difference of mean rho below which two explainers give one score
FIGURES = ("n", "n_images", "mean_rho", "score", "low", "high")  # of each run and explainer
_NUMBERS = ("dcls", "parameters", "top1", *FIGURES, "human_ceiling")


def read_checked(path: Path | str, text: list[str], numbers: list[str]) -> pd.DataFrame:
    """Read a CSV file that must have these columns; `numbers` and columns `n_*` become float.

    An empty number is NaN. Without a column `network`, a network has the name that the paper's
    have: `model`, with `_dcls` if it has DCLS.

    Raises UserError naming file, line and column on anything else.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path} does not exist")
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not a CSV file with a header: {error}") from error
    missing = [name for name in [*text, *numbers] if name not in frame]
    if missing:
        raise UserError(f"{path} lacks the column {', '.join(missing)}; it has {list(frame)}")
    for name in dict.fromkeys([*numbers, *(c for c in frame if c.startswith("n_"))]):
        values = pd.to_numeric(frame[name], errors="coerce").astype(float)
        wrong = (values.isna() & (frame[name].str.strip() != "")).to_numpy()
        if wrong.any():
            row = int(np.argmax(wrong))
            raise UserError(f"{path}, line {row + 2}: {name} {frame[name][row]!r} is not a number")
        frame[name] = values
    if not frame["dcls"].isin([0, 1]).all():
        raise UserError(f"{path}: column dcls holds something other than 0 and 1")
    frame = frame.astype({"dcls": int})
    if "network" not in frame:
        frame["network"] = list(map(full_name, frame["model"], frame["dcls"]))
    return frame


def read_summary(path: Path | str) -> pd.DataFrame:
    """Read `scores/summary.csv`: one row per network, run and explainer.

    Raises UserError as `read_checked` does, and when two rows are of the same run and explainer.
    """
    frame = read_checked(path, ["model", "run", "explainer"], list(_NUMBERS))
    twice = frame.duplicated(["network", "run", "explainer"])
    if twice.any():
        row = frame[twice].iloc[0]
        raise UserError(f"{path} has two rows for {row.network}, run {row.run}, {row.explainer}")
    return frame


def explainer_name(explainer: str) -> str:
    """How tables and figures call an explainer."""
    return (EXPLAINER_NAMES | FURTHER_NAMES).get(explainer, explainer)


def explainer_order(names: Iterable[str]) -> list[str]:
    """Each of these explainers once: the paper's two first, then alphabetically."""
    found = set(names)
    first = [name for name in EXPLAINER_NAMES if name in found]
    return [*first, *sorted(found.difference(first))]


def papers_explainers(names: Iterable[str]) -> list[str]:
    """The paper's among these explainers, in its order; without any, the first of them."""
    order = explainer_order(names)
    return [name for name in order if name in EXPLAINER_NAMES] or order[:1]


def coinciding(summary: pd.DataFrame) -> list[list[str]]:
    """Groups of two or more explainers that have the same mean rho, to SAME, in every run.

    In the order of `explainer_order`; a run without a score has none to compare.
    """
    wide = summary.pivot(index=["network", "run"], columns="explainer", values="mean_rho")
    groups: list[list[str]] = []
    for name in explainer_order(wide):
        own = wide[name]
        for group in groups:
            difference = (wide[group[0]] - own).abs()
            if own.notna().any() and difference.le(SAME).where(difference.notna(), True).all():
                group.append(name)
                break
        else:
            groups.append([name])
    return [group for group in groups if len(group) > 1]


def causes(summary: pd.DataFrame) -> list[str]:
    """Columns that count the records without a defined score, one per cause."""
    others = ("n_images", "n_records", "n_ok")
    return [name for name in summary if name.startswith("n_") and name not in others]


def human_ceiling(table: pd.DataFrame, column: str = "human_ceiling") -> float | None:
    """The human ceiling that mean correlations were divided by to give the scores; None if none.

    Raises UserError when rows of the table were divided by different ceilings.
    """
    found = table[column].unique()
    if len(found) > 1:
        values = ", ".join("none" if np.isnan(one) else f"{one:g}" for one in found)
        raise UserError(
            f"the scores of the study have several human ceilings: {values}; score all runs with "
            "one data file and under one protocol"
        )
    return None if not len(found) or np.isnan(found[0]) else float(found[0])


def average_runs(summary: pd.DataFrame) -> pd.DataFrame:
    """One row per network and explainer, from one row per run.

    `score`: mean over runs. `sd`: sample standard deviation of the score over runs, NaN for one
    run. `low`, `high`: mean of the runs' 95 % bounds. All runs are scored on the same images, so
    their errors from the choice of images are correlated; the standard error of a mean is at most
    the mean of the standard errors whatever that correlation is. The interval is therefore exact
    for runs that err alike and too wide, never too narrow, otherwise. It speaks of the choice
    of images only; how much trainings differ is `sd`. `n`: fewest scored images of any run,
    `n_<cause>`: most images left out in any run. A run without a score enters no mean.
    """
    known = summary["score"].notna()
    scored = summary.assign(low=summary["low"].where(known), high=summary["high"].where(known))
    groups = scored.groupby([*NETWORK, "explainer"], sort=False)
    frame = groups[["score", "low", "high"]].mean()
    frame["sd"] = groups["score"].std(ddof=1)
    frame["parameters"] = groups["parameters"].first()
    frame["n"] = groups["n"].min()
    for cause in causes(summary):
        frame[cause] = groups[cause].max()
    return frame.reset_index()


def scores_of(summary: pd.DataFrame, explainer: str) -> pd.DataFrame:
    """Defined scores of one explainer, averaged over runs: index `network`, in the paper's order.

    Columns as in `average_runs`, and `top1`: the mean over runs, NaN where it was not measured.
    """
    frame = average_runs(summary)
    found = in_order(frame[(frame["explainer"] == explainer) & frame["score"].notna()])
    top1 = summary.drop_duplicates(["network", "run"]).groupby("network")["top1"].mean()
    return found.set_index("network").assign(top1=top1.reindex(found["network"]).to_numpy())
