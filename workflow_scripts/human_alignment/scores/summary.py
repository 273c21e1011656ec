"""The summary of all scores: what every table and figure reads, checked and averaged over runs."""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from ..common.cli import UserError
from ..common.paths import network_of
from .spearman import CAUSES

EXPLAINER_NAMES = {"grad_cam": "Grad-CAM", "threshold_grad_cam": "Threshold-Grad-CAM"}  # paper's
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
NETWORK = ["model", "dcls"]  # the two columns that name a network
FIGURES = ("n", "n_images", "mean_rho", "score", "low", "high")  # of each run and explainer
_NUMBERS = ("dcls", "parameters", "top1", *FIGURES, "human_ceiling")


def collect(summaries: list[Path], accuracies: list[Path]) -> pd.DataFrame:
    """The summary of a study: a row per run and explainer.

    summaries: `<folder>/<model>/<run>.json` and `<run>.attributions.json`, as summarise_scores.py
    writes them.  accuracies: `<folder>/<model>/<run>.top1.json` of the runs that have it.
    """
    top1 = {
        tuple(network_of(path).values()): json.loads(path.read_text())["top1"]
        for path in accuracies
    }
    rows = [
        {
            **network_of(path),
            "parameters": found["parameters"],
            "top1": top1.get(tuple(network_of(path).values())),
            "explainer": explainer,
            **{figure: found[figure] for figure in FIGURES},
            "human_ceiling": found["human_ceiling"],
            **{f"n_{cause}": found["status"].get(cause, 0) for cause in CAUSES},
        }
        for path in summaries
        for explainer, found in json.loads(path.read_text()).items()
    ]
    return pd.DataFrame(rows)


def read_checked(path: Path | str, text: list[str], numbers: list[str]) -> pd.DataFrame:
    """Read a CSV file that must have these columns; `numbers` and columns `n_*` become float.

    An empty number is NaN. Raises UserError naming file, line and column on anything else.
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
    return frame.astype({"dcls": int})


def read_summary(path: Path | str) -> pd.DataFrame:
    """Read `scores/summary.csv`: one row per model, with or without DCLS, run and explainer.

    Raises UserError as `read_checked` does, and when two rows are of the same run and explainer.
    """
    frame = read_checked(path, ["model", "run", "explainer"], list(_NUMBERS))
    twice = frame.duplicated([*NETWORK, "run", "explainer"])
    if twice.any():
        row = frame[twice].iloc[0]
        name = full_name(row.model, row.dcls)
        raise UserError(f"{path} has two rows for {name}, run {row.run}, {row.explainer}")
    return frame


def full_name(model: str, dcls: int) -> str:
    """Name of a network as in the paper: with the suffix `_dcls` if it has DCLS."""
    return f"{model}_dcls" if dcls else model


def explainer_name(explainer: str) -> str:
    """How tables and figures call an explainer."""
    return (EXPLAINER_NAMES | FURTHER_NAMES).get(explainer, explainer)


def model_order(summary: pd.DataFrame) -> list[str]:
    """Models (without suffix) in the paper's order, then those it lacks as they first appear."""
    rank = {name: place for place, name in enumerate(PAPER_ORDER)}
    names = dict.fromkeys(summary["model"])
    return sorted(names, key=lambda name: rank.get(name.removeprefix("micro_"), len(rank)))


def explainer_order(names: Iterable[str]) -> list[str]:
    """Each of these explainers once: the paper's two first, then alphabetically."""
    found = set(names)
    first = [name for name in EXPLAINER_NAMES if name in found]
    return [*first, *sorted(found.difference(first))]


def causes(summary: pd.DataFrame) -> list[str]:
    """Columns that count the images without a defined score, one per cause."""
    return [name for name in summary if name.startswith("n_") and name not in ("n_images", "n_ok")]


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
    """One row per model, DCLS and explainer, from one row per run.

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


def scores_of(summary: pd.DataFrame, explainer: str, dcls: int) -> pd.DataFrame:
    """Defined scores of one explainer with or without DCLS, averaged over runs, index `model`."""
    frame = average_runs(summary)
    wanted = (frame["explainer"] == explainer) & (frame["dcls"] == dcls) & frame["score"].notna()
    found = frame[wanted].set_index("model")
    return found.loc[[name for name in model_order(summary) if name in found.index]]
