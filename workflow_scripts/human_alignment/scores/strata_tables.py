"""Tables of scores by stratum of images: of each network, and of DCLS against plain.

Everything is by image. Records of one image are averaged first, then the runs of a network; an
image that is undefined in any run has no score and is in no stratum. A record's rho enters as it
enters the score, by the protocol's `constant_maps`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..common.cli import UserError
from ..common.paths import Run
from ..data.classes import SUPERCLASSES, class_names, superclasses
from ..data.data_file import UNKNOWN, DataFile
from ..heatmaps.heatmap_file import HeatmapFile
from .image_means import image_means
from .pairs import NETWORK, network_of, network_order, pairs
from .postprocess import entering
from .protocol import Protocol
from .score_file import read_scores
from .scoring import check_same_images, check_scores_of
from .strata import (
    UNPLACED,
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
from .summary import EXPLAINER_NAMES, explainer_order

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
    the run predicts the image's label, (runs, m) bool; None where labels are unknown.
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
        found = explainer_order(name for network in self.networks for name in network.rho)
        return [name for name in found if name in EXPLAINER_NAMES] or found[:1]

    def rows(self) -> list[tuple[NetworkScores, str]]:
        """Each network with each of its `explainers`."""
        return [(one, name) for one in self.networks for name in self.explainers if name in one.rho]


def read_study(
    data: DataFile,
    heatmaps: Sequence[Path],
    scores: Sequence[Path],
    twins: Mapping[str, str] | None = None,
) -> StudyScores:
    """Read the scores of all runs, and from the heatmap files what the networks predict.

    heatmaps, scores: `<folder>/<network>/<run>.h5` and `.csv`, in the same order.  twins: as
    `pairs.TWINS_FLAG` says.

    Raises UserError when a heatmap and a score file are not of one run, when they are not of the
    data file's images or only of a sample of them, and when runs have different protocols.
    """
    if len(heatmaps) != len(scores):
        raise UserError(
            f"there are {len(heatmaps)} heatmap files and {len(scores)} score files; give both of "
            "each run, in the same order"
        )
    groups, labelled = data.groups, bool((data.labels != UNKNOWN).all())
    names, rho, right, under = {}, {}, {}, None
    for maps_path, path in zip(heatmaps, scores, strict=True):
        if Run.of(maps_path) != Run.of(path):
            raise UserError(
                f"{maps_path} and {path} stand at the same place but are of the runs "
                f"{Run.of(maps_path)} and {Run.of(path)}; give both files in the same order"
            )
        found = read_scores(path)
        source = found.source
        if source.sampled:
            raise UserError(f"{path} has scores of a sample of the images; strata need all images")
        if under not in (None, (source.protocol, source.human_ceiling)):
            raise UserError(
                f"{path} was scored under another protocol or human ceiling than {scores[0]}; "
                "score all runs alike"
            )
        under = source.protocol, source.human_ceiling
        with HeatmapFile(maps_path) as maps:
            check_same_images(data, maps)
            check_scores_of(maps, source)
            hits = image_means(maps.predicted == data.labels, groups)
        network = network_of(path, twins)
        name = network["network"]
        names[name] = {column: network[column] for column in NETWORK}
        right.setdefault(name, []).append(hits > 0.5)  # half of an image's records: wrong
        for explainer, one in found.scores.items():
            own = image_means(entering(source.protocol, one.rho, one.status), groups)
            rho.setdefault(name, {}).setdefault(explainer, []).append(own)
    networks = [
        NetworkScores(
            names[name],
            {explainer: np.stack(runs) for explainer, runs in rho[name].items()},
            np.stack(right[name]) if labelled else None,
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
        names = class_names(data.num_classes)
        found.append(Stratification("class", tuple(names[one] for one in kept), place.reshape(-1)))
        if (group := superclasses(data.num_classes)) is not None:
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
    rows, chosen = [], study.rows()
    values = np.stack([network.by_image(explainer) for network, explainer in chosen])
    means = [stratum_means(values, one.of_image, len(one.strata), **settings) for one in of_images]
    for row, (network, explainer) in enumerate(chosen):
        names = network.names | {"explainer": explainer}
        left_out = int(np.isnan(values[row]).sum())
        found = [
            (one.name, one.strata, _compared(values[row], one.of_image, of_all, row))
            for one, of_all in zip(of_images, means, strict=True)
        ]
        if network.right is not None:
            by_run = _by_prediction(network, explainer, **settings)
            found.append((PREDICTION, (RIGHT, WRONG), by_run))
        for name, strata, numbers in found:
            rows += _rows(names | {"stratification": name}, strata, numbers, left_out)
    table = pd.DataFrame(rows)
    table["n_images"] = [int(n) if n == int(n) else n for n in table["n_images"]]
    for column, of_rho in (("score", "mean_rho"), ("low", "low"), ("high", "high")):
        table[column] = study.protocol.scaled(table[of_rho], study.ceiling)
    return table[COLUMNS]


def _compared(
    values: np.ndarray, of_image: np.ndarray, means: StratumMeans, row: int
) -> dict[str, np.ndarray]:
    """Numbers of one network and explainer by stratum, (s,) each; row: of `means`."""
    difference, p_value = against_others(values, of_image, means.n.shape[1])
    numbers = {"n_images": means.n, "mean_rho": means.mean, "low": means.low, "high": means.high}
    own = {name: one[row] for name, one in numbers.items()}
    return own | {"difference": difference, "p_value": p_value}


def _by_prediction(network: NetworkScores, explainer: str, **settings) -> dict[str, np.ndarray]:
    """Numbers of images predicted right and of the others, averaged over the runs; (2,) each."""
    undefined = np.isnan(network.by_image(explainer))
    runs = []
    for rho, right in zip(network.rho[explainer], network.right, strict=True):
        values, of_image = np.where(undefined, np.nan, rho), np.where(right, 0, 1)
        means = stratum_means(values[None], of_image, 2, **settings)
        runs.append(_compared(values, of_image, means, 0))
    if len(runs) == 1:
        return runs[0]
    stacked = {name: np.stack([run[name] for run in runs]) for name in runs[0]}
    found = {name: pd.DataFrame(one).mean().to_numpy() for name, one in stacked.items()}
    weights = stacked["n_images"] / np.maximum(stacked["n_images"].sum(axis=0), 1)
    weighted = np.where(weights > 0, weights * stacked["mean_rho"], 0).sum(axis=0)
    found["mean_rho"] = np.where(found["n_images"] > 0, weighted, np.nan)
    return found | {"p_value": np.minimum(2 * found["p_value"], 1)}


def _rows(
    names: dict, strata: Sequence[str], numbers: dict[str, np.ndarray], left_out: int
) -> list[dict]:
    """A row per stratum of one network, explainer and stratification."""
    n = numbers["n_images"]
    numbers = numbers | {
        "p_holm": holm_of_known(numbers["p_value"]),
        "share": n / n.sum() if n.sum() else np.full(len(n), np.nan),
    }
    return [
        names
        | {"stratum": stratum, "n_left_out": left_out}
        | {name: values[place] for name, values in numbers.items()}
        for place, stratum in enumerate(strata)
    ]


def gains(study: StudyScores, of_images: list[Stratification], **settings) -> pd.DataFrame:
    """The columns GAINS: what DCLS gains in each stratum, paired by image.

    A row per pair of networks, explainer and stratum. model: what figures call the pair.  network:
    the one with DCLS.  n: images that both have a score of.  difference: mean rho with DCLS minus
    without, with its 95 % interval.  p_value: Wilcoxon's signed-rank test, as `compare_paired` has
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
