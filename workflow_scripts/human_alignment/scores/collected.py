"""The summary of a study from the score files of all its runs."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import Field

from ..common.cli import UserError
from ..common.paths import SUFFIX, Run
from ..common.records import Record, checked, read_json
from .bootstrap import Row, add_intervals
from .pairs import in_order, network_of
from .run_summary import summary_rows
from .score_file import UNKNOWN, ScoreFile, check_same_data, read_scores
from .spearman import CAUSES
from .summary import FIGURES


class Accuracy(Record):
    """A run's `<run>.top1.json`: percent of images, their number, and the network's parameters."""

    top1: float = Field(ge=0, le=100, description="a number from 0 to 100")
    top5: float = Field(ge=0, le=100, description="a number from 0 to 100")
    n: int = Field(ge=1, description="a whole number, 1 or more")
    parameters: int = Field(ge=0, description="a whole number, 0 or more")


def collect(
    scores: list[Path],
    accuracies: list[Path],
    twins: Mapping[str, str] | None = None,
    own_top1: Collection[str] = (),
    **settings,
) -> pd.DataFrame:
    """The summary of a study: a row per run and explainer, in the paper's order of networks.

    scores: score files of all runs, `<folder>/<model>/<run>.parquet`, also several of one run with
    other explainers.  accuracies: `<folder>/<model>/<run>.top1.json` of the runs that have it.
    own_top1: models whose top-1 is that of the scored images.
    twins: as `pairs.TWINS_FLAG` says; None takes the weights' word on who has DCLS.  settings:
    `resamples` and `seed` of the bootstrap.

    Raises UserError that names the file when one is damaged, when two score files are of different
    data files, and when the weights of a network say otherwise than `twins` whether it has DCLS.
    """
    top1 = {Run.of(path): checked(Accuracy, str(path), read_json(path)).top1 for path in accuracies}
    runs: list[Run] = []
    rows = list(add_intervals(_rows(scores, runs, top1, twins, own_top1), **settings))
    table = pd.DataFrame(rows).assign(top1=list(map(top1.get, runs)))
    return in_order(table).reset_index(drop=True)


def _rows(
    paths: list[Path],
    runs: list[Run],
    top1: dict[Run, float | None],
    twins: Mapping[str, str] | None,
    own_top1: Collection[str],
) -> Iterator[Row]:
    """Rows of the summary without top-1, file by file; adds the run of each to `runs`.

    own_top1: models of which `top1` gets that of the scored images.
    """
    first = None
    for path in paths:
        file = read_scores(path)
        first = first or file.origin
        check_same_data(first, file.origin)
        if Run.of(path).model in own_top1 and not file.source.sampled:
            top1[Run.of(path)] = _top1(file)
        network = _checked_network(path, file.source.dcls, twins)
        for explainer, (found, values) in summary_rows(file.source, file.scores).items():
            row = {
                **network,
                "parameters": found["parameters"],
                "top1": None,
                "explainer": explainer,
                **{figure: found[figure] for figure in FIGURES},
                "human_ceiling": found["human_ceiling"],
                "n_records": found["records"],
                **{f"n_{cause}": found["status"].get(cause, 0) for cause in CAUSES},
                "mean_rho_of_records": found["mean_rho_of_records"],
            }
            runs.append(Run.of(path))
            yield row, values


def _top1(file: ScoreFile) -> float | None:
    """Percent of the scored images that the network classifies correctly; None if not known.

    Records of one image count once.
    """
    if file.predicted is None or (file.labels == UNKNOWN).any():
        return None
    _, records = np.unique(next(iter(file.scores.values())).groups, return_index=True)
    return 100 * float(np.mean(file.predicted[records] == file.labels[records]))


def _checked_network(path: Path, dcls: bool, twins: Mapping[str, str] | None) -> dict:
    """model, dcls, run and network of a summary. dcls: what the record in the weights says."""
    if twins is None:
        name = Run.of(path).model
        twins = {name: name.removesuffix(SUFFIX)} if dcls else {}
    found = network_of(path, twins)
    if found["dcls"] != dcls:
        has = "has" if dcls else "has no"
        raise UserError(
            f"{path}: by its weights the network {found['network']} {has} DCLS; name in --twins "
            "the networks with DCLS, and no others"
        )
    return found
