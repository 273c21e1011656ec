"""Tables of what scores are worth: skill, partial correlations, smoothness, references.

Every number of a network is a mean over its runs and over images, with the 95 % bootstrap interval
over images where there are two or more.
"""

import numpy as np
import pandas as pd

from .controlled import ControlledStudy
from .controls import KINDS, OTHER_IMAGE
from .human_ceilings import HumanCeilings
from .image_summary import mean_over_images
from .protocol import Protocol
from .skill import skill
from .smoothing import BAND

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


def skill_table(
    study: ControlledStudy, protocol: Protocol, ceilings: HumanCeilings, **settings
) -> pd.DataFrame:
    """Columns SKILL: how much of the way from a reference to the human ceiling a network goes.

    A row per network, explainer and reference (`controls.KINDS`). `mean_rho` and `reference_rho`
    are over the n images that have both. The intervals are paired by image; the ceiling counts as
    known.
    """
    name, ceiling = ceiling_of_skill(protocol, ceilings)
    rows = []
    for one in study.rows:
        for kind in KINDS:
            other = getattr(one, kind)
            both = ~(np.isnan(one.rho) | np.isnan(other))
            found = skill(one.rho, other, ceiling, **settings)
            means = {"mean_rho": _mean(one.rho[both]), "reference_rho": _mean(other[both])}
            of_ceiling = {"ceiling": name, "ceiling_rho": ceiling}
            rows.append(one.names | {"reference": kind} | found | means | of_ceiling)
    return pd.DataFrame(rows, columns=SKILL)


def partial_table(study: ControlledStudy, **settings) -> pd.DataFrame:
    """Columns PARTIAL: rank correlation with the human maps given the centred Gaussian."""
    rows = []
    for one in study.rows:
        found = _over_images(one.partial, **settings)
        rows.append(one.names | {"partial_rho": found.pop("mean")} | found)
    return pd.DataFrame(rows, columns=PARTIAL)


def smoothness_table(
    study: ControlledStudy, protocol: Protocol, ceiling: float | None, **settings
) -> pd.DataFrame:
    """Columns SMOOTHNESS: scores of heatmaps without the frequencies above a cut-off.

    An empty cut-off is the heatmaps as they are.  ceiling: of the data set.
    """
    rows = []
    for one in study.rows:
        for cutoff, values in (one.smooth | {None: one.rho} if one.smooth else {}).items():
            found = _over_images(values, **settings)
            ends = {"score": found["mean"], "low": found["low"], "high": found["high"]}
            scaled = {
                key: None if value is None else protocol.scaled(value, ceiling)
                for key, value in ends.items()
            }
            rows.append(one.names | {"cutoff": cutoff} | scaled | {"n": found["n"]})
    return pd.DataFrame(rows, columns=SMOOTHNESS)


def spectra_table(study: ControlledStudy) -> pd.DataFrame:
    """Columns SPECTRA: mean share in the power of raw maps, without that of their mean, of the
    frequencies up to `frequency` and above the one before, in cycles per image.
    """
    rows = [
        one.names | {"frequency": BAND * (place + 1), "share": share, "n": one.spectrum_n}
        for one in study.rows
        for place, share in enumerate(one.spectrum.tolist())
    ]
    return pd.DataFrame(rows, columns=SPECTRA)


def references_table(
    first: pd.DataFrame,
    study: ControlledStudy,
    protocol: Protocol,
    ceiling: float | None,
    **settings,
) -> pd.DataFrame:
    """The table of references, and a row `other_image:<explainer>` for each explainer.

    first: as score_references.py writes it; its own rows of that kind are replaced. The value of an
    image is the mean over the networks that have one.  ceiling: of the data set.
    """
    rows = []
    for explainer in dict.fromkeys(one.names["explainer"] for one in study.rows):
        own = [one for one in study.rows if one.names["explainer"] == explainer]
        values = _mean_of_defined(np.stack([one.other_image for one in own]))
        found = _over_images(values, **settings)
        ends = {"score": found["mean"], "low": found["low"], "high": found["high"]}
        rows.append(
            {"reference": f"{OTHER_IMAGE}:{explainer}", "n_images": found["n"]}
            | {"mean_rho": found["mean"], "undefined": len(values) - found["n"]}
            | {
                key: None if one is None else protocol.scaled(one, ceiling)
                for key, one in ends.items()
            }
            | {"note": "" if found["n"] else "It cannot be computed: no network has a value."}
        )
    kept = first[~first["reference"].isin([row["reference"] for row in rows])]
    if not rows:
        return kept
    return pd.concat([kept, pd.DataFrame(rows, columns=first.columns)], ignore_index=True)


def _over_images(values: np.ndarray, **settings) -> dict:
    """n, mean, low and high of values of images, (m,)."""
    return mean_over_images(values, np.arange(len(values)), **settings)


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None


def _mean_of_defined(values: np.ndarray) -> np.ndarray:
    """Mean of each column, (m,), over what is defined; NaN where nothing is. values: (k, m)."""
    count = (~np.isnan(values)).sum(axis=0)
    total = np.where(np.isnan(values), 0, values).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
