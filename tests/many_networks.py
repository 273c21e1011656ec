"""The tables of a study of as many networks as one likes, made up. The names are timm's."""

from pathlib import Path

import numpy as np
import pandas as pd
from human_alignment.networks import timm_weights
from human_alignment.scores.comparisons import KINDS, correlate_with_score
from human_alignment.scores.pairs import PAPER_ORDER, full_name

CEILING, SEED = 0.65753, 0
BOTH = ("grad_cam", "threshold_grad_cam")
FIELDS = ["normalisation", "threshold", "below_threshold", "resize", "blur", "constant_maps"]
FIELDS += ["geometry", "divide_by_ceiling", "target", "average", "layer", "all fields"]
CUTOFFS = (0.5, 1.0, 2.0, None)
MEASURES = ("pearson", "cosine", "kl", "auc_judd")


def names(count: int) -> list[str]:
    """Names of weights of timm that a study of ImageNet can use, evenly from the whole list."""
    usable = [one.name for one in timm_weights.listed().values() if not one.problem(classes=1000)]
    return [usable[place] for place in np.linspace(0, len(usable) - 1, count).astype(int)]


def summary_of(count: int, images: int = 5000) -> pd.DataFrame:
    """scores/summary.csv of the paper's sixteen networks and `count` others."""
    random, rows = np.random.default_rng(SEED), []
    networks = [(name, dcls) for name in PAPER_ORDER for dcls in (0, 1)]
    networks += [(name, 0) for name in names(count)]
    for model, dcls in networks:
        least = 7.3 if model in PAPER_ORDER else 6.3  # none of the paper's is small
        top1, parameters = random.normal(79, 4), round(10 ** random.uniform(least, 8.5))
        level = 0.75 - 0.008 * (top1 - 78) + random.normal(0, 0.06) + 0.02 * dcls
        for explainer, more in zip(BOTH, (-0.05, 0), strict=True):
            score = level + more + random.normal(0, 0.01)
            rows.append(
                {"model": model, "dcls": dcls, "network": full_name(model, dcls)}
                | {"run": "published", "parameters": parameters, "top1": top1}
                | {"explainer": explainer, "n": images, "n_images": images}
                | {"mean_rho": score * CEILING, "score": score, "low": score - 0.01}
                | {"high": score + 0.01, "human_ceiling": CEILING}
            )
    return pd.DataFrame(rows)


def references() -> pd.DataFrame:
    """tables/references.csv: two that any heatmap meets, one of either explainer, one undefined."""
    scores = {"centre": 0.57, "mean_human_map": 0.6, "other_image:grad_cam": 0.35}
    scores |= {"other_image:threshold_grad_cam": 0.4, "local_contrast": np.nan}
    rows = [
        {"reference": name, "n_images": 0 if np.isnan(score) else 5000, "note": ""}
        | {"mean_rho": score * CEILING, "undefined": 0}
        | {"score": score, "low": score - 0.01, "high": score + 0.01}
        for name, score in scores.items()
    ]
    return pd.DataFrame(rows)


def skill_of(summary: pd.DataFrame) -> pd.DataFrame:
    """tables/skill.csv of these networks, against both references."""
    keys = ["model", "dcls", "network", "explainer", "n", "mean_rho"]
    tables = []
    for reference, rho in (("centre", 0.57 * CEILING), ("other_image", 0.2)):
        table = summary[keys].assign(reference=reference, reference_rho=rho)
        table["skill"] = (table["mean_rho"] - rho) / (CEILING - rho)
        table["low"], table["high"] = table["skill"] - 0.02, table["skill"] + 0.02
        tables.append(table.assign(ceiling="published", ceiling_rho=CEILING))
    return pd.concat(tables, ignore_index=True)


def _moved(table: pd.DataFrame, column: str, spread: float, seed: int) -> pd.DataFrame:
    """The table with `column` of random numbers about 0, and `low` and `high` around it."""
    values = np.random.default_rng(seed).normal(0.02, spread, len(table))
    return table.assign(**{column: values, "low": values - 0.01, "high": values + 0.01})


def _times(table: pd.DataFrame, **columns) -> pd.DataFrame:
    """A row of `table` for every value of each of the columns."""
    for name, values in columns.items():
        table = table.merge(pd.DataFrame({name: list(values)}), "cross")
    return table


def tables_of(count: int, classes: int = 1000) -> dict[str, pd.DataFrame]:
    """All tables of `summary_of` by their files under results/<study>/, as the pipeline has them.

    classes: how many strata.csv and dcls_by_stratum.csv have beside the nine other strata.
    """
    summary = summary_of(count)
    keys = ["model", "dcls", "network", "explainer"]
    run = summary[["model", "dcls", "run", "network", "explainer"]]
    scored = summary[[*keys, "mean_rho", "score", "low", "high"]]
    best = scored[scored["explainer"] == BOTH[1]]
    with_dcls = scored[scored["dcls"] == 1][["model", "network", "explainer"]]
    columns = {"superiority": 0.61, "p_value": 0.01, "p_holm": 0.03, "n": 5000}
    pairs = with_dcls.assign(comparison=KINDS[0])
    methods = best[["network", "explainer"]].assign(model=best["network"], comparison=KINDS[1])
    curve = _times(best, threshold=np.arange(0, 1, 0.05).round(2)).assign(run="published", n=5000)
    for name in ("score", "low", "high"):
        curve[name] -= 0.3 * (curve["threshold"] - 0.4) ** 2
    strata = [("object_area", one) for one in ("small", "medium", "large")]
    strata += [("centre_distance", one) for one in ("near", "medium", "far")]
    strata += [("prediction", one) for one in ("right", "wrong")]
    strata += [("superclass", "animals")]
    strata += [("class", f"class number {number} ({number})") for number in range(classes)]
    of_strata = pd.DataFrame(strata, columns=["stratification", "stratum"])
    shift = np.random.default_rng(SEED).normal(0, 0.08, len(of_strata))
    every = scored.merge(of_strata.assign(shift=shift, n_images=50), "cross")
    for name in ("score", "low", "high"):
        every[name] += every["shift"]
    fields = _times(run, field=FIELDS).assign(value="paper", n=5000, score=0.6, score_low=0.59)
    fields = fields.assign(score_high=0.61, human_ceiling_before=CEILING)
    gaps = dict.fromkeys(["dcls_difference_before", "dcls_difference", "sign_changes"])
    of_measures = _times(run, measure=MEASURES).assign(n=5000)
    smooth = _times(scored.drop(columns="mean_rho"), cutoff=CUTOFFS).assign(n=5000)
    smooth["cutoff"] = smooth["cutoff"].astype(float)
    return {
        "scores/summary.csv": summary,
        "scores/comparisons.csv": _moved(pd.concat([pairs, methods]), "difference", 0.03, 1).assign(
            **columns
        ),
        "scores/correlations.csv": correlate_with_score(summary),
        "scores/sweeps.csv": curve.assign(human_ceiling=CEILING),
        "tables/references.csv": references(),
        "tables/skill.csv": skill_of(summary),
        "tables/partial.csv": _moved(scored[keys].assign(n=5000), "partial_rho", 0.05, 2),
        "tables/smoothness.csv": smooth,
        "tables/spectra.csv": _times(scored[keys], frequency=np.arange(0.5, 4, 0.5)).assign(
            share=0.14, n=5000
        ),
        "tables/sensitivity.csv": _moved(fields, "difference", 0.02, 3).assign(**gaps),
        "tables/strata.csv": every.drop(columns="shift").assign(
            difference=0.01, p_value=0.2, p_holm=0.9, share=0.1, n_left_out=0
        ),
        "tables/dcls_by_stratum.csv": _moved(
            with_dcls.merge(of_strata, "cross").assign(n=50), "difference", 0.05, 4
        ).assign(p_value=0.2, p_holm=0.9),
        "tables/threshold_sweep.csv": best.assign(
            run="published", best=0.4, chosen="0.4 0.4 0.4 0.4 0.4", n=5000, usual_score=0.6
        ),
        "tables/measures.csv": _moved(of_measures, "mean", 0.1, 5),
    }


def write(folder: Path, count: int, classes: int = 1000) -> Path:
    """Write these tables below a folder, which is returned."""
    for name, table in tables_of(count, classes).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(folder / name, index=False)
    return folder
