"""Tables of the score's conventions as text: best thresholds, sensitivity to each field."""

import pandas as pd

from ..scores.summary import explainer_name
from .few_images import marked, remarks
from .markup import Block, to_markdown


def thresholds_markdown(table: pd.DataFrame, usual: float) -> str:
    """The best thresholds as Markdown.

    table: rows of `scores.run_tables.best_thresholds`.  usual: the protocol's threshold.
    """
    header = ["Model", "run", "best threshold", "chosen by fold", f"score at {usual:g}"]
    rows = [_threshold_row(one) for one in table.to_dict("records")]
    blocks = [Block([*header, "cross-validated", "n"], rows)]
    about = [
        "best threshold: with the highest score on all images.",
        "cross-validated: each image scored with the threshold chosen on the other folds; in "
        "brackets the 95 % bootstrap interval. Only this can be compared with a fixed threshold.",
    ]
    return to_markdown(blocks, about + remarks(blocks))


def _threshold_row(one: dict) -> list[str]:
    cells = [one["network"], one["run"]]
    if pd.isna(one["score"]):
        return [*cells, "-", "-", "-", "undefined", "-"]
    score = marked(f"{one['score']:.3f}", one["n"]) + f" [{one['low']:.3f}, {one['high']:.3f}]"
    usual_score = "-" if pd.isna(one["usual_score"]) else f"{one['usual_score']:.3f}"
    return [*cells, f"{one['best']:g}", one["chosen"], usual_score, score, f"{one['n']:,.0f}"]


def sensitivity_markdown(table: pd.DataFrame) -> str:
    """The sensitivity to each field of the protocol as Markdown, a block per explainer.

    table: rows of `scores.variant_tables.with_sign_changes`.
    """
    header = ["field", "value", "score", "change", "DCLS - plain", "sign"]
    blocks = [
        Block(
            [explainer_name(str(explainer)), *header],
            [_sensitivity_row(one) for one in part.to_dict("records")],
        )
        for explainer, part in table.groupby("explainer", sort=False)
    ]
    about = [
        "change: score with this field as the paper's text has it, minus the score under the "
        "protocol `released`; in brackets its 95 % bootstrap interval, paired by image.",
        "layer: with the maps of the other layer, before or behind the norm of the pooled vector; "
        "the paper does not name one, and `all fields` leaves it as it is. A network without such "
        "a norm has no row: its two layers are one.",
        "DCLS - plain: difference of the two networks' scores under the changed protocol; sign: "
        "whether it is another than under `released`.",
    ]
    return to_markdown(blocks, about + remarks(blocks))


def _sensitivity_row(one: dict) -> list[str]:
    cells = [one["network"], one["field"], str(one["value"])]
    if pd.isna(one["score"]):
        return [*cells, "undefined", "-", "-", "-"]
    change = f"{one['difference']:+.3f} [{one['low']:+.3f}, {one['high']:+.3f}]"
    cells += [marked(f"{one['score']:.3f}", one["n"]), change]
    if pd.isna(one["dcls_difference"]):
        return [*cells, "-", "-"]
    return [*cells, f"{one['dcls_difference']:+.3f}", "turns" if one["sign_changes"] else "stays"]
