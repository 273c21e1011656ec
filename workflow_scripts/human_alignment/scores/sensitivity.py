"""What each convention of the score is worth: one field of the protocol changed at a time."""

from dataclasses import asdict, replace

import numpy as np
import pandas as pd

from .bootstrap import bootstrap_interval
from .postprocess import counted, entering
from .protocol import Protocol
from .scoring import Scores

ALL = "all fields"
OUTCOME = ["n", "score", "score_low", "score_high", "difference", "low", "high"]
COLUMNS = ["field", "value", "explainer", *OUTCOME]
TURNED = ["dcls_difference_before", "dcls_difference", "sign_changes"]


def variants(base: Protocol, other: Protocol, geometry: bool) -> dict[str, Protocol]:
    """`base` with each field in turn as in `other`, by the field's name, then with all of them.

    geometry: whether heatmaps of the other geometry are at hand. Without them the field is left
    out, and so is "all fields" if the two protocols differ in it.
    """
    theirs = asdict(other)
    changed = {name: theirs[name] for name, value in asdict(base).items() if value != theirs[name]}
    if "geometry" in changed and not geometry:
        del changed["geometry"]
        return {name: replace(base, **{name: value}) for name, value in changed.items()}
    found = {name: replace(base, **{name: value}) for name, value in changed.items()}
    return found | ({ALL: other} if changed else {})


def difference(
    scores: Scores, protocol: Protocol, base_scores: Scores, base: Protocol, **settings
) -> dict:
    """Score under a protocol minus score under `base`, on the same images, with its interval.

    The two may leave out different images. Each image's share in the difference of the two means,
    n / n_defined (rho - mean) for either, plus the difference itself, has that difference as its
    mean: its bootstrap interval is the interval of the difference, paired by image.

    Returns n, score with its own interval score_low to score_high, difference, low, high.
    """
    both = (scores, protocol), (base_scores, base)
    means, shares = [], []
    for found, under in both:
        values = under.scaled(entering(under, found.rho, found.status))
        defined = ~np.isnan(values)
        if not defined.any():
            return {name: 0 if name == "n" else None for name in OUTCOME}
        mean = values[defined].mean()
        means.append(float(mean))
        shares.append(np.where(defined, values - mean, 0) * (len(values) / defined.sum()))
    gap = means[0] - means[1]
    entered = protocol.scaled(counted(protocol, scores.rho, scores.status))
    own = bootstrap_interval(entered, **settings)
    paired = bootstrap_interval(gap + shares[0] - shares[1], **settings)
    found = len(entered), means[0], *own, gap, *paired
    return dict(zip(OUTCOME, found, strict=True))


def turned(table: pd.DataFrame) -> pd.DataFrame:
    """Per model, run, explainer and field: DCLS minus plain before and after, and if it turned.

    table: rows of all runs with columns model, dcls, run and COLUMNS. Returns columns model,
    run, explainer, field and TURNED; a model without its counterpart is left out.
    """
    table = table.assign(before=table["score"] - table["difference"])
    keys = ["model", "run", "explainer", "field"]
    wide = table.pivot_table(index=keys, columns="dcls", values=["score", "before"], sort=False)
    if not {("score", 0), ("score", 1)} <= set(wide.columns):
        return pd.DataFrame(columns=[*keys, *TURNED])
    gaps = [wide[when, 1] - wide[when, 0] for when in ("before", "score")]
    found = pd.concat(gaps, axis=1, keys=TURNED[:2]).dropna()
    signs = np.sign(found)
    found[TURNED[2]] = signs[TURNED[0]] != signs[TURNED[1]]
    return found.reset_index()
