"""Tables of scores by stratum of images: of each network, and of DCLS against plain.

Everything is by image. Records of one image are averaged first, then the runs of a network; an
image that is undefined in any run has no score and is in no stratum. A record's rho enters as it
enters the score, by the protocol's `constant_maps`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..common.cli import UserError
from ..data.classes import SUPERCLASSES, class_names, superclasses
from ..data.data_file import UNKNOWN, DataFile
from .bootstrap import Row, add_intervals
from .image_means import image_means
from .image_summary import mean_row
from .pairs import NETWORK, network_of, network_order, pairs
from .postprocess import entering
from .protocol import Protocol
from .score_file import read_scores
from .strata import (
    UNPLACED,
    Ranked,
    Stratification,
    StratumMeans,
    against_others,
    holm_of_known,
    majority,
    map_shapes,
    signed_rank,
    stratum_means,
    terciles,
)
from .summary import papers_explainers

PREDICTION = "prediction"
RIGHT, WRONG = "right", "wrong"
COLUMNS = ["model", "dcls", "explainer", "stratification", "stratum", "n_images", "mean_rho"]
COLUMNS += ["score", "low", "high", "difference", "p_value", "p_holm", "network", "share"]
COLUMNS += ["n_left_out"]
GAINS = ["model", "network", "explainer", "stratification", "stratum", "n", "difference"]
GAINS += ["low", "high", "p_value", "p_holm"]
_BATCH = 256  # human maps held at once


@dataclass(frozen=True)
class NetworkScores:
    """Rho of m images by a network's runs.

    names: the columns NETWORK.  rho: by explainer, (runs, m), NaN where undefined.  right: whether
    the run predicts the image's label, (runs, m) bool; None where labels or predictions are
    unknown.
    """

    names: dict
    rho: dict[str, np.ndarray]
    right: np.ndarray | None

    def by_image(self, explainer: str) -> np.ndarray:
        """Mean over the runs, (m,); NaN where any run is undefined."""
        return self.rho[explainer].mean(axis=0)


@dataclass(frozen=True)
class StudyScores:
    """Scores of all networks, in the paper's order, and what divides a mean rho."""

    networks: list[NetworkScores]
    protocol: Protocol
    ceiling: float | None

    @property
    def explainers(self) -> list[str]:
        """The paper's two, if the study has them, or else its first."""
        return papers_explainers(name for network in self.networks for name in network.rho)

    def rows(self) -> list[tuple[NetworkScores, str]]:
        """Each network with each of its `explainers`."""
        return [(one, name) for one in self.networks for name in self.explainers if name in one.rho]


def read_study(
    data: DataFile, paths: Sequence[Path], twins: Mapping[str, str] | None = None
) -> StudyScores:
    """Read the scores of all runs of the paper's explainers, and what the networks predict.

    paths: score files `<folder>/<network>/<run>.parquet`.  twins: as `pairs.TWINS_FLAG` says.

    Raises UserError when they are not of the data file's images or only of a sample of them, and
    when runs have different protocols.
    """
    groups, labelled = data.groups, bool((data.labels != UNKNOWN).all())
    names, rho, right, under = {}, {}, {}, None
    for path in paths:
        found = read_scores(path)
        source = found.source
        if source.sampled:
            raise UserError(f"{path} has scores of a sample of the images; strata need all images")
        if source.data_digest != data.digest or list(found.image_ids) != data.image_ids:
            raise UserError(
                f"{path} has scores of other images than {data.path}; score the heatmaps again"
            )
        if under not in (None, (source.protocol, source.human_ceiling)):
            raise UserError(
                f"{path} was scored under another protocol or human ceiling than {paths[0]}; "
                "score all runs alike"
            )
        under = source.protocol, source.human_ceiling
        network = network_of(path, twins)
        name = network["network"]
        names[name] = {column: network[column] for column in NETWORK}
        if found.predicted is not None:
            hits = image_means(found.predicted == data.labels, groups)
            right.setdefault(name, []).append(hits > 0.5)  # half of an image's records: wrong
        for explainer in papers_explainers(found.scores):
            one = found.scores[explainer]
            own = image_means(entering(source.protocol, one.rho, one.status), groups)
            rho.setdefault(name, {}).setdefault(explainer, []).append(own)
    networks = [
        NetworkScores(
            names[name],
            {explainer: np.stack(runs) for explainer, runs in rho[name].items()},
            np.stack(right[name]) if labelled and name in right else None,
        )
        for name in network_order(pd.DataFrame(names.values()))
    ]
    return StudyScores(networks, *under)


def image_strata(data: DataFile) -> list[Stratification]:
    """The stratifications that are the same for all networks.

    Class and superclass where labels are known, superclass of ImageNet's classes only; terciles of
    the human map's area and of its distance from the middle, each a mean over an image's records.
    """
    groups, found = data.groups, []
    if (data.labels != UNKNOWN).all():
        labels = majority(data.labels, groups)
        kept, place = np.unique(labels, return_inverse=True)
        names = class_names(data.num_classes, data.class_names)
        found.append(Stratification("class", tuple(names[one] for one in kept), place.reshape(-1)))
        group = superclasses(data.num_classes) if data.class_names is None else None
        if group is not None:
            found.append(Stratification("superclass", SUPERCLASSES, np.array(group)[labels]))
    starts = range(0, len(data), _BATCH)
    parts = [map_shapes(data.human_maps(one, min(one + _BATCH, len(data)))) for one in starts]
    area, distance = image_means(np.concatenate(parts, axis=1), groups)
    return [
        *found,
        terciles("object_area", area, ("small", "medium", "large")),
        terciles("centre_distance", distance, ("central", "between", "peripheral")),
    ]


def stratify(study: StudyScores, of_images: list[Stratification], **settings) -> pd.DataFrame:
    """The columns COLUMNS: a row per network, explainer and stratum.

    score, low, high: as in the summary, with the 95 % interval of the score.  difference: mean rho
    of the stratum minus that of all other images.  p_value: of Mann and Whitney's U against these,
    two-sided.  p_holm: corrected for the strata of the stratification.  share: of the images with a
    score.  n_left_out: images without one, which are in no stratum.

    `prediction` differs between runs: numbers are means over the runs, `mean_rho` with each run's
    number of images as its weight. The p-value is twice the mean of the runs', which is valid
    however they depend on each other (Rueschendorf 1982).

    settings: `resamples` and `seed` of the bootstrap.
    """
    chosen, tables = study.rows(), []
    values = np.stack([network.by_image(explainer) for network, explainer in chosen])
    means = [stratum_means(values, one.of_image, len(one.strata), **settings) for one in of_images]
    by_prediction = add_intervals(_predicted_rows(chosen), **settings)
    for row, (network, explainer) in enumerate(chosen):
        names = network.names | {"explainer": explainer}
        names["n_left_out"] = int(np.isnan(values[row]).sum())
        ranked = Ranked.of(values[row])
        found = [
            (one.name, one.strata, _compared(ranked, one.of_image, of_all, row))
            for one, of_all in zip(of_images, means, strict=True)
        ]
        if network.right is not None:
            by_run = _by_prediction(network, explainer, by_prediction)
            found.append((PREDICTION, (RIGHT, WRONG), by_run))
        for name, strata, numbers in found:
            tables.append(_table(names | {"stratification": name}, strata, numbers))
    table = pd.concat(tables, ignore_index=True)
    if (table["n_images"] % 1 == 0).all():
        table["n_images"] = table["n_images"].astype(int)
    for column, of_rho in (("score", "mean_rho"), ("low", "low"), ("high", "high")):
        table[column] = study.protocol.scaled(table[of_rho], study.ceiling)
    return table[COLUMNS]


def _compared(
    ranked: Ranked, of_image: np.ndarray, means: StratumMeans, row: int
) -> dict[str, np.ndarray]:
    """Numbers of one network and explainer by stratum, (s,) each; row: of `means`."""
    difference, p_value = against_others(ranked, of_image, means.n.shape[1])
    numbers = {"n_images": means.n, "mean_rho": means.mean, "low": means.low, "high": means.high}
    own = {name: one[row] for name, one in numbers.items()}
    return own | {"difference": difference, "p_value": p_value}


def _predictions(network: NetworkScores, explainer: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rho of each run, (m,), NaN where it is undefined in any, and whether it predicts right."""
    undefined = np.isnan(network.by_image(explainer))
    for rho, right in zip(network.rho[explainer], network.right, strict=True):
        yield np.where(undefined, np.nan, rho), right


def _predicted_rows(chosen: list[tuple[NetworkScores, str]]) -> Iterator[Row]:
    """The mean over the images predicted right, and then over the others, of each run."""
    for network, explainer in chosen:
        for rho, right in _predictions(network, explainer) if network.right is not None else ():
            for own in (right, ~right):
                yield mean_row(np.where(own, rho, np.nan), np.arange(len(rho)))


def _by_prediction(
    network: NetworkScores, explainer: str, means: Iterator[dict]
) -> dict[str, np.ndarray]:
    """Numbers of images predicted right and of the others, averaged over the runs; (2,) each.

    means: what `add_intervals` makes of `_predicted_rows`, from this network and explainer on.
    """
    runs = []
    for rho, right in _predictions(network, explainer):
        both = pd.DataFrame([next(means), next(means)], dtype=np.float64)
        n, *numbers = (both[name].to_numpy()[None] for name in ("n", "mean", "low", "high"))
        found = StratumMeans(n.astype(int), *numbers)
        runs.append(_compared(Ranked.of(rho), np.where(right, 0, 1), found, 0))
    if len(runs) == 1:
        return runs[0]
    stacked = {name: np.stack([run[name] for run in runs]) for name in runs[0]}
    found = {name: pd.DataFrame(one).mean().to_numpy() for name, one in stacked.items()}
    weights = stacked["n_images"] / np.maximum(stacked["n_images"].sum(axis=0), 1)
    weighted = np.where(weights > 0, weights * stacked["mean_rho"], 0).sum(axis=0)
    found["mean_rho"] = np.where(found["n_images"] > 0, weighted, np.nan)
    return found | {"p_value": np.minimum(2 * found["p_value"], 1)}


def _table(names: dict, strata: Sequence[str], numbers: dict[str, np.ndarray]) -> pd.DataFrame:
    """A row per stratum of one network, explainer and stratification."""
    n = numbers["n_images"]
    numbers = numbers | {
        "p_holm": holm_of_known(numbers["p_value"]),
        "share": n / n.sum() if n.sum() else np.full(len(n), np.nan),
    }
    return pd.DataFrame({"stratum": strata} | numbers).assign(**names)


def gains(study: StudyScores, of_images: list[Stratification], **settings) -> pd.DataFrame:
    """The columns GAINS: what DCLS gains in each stratum, paired by image.

    A row per pair of networks, explainer and stratum. model: what figures call the pair.  network:
    the one with DCLS.  n: images that both have a score of.  difference: mean rho with DCLS minus
    without, with its 95 % interval.  p_value: Wilcoxon's signed-rank test, as `compared_row` has
    it.  p_holm: corrected for the strata of the stratification.  settings: of the bootstrap.
    """
    of_name = {network.names["network"]: network for network in study.networks}
    compared, values = [], []
    for pair in pairs(pd.DataFrame([network.names for network in study.networks])):
        if None in pair:
            continue
        plain, dcls = (of_name[name] for name in pair)
        for explainer in study.explainers:
            if explainer in plain.rho and explainer in dcls.rho:
                names = {"model": pair.label, "network": pair.dcls, "explainer": explainer}
                compared.append(names)
                values.append(dcls.by_image(explainer) - plain.by_image(explainer))
    if not compared:
        return pd.DataFrame(columns=GAINS)
    block, rows = np.stack(values), []
    means = [stratum_means(block, one.of_image, len(one.strata), **settings) for one in of_images]
    for row, names in enumerate(compared):
        for one, found in zip(of_images, means, strict=True):
            place = np.where(np.isnan(block[row]), UNPLACED, one.of_image)
            own = [block[row][place == stratum] for stratum in range(len(one.strata))]
            p_value = np.array([signed_rank(part) if len(part) else np.nan for part in own])
            numbers = {"n": found.n[row], "difference": found.mean[row], "low": found.low[row]}
            numbers |= {"high": found.high[row], "p_value": p_value}
            numbers |= {"p_holm": holm_of_known(p_value)}
            rows += [
                names
                | {"stratification": one.name, "stratum": stratum}
                | {name: value[at] for name, value in numbers.items()}
                for at, stratum in enumerate(one.strata)
            ]
    return pd.DataFrame(rows)[GAINS]
