"""The table of further measures as text."""

import pandas as pd

from ..scores.summary import explainer_name
from .few_images import marked, remarks
from .markup import Block, to_markdown


def measures_markdown(table: pd.DataFrame) -> str:
    """Means of the further measures as Markdown: a block per explainer, a column per measure.

    table: rows of `scores.measure_means.measures_table`.
    """
    blocks = []
    for explainer, part in table.groupby("explainer", sort=False):
        measures = list(dict.fromkeys(part["measure"]))
        rows = []
        for (network, run), one in part.groupby(["network", "run"], sort=False):
            found = one.set_index("measure").loc[measures].to_dict("records")
            rows.append([network, run, *map(_cell, found)])
        blocks.append(Block([explainer_name(str(explainer)), "run", *measures], rows))
    about = (
        "Means over images; in brackets their 95 % bootstrap intervals. Lower is closer for kl, "
        "higher for the others."
    )
    return to_markdown(blocks, [about, *remarks(blocks)])


def _cell(found: dict) -> str:
    """A mean with its interval."""
    if pd.isna(found["mean"]):
        return "undefined"
    interval = "" if pd.isna(found["low"]) else f" [{found['low']:.3f}, {found['high']:.3f}]"
    return marked(f"{found['mean']:.3f}", found["n"]) + interval
