"""Scores of maps that no network made, as they stand in tables."""

from pathlib import Path

import pandas as pd

from ..scores.human_ceilings import Ceiling, read_ceilings
from ..scores.run_tables import read_table
from ..scores.summary import explainer_name
from .markup import Block

NAMES = {
    "centre": "centred Gaussian",
    "mean_human_map": "mean human map of other images",
    "class_mean_human_map": "mean human map of the class",
    "edge_strength": "edge strength",
    "local_contrast": "local contrast",
}
OTHER_IMAGE = "other_image:"  # begins the name of a network's own maps of other images
NUMBERS = ["n_images", "mean_rho", "score", "low", "high"]


def read_references(path: Path | str) -> pd.DataFrame:
    """Read tables/references.csv, a row per reference. UserError when it cannot be read."""
    return read_table(Path(path), ["reference"], NUMBERS)


def reference_name(reference: str) -> str:
    """How tables and figures call a reference; the user's own maps keep their name."""
    if reference.startswith(OTHER_IMAGE):
        explainer = explainer_name(reference.removeprefix(OTHER_IMAGE))
        return f"{explainer} map of another image"
    return NAMES.get(reference, reference)


def block(references: pd.DataFrame, digits: int) -> Block:
    """The references as a block of Table 1: name, score with its interval, number of images."""
    rows = []
    for row in references.to_dict("records"):
        score, count = "cannot be computed", f"{row['n_images']:,.0f}"
        if not pd.isna(row["score"]):
            score = f"{row['score']:.{digits}f}"
        if not pd.isna(row["low"]):
            score += f" [{row['low']:.{digits}f}, {row['high']:.{digits}f}]"
        rows.append([reference_name(row["reference"]), score, count])
    meanings = {
        "Without a network": "how the maps were made",
        "Score": "mean Spearman correlation of these maps with the human maps, divided as the "
        "networks' are; in brackets its 95 % bootstrap interval over images",
        "n": "images with a defined score",
    }
    header, caption = list(meanings), "References without a network"
    return Block(header, rows, caption, meanings)


def ceiling_words(path: Path | str) -> str:
    """What references.json says of the human ceilings: the published one, and those computed.

    Raises UserError when the file cannot be read or holds something else.
    """
    found = read_ceilings(path)
    published = "none is known" if found.published is None else f"{found.published:g} (published)"
    if found.others.mean_rho is None:
        return (
            f"Human ceiling of the data: {published}. It cannot be computed, because no image has "
            "several human maps."
        )
    return (
        f"Human ceiling of the data: {published}. Computed from the {found.others.n:,} images with "
        f"several human maps: mean rho of a map with the mean of the image's others "
        f"{_words(found.others)}, of pairs of maps {_words(found.pairwise)}."
    )


def _words(ceiling: Ceiling) -> str:
    """Mean rho with its interval, if it has one."""
    if ceiling.mean_rho is None:
        return "undefined"
    interval = "" if ceiling.low is None else f" [{ceiling.low:.3f}, {ceiling.high:.3f}]"
    return f"{ceiling.mean_rho:.3f}{interval}"
