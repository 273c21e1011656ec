"""The summary of scored references: a table, and what it was computed from as JSON."""

import numpy as np

from .image_summary import mean_over_images
from .postprocess import entering
from .protocol import Protocol
from .reference_file import CENTRE, NO_MAP, NO_OTHER_CLASS, NO_OTHER_IMAGE, References
from .references import RATIOS
from .score_file import Scores
from .spearman import CONSTANT_HEATMAP, CONSTANT_HUMAN_MAP, NONFINITE_HEATMAP

COLUMNS = ("reference", "n_images", "mean_rho", "score", "low", "high", "undefined", "note")
_REASONS = {  # why a reference has no score, by the status of its records
    CONSTANT_HUMAN_MAP: "human maps are constant",
    CONSTANT_HEATMAP: "the map has one value only",
    NONFINITE_HEATMAP: "the map is not finite",
    NO_OTHER_IMAGE: "there is no other image to make the map from",
    NO_OTHER_CLASS: "the images are not of several classes, so that the map would be that of all "
    "other images",
    NO_MAP: "there is no map of the image",
}
_NO_REPEATS = "It cannot be computed: no image has two human maps that can be compared."


def summarise_reference(
    scores: Scores, groups: np.ndarray, protocol: Protocol, ceiling: float | None, **settings
) -> dict:
    """n_images, n_records, mean_rho, score, low, high, counts per status, divisor and note.

    `undefined` counts the images without a value, `status` the records.  groups: the image of each
    record.  ceiling: of the data set.  settings: of the bootstrap.
    The note says why numbers are missing, and is empty where none is.
    """
    values = entering(protocol, scores.rho, scores.status)
    found = mean_over_images(values, groups, **settings)
    names, counts = np.unique(scores.status, return_counts=True)
    ends = (found[name] for name in ("mean", "low", "high"))
    score, low, high = (None if one is None else protocol.scaled(one, ceiling) for one in ends)
    note = ""
    if not found["n"]:
        note = f"It cannot be computed: {', '.join(_REASONS[name] for name in names.tolist())}."
    elif found["n"] == 1:
        note = "One image has no interval."
    return {
        "n_images": found["n"],
        "n_records": len(values),
        "mean_rho": found["mean"],
        "score": score,
        "low": low,
        "high": high,
        "status": dict(zip(names.tolist(), counts.tolist(), strict=True)),
        "undefined": len(np.unique(groups)) - found["n"],
        "human_ceiling": protocol.divisor(ceiling),
        "note": note,
    }


def summarise_references(found: References, **settings) -> dict:
    """The whole summary: `references` by name, `human_ceiling`, and what they were made from.

    settings: `resamples` and `seed` of the bootstrap.
    """
    source = found.source
    under = source.protocol, source.human_ceiling
    references = {
        name: summarise_reference(scores, found.groups, *under, **settings)
        for name, scores in found.scores.items()
    }
    references[CENTRE] |= {"ratios": source.ratios, "ratios_tried": list(RATIOS)}
    return {
        "references": references,
        "human_ceiling": {
            "published": source.human_ceiling,
            **{kind: _ceiling(values, **settings) for kind, values in found.agreement.items()},
        },
        "data_digest": source.data_digest,
        "image_size": source.image_size,
        "protocol": source.protocol.as_dict(),
        "statistics": settings,
    }


def _ceiling(values: np.ndarray, **settings) -> dict:
    """n, mean_rho, low, high and note of one kind of human ceiling, from values of images, (n,)."""
    found = mean_over_images(values, np.arange(len(values)), **settings)
    note = {0: _NO_REPEATS, 1: "One image has no interval."}.get(found["n"], "")
    ends = {name: found[name] for name in ("low", "high")}
    return {"n": found["n"], "mean_rho": found["mean"], **ends, "note": note}


def reference_rows(summary: dict) -> list[list]:
    """Rows of the table, with COLUMNS, of a summary."""
    return [
        [name, *(one[column] for column in COLUMNS[1:])]
        for name, one in summary["references"].items()
    ]
