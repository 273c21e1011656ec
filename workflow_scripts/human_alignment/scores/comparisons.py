"""Which of two networks, or of two explainers, is closer to the human maps of the same images."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from ..common.paths import Run
from .bootstrap import Row, add_intervals
from .controlled import ControlledStudy
from .image_means import image_means
from .image_values import ImageValues, Values, paired
from .pairs import Pair, pairs
from .score_file import Scores, ScoreSource, check_same_data, read_scores
from .statistics import Correlation, compared_row, correlate, holm
from .summary import explainer_order, scores_of

KINDS = ("dcls - plain", "threshold_grad_cam - grad_cam")
SCALES = {"top1": np.asarray, "parameters": np.log10}  # how quantities of networks enter
COMPARISONS = ["comparison", "model", "network", "explainer", "n", "dropped", "difference"]
COMPARISONS += ["low", "high", "p_value", "superiority"]
KINDS_OF_NETWORKS = ("plain", "DCLS")  # by the column dcls


class StudyRho:
    """Rho of the networks of a study by explainer and image, read network by network.

    paths: score files of all runs, `<folder>/<network>/<run>.parquet`, also several of one run with
    other explainers. What reads raises UserError when they are not of one data file.
    """

    def __init__(self, paths: list[Path]):
        self._paths: dict[str, list[Path]] = {}
        for path in paths:
            self._paths.setdefault(Run.of(path).model, []).append(path)
        self._first: tuple[Path, ScoreSource] | None = None  # of whose data all must be

    def compared(self, network: str) -> dict[str, ImageValues]:
        """A network's rho by explainer, averaged over its runs.

        A record that is undefined in any run is undefined; an image's rho is the mean over its
        records that are defined, NaN if none is.
        """
        runs: dict[str, list[tuple[np.ndarray, Scores]]] = {}
        for path in self._paths.get(network, []):
            found = read_scores(path)
            self._first = self._first or found.origin
            check_same_data(self._first, found.origin)
            for explainer, scores in found.scores.items():
                runs.setdefault(explainer, []).append((found.image_ids, scores))
        return {explainer: _over_runs(every) for explainer, every in runs.items()}


def _over_runs(runs: list[tuple[np.ndarray, Scores]]) -> ImageValues:
    """Runs of one network and explainer, each with the ids of its records, as values of images."""
    ids, first = runs[0]
    if all(np.array_equal(other, ids) for other, _ in runs):
        rho = np.mean([scores.rho for _, scores in runs], axis=0)
        groups = first.groups
    else:  # runs on other samples of the images: a record has the runs that it was drawn for
        tables = [
            pd.DataFrame({"id": own, "image": scores.groups, "rho": scores.rho})
            for own, scores in runs
        ]
        record = pd.concat(tables).groupby("id", sort=False)
        rho = record["rho"].mean().where(record["rho"].count() == record.size()).to_numpy()
        groups = record["image"].first().to_numpy()
    return ImageValues(np.unique(groups), image_means(rho, groups))


def compare(
    rho: StudyRho,
    summary: pd.DataFrame,
    controlled: ControlledStudy | None = None,
    **settings,
) -> pd.DataFrame:
    """All comparisons of a study, one after the other by their kind.

    First each network with DCLS against its plain twin, then Threshold-Grad-CAM against Grad-CAM of
    each network, then DCLS against plain in what `controlled` knows. summary: scores/summary.csv,
    which says who is in the study and which two are a pair.  settings: `resamples` and `seed` of
    the bootstrap.

    Columns: comparison, model (what figures call the pair), network (with DCLS), explainer, the
    numbers of a `compared_row`, and `p_holm`, which corrects the Wilcoxon signed-rank test for
    the comparisons of a kind and explainer. Memory does not grow with the networks.
    """
    found = list(add_intervals(_compared(rho, controlled, pairs(summary)), **settings))
    order = explainer_order(row["explainer"] for row in found)
    kinds = list(KINDS) + [kind for kind in _kinds(found) if kind not in KINDS]
    # By kind and explainer; within these the pairs stand as in the study.
    found.sort(key=lambda row: (kinds.index(row["comparison"]), order.index(row["explainer"])))
    table = pd.DataFrame(found, columns=COMPARISONS)
    corrected = table.groupby(["comparison", "explainer"])["p_value"]
    return table.assign(p_holm=corrected.transform(lambda p: holm(p.to_numpy())))


def _kinds(rows: list[dict]) -> list[str]:
    return list(dict.fromkeys(row["comparison"] for row in rows))


def _compared(
    rho: StudyRho, controlled: ControlledStudy | None, of_study: list[Pair]
) -> Iterator[Row]:
    """Rows of `compare`, pair by pair."""
    held: dict[str, Values] = {}
    paired_up = {name for pair in of_study if None not in pair for name in pair}

    def values_of(network: str) -> Values:
        if network not in held:
            own = rho.compared(network).items()
            held[network] = {(KINDS[0], explainer): values for explainer, values in own}
            if controlled and network in paired_up:
                held[network] |= controlled.compared(network)
        return held[network]

    done: set[str] = set()
    for pair in of_study:
        members = [name for name in pair if name]
        held = {name: values for name, values in held.items() if name in members}
        for name in members:
            if name not in done:
                done.add(name)
                yield from _explainers_compared(name, values_of(name))
        if None not in pair:
            yield from _networks_compared(pair, values_of(pair.dcls), values_of(pair.plain))


def _explainers_compared(network: str, values: Values) -> Iterator[Row]:
    first, second = ((KINDS[0], name) for name in ("threshold_grad_cam", "grad_cam"))
    if first in values and second in values:
        names = {"model": network, "network": network, "explainer": first[1]}
        yield from _row({"comparison": KINDS[1]} | names, values[first], values[second])


def _networks_compared(pair: Pair, dcls: Values, plain: Values) -> Iterator[Row]:
    for kind, explainer in dcls:
        if (kind, explainer) in plain:
            names = {"model": pair.label, "network": pair.dcls, "explainer": explainer}
            both = dcls[kind, explainer], plain[kind, explainer]
            yield from _row({"comparison": kind} | names, *both)


def _row(names: dict, first: ImageValues, second: ImageValues) -> Iterator[Row]:
    """`first` minus `second`, paired by image; nothing if no image has both."""
    a, b = paired(first, second)
    if not np.isnan(a - b).all():
        row, values = compared_row(a, b)
        yield names | row, values


def correlate_quantity(
    name: str, values: np.ndarray, scores: np.ndarray, method: str = "pearson"
) -> Correlation:
    """A quantity of networks against their scores, (n,) each: the one definition of the study.

    name: `top1`, or `parameters`, which enter by their logarithm.  values, scores: of plain
    networks only, or of networks with DCLS only: twins are not independent of each other.
    """
    return correlate(SCALES[name](np.asarray(values, np.float64)), scores, method)


def correlate_with_score(summary: pd.DataFrame) -> pd.DataFrame:
    """Top-1 and size of networks against their scores, by explainer, among plain ones and among
    those with DCLS.

    The trade-off of Fel et al. (2022) is accuracy against score. summary: scores/summary.csv.
    """
    rows = []
    for explainer in explainer_order(summary["explainer"]):
        scores = scores_of(summary, explainer)
        for dcls, networks in enumerate(KINDS_OF_NETWORKS):
            part = scores[scores["dcls"] == dcls]
            for quantity in SCALES:
                for method in ("pearson", "spearman"):
                    found = correlate_quantity(quantity, part[quantity], part["score"], method)
                    rows.append(
                        {"explainer": explainer, "networks": networks, "quantity": quantity}
                        | {"method": method, "n": found.n, "value": found.value}
                        | {"low": found.low, "high": found.high}
                    )
    return pd.DataFrame(rows)
