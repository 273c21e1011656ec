"""The paper's claims, checked on a study's numbers or on the paper's own.

Most claims are about several networks. For each network the numbers agree with the claim,
contradict it, or leave it open: a score is missing, or a 95 % interval holds both values that
agree and values that do not. The claim then holds, does not hold, or is undecided. Too little
evidence never makes a claim hold.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..common.cli import UserError
from ..scores.comparisons import KINDS, correlate_quantity
from ..scores.controlled import GIVEN_CENTRE
from ..scores.pairs import PAPER_ORDER, full_name
from ..scores.summary import EXPLAINER_NAMES, explainer_name
from .table1 import table1

HOLDS, FAILS, UNDECIDED = "holds", "does not hold", "undecided"
NEARLY_ALL = 0.8  # of the networks, where the paper says nearly all
SEEDS = 3  # trainings of one network in the paper
METHOD = "threshold_grad_cam"
CONVNEXTS = PAPER_ORDER[:3]
FORMERS = ("caformer_s18", "convformer_s18")
NOT_FASTVIT = (*CONVNEXTS, *FORMERS, "resnet50")
NEGLIGIBLE = 0.05  # a score below this is no better than one of random maps, whose score is 0
_KEY = ["comparison", "network", "explainer"]  # of scores/comparisons.csv
DCLS_MINUS_PLAIN, THRESHOLD_MINUS_GRAD_CAM = KINDS
SMOOTH = "dcls - plain, up to 1 cycle"  # comparison of heatmaps of one smoothness
BEYOND = "not in the paper"  # in place of the sections that make a claim
LESS_ACCURATE = ("caformer_s18", "fastvit_sa36")  # with DCLS than without, says the paper


@dataclass(frozen=True)
class Finding:
    """What the numbers say about one network, or about all networks together.

    agrees: whether they agree with the claim; None if they leave it open.  numbers: as text.
    missing: whether there are no numbers.
    """

    agrees: bool | None
    numbers: str
    missing: bool = False

    def contrary(self) -> "Finding":
        """What the same numbers say about the opposite claim."""
        return Finding(None if self.agrees is None else not self.agrees, self.numbers, self.missing)


@dataclass(frozen=True)
class Claim:
    """A claim in our words, the sections of the paper that make it, and the findings on it.

    needed: how many findings must agree for the claim to hold; None means all.
    """

    text: str
    sections: str
    findings: Sequence[Finding]
    needed: int | None = None

    @property
    def verdict(self) -> str:
        """HOLDS or FAILS if no outcome of the open findings could change that, else UNDECIDED."""
        needed = len(self.findings) if self.needed is None else self.needed
        agree = sum(finding.agrees is True for finding in self.findings)
        could = agree + sum(finding.agrees is None for finding in self.findings)
        return HOLDS if agree >= needed else FAILS if could < needed else UNDECIDED

    @property
    def evidence(self) -> str:
        """The numbers, grouped by what they say about the claim."""
        kinds = {
            "agree": [f for f in self.findings if f.agrees],
            "disagree": [f for f in self.findings if f.agrees is False],
            "open": [f for f in self.findings if f.agrees is None and not f.missing],
            "missing": [f for f in self.findings if f.missing],
        }
        listed = (
            f"{kind} ({len(found)}): {', '.join(finding.numbers for finding in found)}"
            for kind, found in kinds.items()
            if found
        )
        return "; ".join(listed)


@dataclass(frozen=True)
class Evidence:
    """The numbers that claims are checked on.

    networks: the columns of `table1`, index network.
    differences: columns difference, low, high in units of the score, index comparison, network,
        explainer. Where a difference is not in it, the sign of the difference of scores decides.
    """

    networks: pd.DataFrame
    differences: pd.DataFrame

    @classmethod
    def of_study(cls, summary: pd.DataFrame, comparisons: pd.DataFrame, ceiling: float | None):
        """From scores/summary.csv and scores/comparisons.csv.

        ceiling: what scores were divided by, or None; comparisons are differences of rho. Those of
        partial correlations stay as they are, because no ceiling is one of theirs.
        """
        found = comparisons.set_index(_KEY)[["difference", "low", "high"]]
        partial = found.index.get_level_values("comparison") == GIVEN_CENTRE
        scaled = found.div(np.where(partial, 1, ceiling or 1), axis=0)
        return cls(table1(summary).set_index("network"), scaled)

    @classmethod
    def of_paper(cls, paper: pd.DataFrame, seeds: pd.DataFrame, sizes: pd.Series):
        """From the paper's Table 1 and its standard deviations over trainings.

        sizes: number of parameters by network, which the paper does not give.
        """
        networks = paper.set_index("network").join(sizes.rename("parameters"))
        spread = seeds.set_index("network")[["runs", f"{METHOD}_sd"]]
        networks = networks.join(spread).fillna({"runs": 1})
        bounds = [f"{name}_{end}" for name in EXPLAINER_NAMES for end in ("low", "high", "n")]
        none = pd.DataFrame(columns=["difference", "low", "high"])
        return cls(networks.assign(**dict.fromkeys(bounds, np.nan)), none)

    def value(self, model: str, dcls: int, column: str) -> float:
        """A number of a network of the paper; NaN if there is none."""
        network = full_name(model, dcls)
        if network not in self.networks.index or column not in self.networks:
            return np.nan
        return float(self.networks[column].astype(float)[network])

    def gain(self, model: str, explainer: str = METHOD) -> Finding:
        """Is the score higher with DCLS?"""
        plain, dcls = (self.value(model, d, explainer) for d in (0, 1))
        name = model if explainer == METHOD else f"{model} ({explainer_name(explainer)})"
        key = DCLS_MINUS_PLAIN, full_name(model, 1), explainer
        return self._difference(key, name, dcls - plain)

    def gain_left(self, model: str, comparison: str) -> Finding:
        """Is agreement still higher with DCLS under a control, and how much of the gain is left?

        comparison: `GIVEN_CENTRE` or `SMOOTH`, of Threshold-Grad-CAM maps.
        """
        key = comparison, full_name(model, 1), METHOD
        if key not in self.differences.index:
            return Finding(None, model, missing=True)
        left, whole = self._difference(key, model, np.nan), self.gain(model)
        if left.missing or whole.missing:
            return left
        *_, gain = whole.numbers.split()
        return Finding(left.agrees, f"{left.numbers} ({gain})")

    def threshold_gain(self, model: str, dcls: int) -> Finding:
        """Is the score higher with Threshold-Grad-CAM than with Grad-CAM?"""
        grad_cam, threshold = (self.value(model, dcls, name) for name in EXPLAINER_NAMES)
        name = full_name(model, dcls)
        key = THRESHOLD_MINUS_GRAD_CAM, name, METHOD
        return self._difference(key, name, threshold - grad_cam)

    def _difference(self, key: tuple, name: str, difference: float) -> Finding:
        if key in self.differences.index:
            difference, low, high = self.differences.loc[key]
            agrees = True if low > 0 else False if high < 0 else None
        else:
            agrees = difference > 0
        if np.isnan(difference):
            return Finding(None, name, missing=True)
        return Finding(agrees, f"{name} {difference:+.4f}")

    def accuracy_gain(self, model: str) -> Finding:
        """Is top-1 higher with DCLS? Top-1 has no interval: the sign decides."""
        difference = self.value(model, 1, "top1") - self.value(model, 0, "top1")
        if np.isnan(difference):
            return Finding(None, f"top-1 of {model}", missing=True)
        return Finding(bool(difference > 0), f"top-1 of {model} {difference:+.2f}")

    def random_maps(self, model: str, dcls: int) -> Finding:
        """Do Grad-CAM maps agree with humans no better than random maps, whose score is zero?

        They do if the whole 95 % interval lies below NEGLIGIBLE, and do not if it lies above. An
        interval that holds NEGLIGIBLE leaves it open, however wide it is.
        """
        score, low, high = (
            self.value(model, dcls, f"grad_cam{end}") for end in ("", "_low", "_high")
        )
        name = full_name(model, dcls)
        if np.isnan(score):
            return Finding(None, name, missing=True)
        if np.isnan(low) or np.isnan(high):
            return Finding(bool(score < NEGLIGIBLE), f"{name} {score:.4f}")
        agrees = True if high < NEGLIGIBLE else False if low > NEGLIGIBLE else None
        return Finding(agrees, f"{name} {score:.4f} [{low:.4f}, {high:.4f}]")

    def trend(self, quantity: str, dcls: int) -> Finding:
        """Does the Threshold-Grad-CAM score rise with a quantity, over networks of one kind?

        quantity: `top1` or `parameters`.  dcls: 0 for the plain networks, 1 for those with DCLS.
        """
        known = self.networks[self.networks["dcls"] == dcls]
        known = known.reindex(columns=[quantity, METHOD]).astype(float)
        found = correlate_quantity(quantity, known[quantity], known[METHOD])
        kind = f"{found.n} networks {'with' if dcls else 'without'} DCLS"
        if found.low is None:
            return Finding(None, f"a trend over {kind}", missing=True)
        agrees = True if found.low > 0 else False if found.high < 0 else None
        numbers = f"r = {found.value:.2f} [{found.low:.2f}, {found.high:.2f}] over {kind}"
        return Finding(agrees, numbers)

    def beyond_seeds(self, model: str) -> Finding:
        """Is the gain from DCLS more than twice the standard deviation over its trainings?"""
        gain = self.value(model, 1, METHOD) - self.value(model, 0, METHOD)
        runs, spread = (self.value(model, 1, name) for name in ("runs", f"{METHOD}_sd"))
        if np.isnan(gain) or np.isnan(spread) or runs < SEEDS:
            return Finding(None, f"{SEEDS} trainings of {model}_dcls", missing=True)
        numbers = f"{model} {gain:+.4f}, standard deviation {spread:.4f} over {runs:.0f} trainings"
        return Finding(bool(gain > 2 * spread), numbers)


def read_differences(path: Path | str) -> pd.DataFrame:
    """Read scores/comparisons.csv; it has no rows if nothing could be compared.

    Raises UserError when the file is missing or lacks a column.
    """
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read; compare_models.py makes it ({error})") from error
    columns = [*_KEY, "difference", "low", "high"]
    missing = [name for name in columns if name not in table]
    if missing and len(table):
        raise UserError(f"{path} lacks the column {', '.join(missing)}; it has {list(table)}")
    return table.reindex(columns=columns)


def check(evidence: Evidence) -> list[Claim]:
    """The paper's claims, and two on what is left of the first, each with the findings on it."""
    on_paper = [*_on_dcls(evidence), *_on_methods(evidence), *_on_trends(evidence)]
    return [*on_paper, *_on_controls(evidence)]


def _on_dcls(evidence: Evidence) -> list[Claim]:
    gains = {model: evidence.gain(model) for model in PAPER_ORDER}
    accuracy = {model: evidence.accuracy_gain(model) for model in PAPER_ORDER}
    return [
        Claim(
            "With DCLS, seven of the eight networks score higher (Threshold-Grad-CAM).",
            "abstract, 4.2",
            list(gains.values()),
            needed=7,
        ),
        Claim(
            "FastViT-SA24 is the exception: it scores no higher with DCLS.",
            "4.2",
            [gains["fastvit_sa24"].contrary()],
        ),
        Claim(
            "The ConvNeXts score higher with DCLS under both methods.",
            "4.2",
            [evidence.gain(m, e) for e in EXPLAINER_NAMES for m in CONVNEXTS],
        ),
        Claim(
            "CAFormer and ConvFormer score higher with DCLS (Threshold-Grad-CAM).",
            "4.2",
            [gains[model] for model in FORMERS],
        ),
        Claim(
            "DCLS makes every network but CAFormer-S18 and FastViT-SA36 more accurate.",
            "4.2",
            [f.contrary() if m in LESS_ACCURATE else f for m, f in accuracy.items()],
        ),
        Claim(
            "Outside FastViT, DCLS raises both accuracy and score (Threshold-Grad-CAM).",
            "5",
            [f for model in NOT_FASTVIT for f in (accuracy[model], gains[model])],
        ),
    ]


def _on_methods(evidence: Evidence) -> list[Claim]:
    formers = [(model, dcls) for model in FORMERS for dcls in (0, 1)]
    every = [(model, dcls) for model in PAPER_ORDER for dcls in (0, 1)]
    nearly_all = int(np.ceil(NEARLY_ALL * len(every)))
    return [
        Claim(
            "Grad-CAM maps of CAFormer and ConvFormer are no better than random ones "
            f"(read as a score below {NEGLIGIBLE}).",
            "abstract, 2.3, 4.2",
            [evidence.random_maps(*network) for network in formers],
        ),
        Claim(
            "Threshold-Grad-CAM raises the scores of CAFormer and ConvFormer.",
            "abstract, 2.3, 4.2",
            [evidence.threshold_gain(*network) for network in formers],
        ),
        Claim(
            "Threshold-Grad-CAM raises the score of nearly all networks "
            f"(read as {nearly_all} of {len(every)}).",
            "abstract",
            [evidence.threshold_gain(*network) for network in every],
            needed=nearly_all,
        ),
    ]


def _on_trends(evidence: Evidence) -> list[Claim]:
    return [
        Claim(
            "Of the networks without DCLS, larger ones score higher (Threshold-Grad-CAM against "
            "the logarithm of size).",
            "appendix D",
            [evidence.trend("parameters", 0)],
        ),
        Claim(
            "No trade-off: scores (Threshold-Grad-CAM) do not fall as accuracy rises.",
            "5",
            [evidence.trend("top1", dcls) for dcls in (0, 1)],
        ),
        Claim(
            "Training anew changes little: ConvNeXt-T gains more from DCLS than twice the standard "
            f"deviation over {SEEDS} trainings.",
            "5",
            [evidence.beyond_seeds("convnext_tiny")],
        ),
    ]


def _on_controls(evidence: Evidence) -> list[Claim]:
    """Does DCLS see more like people, or does it only give more central, smoother maps?"""
    return [
        Claim(
            "Given a centred Gaussian, seven of the eight networks still agree better with people "
            "with DCLS (partial rank correlation, Threshold-Grad-CAM; in parentheses the whole "
            "gain in score).",
            BEYOND,
            [evidence.gain_left(model, GIVEN_CENTRE) for model in PAPER_ORDER],
            needed=7,
        ),
        Claim(
            "At equal smoothness, without what is finer than 1 cycle per image, seven of the eight "
            "networks still score higher with DCLS (Threshold-Grad-CAM; in parentheses the whole "
            "gain).",
            BEYOND,
            [evidence.gain_left(model, SMOOTH) for model in PAPER_ORDER],
            needed=7,
        ),
    ]
