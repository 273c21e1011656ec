"""Which of two networks, or of two explainers, is closer to the human maps of the same images."""

from pathlib import Path

import pandas as pd

from ..common.paths import SUFFIX, network_of
from .score_file import read_scores
from .statistics import compare_paired, correlate_models, holm
from .summary import full_name

QUANTITIES = ("top1", "parameters")


def read_rho(paths: list[Path]) -> pd.DataFrame:
    """Rho of every network, explainer and image, averaged over the network's runs.

    paths: `<folder>/<model>/<run>.csv`.  Returns columns model, explainer, image_id, rho; an
    image that is undefined in any run stays undefined (NaN).
    """
    tables = []
    for path in paths:
        name = network_of(path)
        found = read_scores(path)
        for explainer, scores in found.scores.items():
            columns = {"image_id": found.image_ids, "rho": scores.rho}
            names = {"model": full_name(name["model"], name["dcls"]), "explainer": explainer}
            tables.append(pd.DataFrame(columns).assign(**names))
    together = pd.concat(tables, ignore_index=True)
    groups = together.groupby(["model", "explainer", "image_id"], sort=False)["rho"]
    return groups.mean().where(groups.count() == groups.size()).reset_index()


def _compared(rows: pd.DataFrame, column: str, first: str, second: str, **settings) -> dict | None:
    """`first` minus `second`, two values of a column, paired by image; None if none has both."""
    wide = rows.pivot(index="image_id", columns=column, values="rho")
    if first not in wide or second not in wide or wide[[first, second]].dropna().empty:
        return None
    found = compare_paired(wide[first].to_numpy(), wide[second].to_numpy(), **settings)
    return {name: getattr(found, name) for name in found.__dataclass_fields__}


def compare_dcls(rho: pd.DataFrame, **settings) -> pd.DataFrame:
    """Each network with DCLS against the plain one, by explainer.

    `p_holm` corrects the Wilcoxon signed-rank test for the number of pairs of an explainer.
    """
    plain = [name for name in rho["model"].unique() if not name.endswith(SUFFIX)]
    rows = []
    for explainer in rho["explainer"].unique():
        part = rho[rho["explainer"] == explainer]
        for name in plain:
            pair = part[part["model"].isin([name, name + SUFFIX])]
            found = _compared(pair, "model", name + SUFFIX, name, **settings)
            rows += [{"model": name, "explainer": explainer, **found}] if found else []
    return _corrected(rows, by="explainer")


def compare_explainers(rho: pd.DataFrame, **settings) -> pd.DataFrame:
    """Threshold-Grad-CAM against Grad-CAM, network by network."""
    rows = []
    for name in rho["model"].unique():
        part = rho[rho["model"] == name]
        found = _compared(part, "explainer", "threshold_grad_cam", "grad_cam", **settings)
        rows += [{"model": name, "explainer": "threshold_grad_cam", **found}] if found else []
    return _corrected(rows, by="explainer")


def _corrected(rows: list[dict], by: str) -> pd.DataFrame:
    table = pd.DataFrame(rows)
    if len(table):
        table["p_holm"] = table.groupby(by)["p_value"].transform(lambda p: holm(p.to_numpy()))
    return table


def correlate_with_score(summary: pd.DataFrame, **settings) -> pd.DataFrame:
    """Top-1 and size of networks against their scores, by explainer: plain ones, and all.

    The trade-off of Fel et al. (2022) is accuracy against score. summary: scores/summary.csv.
    """
    rows = []
    for explainer, part in summary.groupby("explainer", sort=False):
        means = part.groupby(["model", "dcls"], sort=False).mean(numeric_only=True).reset_index()
        for models, chosen in (("plain", means[means["dcls"] == 0]), ("all", means)):
            for quantity in QUANTITIES:
                known = chosen.dropna(subset=[quantity, "score"])
                for method in ("pearson", "spearman"):
                    found = correlate_models(
                        known[quantity].to_numpy(), known["score"].to_numpy(), method, **settings
                    )
                    rows.append(
                        {"explainer": explainer, "models": models, "quantity": quantity}
                        | {"method": method, "n": found.n, "value": found.value}
                        | {"low": found.low, "high": found.high}
                    )
    return pd.DataFrame(rows)
