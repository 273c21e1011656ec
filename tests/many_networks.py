"""A study of as many networks as one likes, made up: summary, references, skill."""

import numpy as np
import pandas as pd
from human_alignment.scores.pairs import PAPER_ORDER, full_name

CEILING, SEED = 0.65753, 0
FAMILIES = ["resnet", "vit", "regnety", "efficientnet", "xcit", "mobilenetv", "tresnet", "beit"]
FAMILIES += ["densenet", "poolformer", "swin", "nfnet", "hrnet", "dla"]
SIZES = ["tiny", "small", "base", "large"]


def names(count: int) -> list[str]:
    """Names such as timm's, of fourteen families of different size."""
    weights = np.arange(len(FAMILIES), 0, -1)
    chosen = np.repeat(np.arange(len(FAMILIES)), 1 + count * weights // weights.sum())
    every = [f"{FAMILIES[kind]}_{SIZES[k % 4]}_{k}.a{k % 3}_in1k" for k, kind in enumerate(chosen)]
    return every[:count]


def summary_of(count: int, images: int = 5000) -> pd.DataFrame:
    """scores/summary.csv of the paper's sixteen networks and `count` others."""
    random, rows = np.random.default_rng(SEED), []
    networks = [(name, dcls) for name in PAPER_ORDER for dcls in (0, 1)]
    networks += [(name, 0) for name in names(count)]
    for model, dcls in networks:
        top1, parameters = random.normal(79, 4), round(10 ** random.uniform(6.3, 8.5))
        level = 0.75 - 0.008 * (top1 - 78) + random.normal(0, 0.06) + 0.02 * dcls
        for explainer, more in (("grad_cam", -0.05), ("threshold_grad_cam", 0)):
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
