"""Tables of what scores are worth: skill, partial correlations, smoothness, references.

Every number of a network is a mean over its runs and over images, with the 95 % bootstrap interval
over images where there are two or more.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from .bootstrap import Row, add_intervals
from .controlled import Controlled, ControlledStudy
from .controls import KINDS, OTHER_IMAGE
from .human_ceilings import HumanCeilings
from .image_summary import mean_row
from .protocol import Protocol
from .skill import skill_row
from .smoothing import BAND

TABLE = "table"  # the key that says which table a row is of
FIRST = ["model", "dcls", "explainer"]
SKILL = [*FIRST, "reference", "skill", "low", "high", "network", "n", "mean_rho", "reference_rho"]
SKILL += ["ceiling", "ceiling_rho"]
PARTIAL = [*FIRST, "partial_rho", "low", "high", "network", "n"]
SMOOTHNESS = [*FIRST, "cutoff", "score", "low", "high", "network", "n"]
SPECTRA = [*FIRST, "frequency", "share", "network", "n"]


def ceiling_of_skill(protocol: Protocol, ceilings: HumanCeilings) -> tuple[str, float]:
    """Which rho counts as full skill, and its value.

    `published`: what the protocol divides the data set's scores by.  `others`: else the agreement
    of a person's map with the mean of the others', if images have several.  `perfect`: else 1.
    """
    if (divisor := protocol.divisor(ceilings.published)) is not None:
        return "published", divisor
    if ceilings.others.mean_rho is not None:
        return "others", ceilings.others.mean_rho
    return "perfect", 1.0


def control_tables(
    study: ControlledStudy,
    first: pd.DataFrame,
    protocol: Protocol,
    ceilings: HumanCeilings,
    **settings,
) -> dict[str, pd.DataFrame]:
    """The tables by their names, in one pass over the networks.

    first: the table of references as score_references.py writes it.  protocol: of the scores.
    settings: `resamples` and `seed` of the bootstrap.

    skill (columns SKILL): how much of the way from a reference to the human ceiling a network goes;
    a row per network, explainer and reference of `controls.KINDS`. `mean_rho` and `reference_rho`
    are over the n images that have both. The intervals are paired by image; the ceiling counts as
    known.

    partial (PARTIAL): rank correlation with the human maps given the centred Gaussian.

    smoothness (SMOOTHNESS): scores of heatmaps without the frequencies above a cut-off; an empty
    cut-off is the heatmaps as they are.

    spectra (SPECTRA): mean share in the power of raw maps, without that of their mean, of the
    frequencies up to `frequency` and above the one before, in cycles per image.

    references: `first`, and a row `other_image:<explainer>` for each explainer in place of its own
    rows of that kind. The value of an image is the mean over the networks that have one.
    """
    columns = {"skill": SKILL, "partial": PARTIAL, "smoothness": SMOOTHNESS, "spectra": SPECTRA}
    others: dict[str, list[np.ndarray]] = {}  # by explainer: how many networks, and their sum

    def rows() -> Iterator[Row]:
        for one in study.rows():
            explainer = one.names["explainer"]
            known = ~np.isnan(one.other_image)
            count, total = others.setdefault(explainer, [0 * known, 0.0 * known])
            count += known
            total[known] += one.other_image[known]
            for row, values in _rows_of(one, protocol, ceilings):
                yield row | one.names, values

    found: dict[str, list[dict]] = {name: [] for name in columns}
    for row in add_intervals(rows(), **settings):
        found[row.pop(TABLE)].append(row)
    tables = {name: pd.DataFrame(found[name], columns=wanted) for name, wanted in columns.items()}
    means = {
        name: np.where(count > 0, total / np.maximum(count, 1), np.nan)
        for name, (count, total) in others.items()
    }
    under = protocol, ceilings.published
    return {"references": _with_other_images(first, means, *under, **settings), **tables}


def _rows_of(one: Controlled, protocol: Protocol, ceilings: HumanCeilings) -> Iterator[Row]:
    """Rows of one network and explainer, each with the name of its TABLE."""
    name, ceiling = ceiling_of_skill(protocol, ceilings)
    for kind in KINDS:
        other = getattr(one, kind)
        row, values = skill_row(one.rho, other, ceiling)
        both = ~(np.isnan(one.rho) | np.isnan(other))
        row |= {"mean_rho": _mean(one.rho[both]), "reference_rho": _mean(other[both])}
        of_ceiling = {"ceiling": name, "ceiling_rho": ceiling}
        yield {TABLE: "skill", "reference": kind} | row | of_ceiling, values
    row, values = _mean_row(one.partial)
    yield {TABLE: "partial", "partial_rho": row.pop("mean")} | row, values
    for cutoff, smooth in (one.smooth | {None: one.rho} if one.smooth else {}).items():
        row, values = _mean_row(protocol.scaled(smooth, ceilings.published))
        yield {TABLE: "smoothness", "cutoff": cutoff, "score": row.pop("mean")} | row, values
    for place, share in enumerate(one.spectrum.tolist()):
        row = {"frequency": BAND * (place + 1), "share": share, "n": one.spectrum_n}
        yield {TABLE: "spectra"} | row, {}


def _with_other_images(
    first: pd.DataFrame,
    means: dict[str, np.ndarray],
    protocol: Protocol,
    ceiling: float | None,
    **settings,
) -> pd.DataFrame:
    """The table of references with a row for each explainer.

    means: of images, (m,), by explainer.
    """

    def rows() -> Iterator[Row]:
        for explainer, values in means.items():
            scaled, ends = _mean_row(protocol.scaled(values, ceiling))
            row = {"reference": f"{OTHER_IMAGE}:{explainer}", "n_images": scaled["n"]}
            row |= {"mean_rho": _mean(values[~np.isnan(values)]), "score": scaled["mean"]}
            row["undefined"] = len(values) - scaled["n"]
            missing = "It cannot be computed: no network has a value."
            yield row | {"low": None, "high": None, "note": "" if scaled["n"] else missing}, ends

    found = list(add_intervals(rows(), **settings))
    kept = first[~first["reference"].isin([row["reference"] for row in found])]
    if not found:
        return kept
    return pd.concat([kept, pd.DataFrame(found, columns=first.columns)], ignore_index=True)


def _mean_row(values: np.ndarray) -> Row:
    """n, mean, low and high of values of images, (m,)."""
    return mean_row(values, np.arange(len(values)))


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None
