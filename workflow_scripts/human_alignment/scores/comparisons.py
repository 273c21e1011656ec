"""Which of two networks, or of two explainers, is closer to the human maps of the same images."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from ..common.paths import Run
from .pairs import Pair, pairs
from .score_file import read_scores
from .statistics import Correlation, compare_paired, correlate, holm
from .summary import explainer_order, scores_of
from .summary_file import check_same_data

KINDS = ("dcls - plain", "threshold_grad_cam - grad_cam")
SCALES = {"top1": np.asarray, "parameters": np.log10}  # how quantities of networks enter
KINDS_OF_NETWORKS = ("plain", "DCLS")  # by the column dcls


def read_rho(paths: list[Path]) -> pd.DataFrame:
    """Rho of every network, explainer and image, averaged over the network's runs.

    paths: `<folder>/<network>/<run>.csv`.  Returns columns network, explainer, image, rho. A record
    that is undefined in any run stays undefined; an image's rho is the mean over its records that
    are defined, NaN if none is. Raises UserError when the files are not of the images of one data
    file.
    """
    tables, of_data = [], []
    for path in paths:
        found = read_scores(path)
        of_data.append((path, found.source.data_digest))
        for explainer, scores in found.scores.items():
            columns = {"image_id": found.image_ids, "image": scores.groups, "rho": scores.rho}
            names = {"network": Run.of(path).model, "explainer": explainer}
            tables.append(pd.DataFrame(columns).assign(**names))
    check_same_data(of_data)
    together = pd.concat(tables, ignore_index=True)
    record = together.groupby(["network", "explainer", "image", "image_id"], sort=False)["rho"]
    records = record.mean().where(record.count() == record.size())
    return records.groupby(["network", "explainer", "image"], sort=False).mean().reset_index()


def _compared(rows: pd.DataFrame, column: str, first: str, second: str, **settings) -> dict | None:
    """`first` minus `second`, two values of a column, paired by image; None if none has both."""
    wide = rows.pivot(index="image", columns=column, values="rho")
    if first not in wide or second not in wide or wide[[first, second]].dropna().empty:
        return None
    found = compare_paired(wide[first].to_numpy(), wide[second].to_numpy(), **settings)
    return {name: getattr(found, name) for name in found.__dataclass_fields__}


def compare_dcls(rho: pd.DataFrame, of_study: list[Pair], **settings) -> pd.DataFrame:
    """Each network with DCLS against its plain twin, by explainer.

    rho: of `read_rho`.  of_study: the pairs of the study, in their order.  Columns: model (what
    figures call the pair), network (with DCLS), explainer, the fields of a `PairedComparison`, and
    `p_holm`, which corrects the Wilcoxon signed-rank test for the pairs of an explainer.
    """
    rows = []
    for explainer in explainer_order(rho["explainer"]):
        part = rho[rho["explainer"] == explainer]
        for pair in of_study:
            found = _compared(
                part[part["network"].isin(pair)], "network", pair.dcls, pair.plain, **settings
            )
            names = {"model": pair.label, "network": pair.dcls, "explainer": explainer}
            rows += [names | found] if found else []
    return _corrected(rows)


def compare_explainers(rho: pd.DataFrame, networks: list[str], **settings) -> pd.DataFrame:
    """Threshold-Grad-CAM against Grad-CAM, network by network; columns as in `compare_dcls`.

    networks: of the study, in their order.
    """
    rows = []
    for name in networks:
        part = rho[rho["network"] == name]
        found = _compared(part, "explainer", "threshold_grad_cam", "grad_cam", **settings)
        names = {"model": name, "network": name, "explainer": "threshold_grad_cam"}
        rows += [names | found] if found else []
    return _corrected(rows)


def _corrected(rows: list[dict]) -> pd.DataFrame:
    table = pd.DataFrame(rows)
    if len(table):
        corrected = table.groupby("explainer")["p_value"]
        table["p_holm"] = corrected.transform(lambda p: holm(p.to_numpy()))
    return table


def compare(
    rho: pd.DataFrame,
    summary: pd.DataFrame,
    further: Iterable[tuple[str, pd.DataFrame]] = (),
    **settings,
) -> pd.DataFrame:
    """All kinds of comparison in one table, with the column `comparison` in front.

    rho: of `read_rho`.  summary: scores/summary.csv.  further: other values in which networks with
    DCLS are compared with plain ones, by the kind of comparison.  settings: of the bootstrap.
    """
    of_study = pairs(summary)
    networks = list(dict.fromkeys(name for pair in of_study for name in pair if name))
    tables = dict(
        zip(
            KINDS,
            (
                compare_dcls(rho, of_study, **settings),
                compare_explainers(rho, networks, **settings),
            ),
            strict=True,
        )
    )
    tables |= {kind: compare_dcls(values, of_study, **settings) for kind, values in further}
    table = pd.concat([one.assign(comparison=kind) for kind, one in tables.items()])
    return table[["comparison", *table.columns.drop("comparison")]]


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
