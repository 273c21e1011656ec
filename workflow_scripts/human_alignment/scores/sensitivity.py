"""What each convention of the score changes: scores under a protocol with one field changed."""

from collections.abc import Iterator

import numpy as np

from .bootstrap import Row
from .postprocess import image_rho
from .protocol import Protocol
from .protocol_variants import ALL, BASE
from .score_file import Scores

OUTCOME = ["n", "score", "score_low", "score_high", "difference", "low", "high"]
COLUMNS = ["field", "value", "explainer", *OUTCOME, "human_ceiling_before"]


def difference(
    scores: Scores, protocol: Protocol, base_scores: Scores, base: Protocol, ceiling: float | None
) -> Row:
    """Score under a protocol minus score under `base`, on the same images.

    Returns a row with the keys OUTCOME, and the values whose means get intervals: score_low to
    score_high of the score, low to high of the difference. The two protocols may leave out
    different images. Each image's share in the difference of the two means, n / n_defined (rho -
    mean) for either, plus the difference itself, has that difference as its mean: its bootstrap
    interval is the interval of the difference, paired by image.

    ceiling: of the data set; each protocol says whether its scores are divided by it.
    """
    both = (scores, protocol), (base_scores, base)
    means, shares, entered = [], [], []
    for found, under in both:
        values = under.scaled(image_rho(under, found), ceiling)
        defined = ~np.isnan(values)
        if not defined.any():
            return {name: 0 if name == "n" else None for name in OUTCOME}, {}
        mean = values[defined].mean()
        means.append(float(mean))
        shares.append(np.where(defined, values - mean, 0) * (len(values) / defined.sum()))
        entered.append(values)
    gap = means[0] - means[1]
    row = {"n": int((~np.isnan(entered[0])).sum()), "score": means[0], "difference": gap}
    values = {
        ("score_low", "score_high"): entered[0],
        ("low", "high"): gap + shares[0] - shares[1],
    }
    return dict.fromkeys(OUTCOME) | row, values


def sensitivity_rows(
    scores: dict[str, dict[str, Scores]],
    protocols: dict[str, Protocol],
    ceiling: float | None,
) -> Iterator[Row]:
    """A row per changed field and explainer, with the keys COLUMNS, as `difference` gives it.

    scores: by explainer and by the protocol's name.  protocols: `BASE` and its variants by name.
    ceiling: of the data set; `human_ceiling_before` is the number that divided the score under
    `BASE`, None if none did.
    """
    before = {"human_ceiling_before": protocols[BASE].divisor(ceiling)}
    for field, protocol in protocols.items():
        if field == BASE:
            continue
        value = "paper" if field == ALL else getattr(protocol, field)
        value = str(value).lower() if isinstance(value, bool) else value  # as the config has it
        for explainer, found in scores.items():
            base = found[BASE], protocols[BASE]
            change, values = difference(found[field], protocol, *base, ceiling)
            named = {"field": field, "value": value, "explainer": explainer}
            yield named | change | before, values
