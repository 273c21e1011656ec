"""What turns a raw model map into a score: every convention is one named field.

`RELEASED` is what the authors' public code does (their Table 1 was made with it), `PAPER` what
the paper's text says. They differ in fields only, so that the effect of each can be measured
alone: `dataclasses.replace(RELEASED, normalisation=PAPER.normalisation)`.
"""

import dataclasses
from dataclasses import dataclass

from ..common.cli import UserError

CHOICES = {
    "target": ("label", "prediction"),
    "geometry": ("released", "full"),
    "normalisation": ("minmax", "max"),
    "below_threshold": ("floor", "zero"),
    "resize": ("last", "first"),
    "constant_maps": ("skip", "zero"),
}
THRESHOLDED = frozenset({"threshold_grad_cam"})  # other explainers' maps are resized only


@dataclass(frozen=True)
class Protocol:
    """Conventions of the score, in the order in which they act.

    target: class whose logit is explained, the record's `label` or the model's `prediction`.
    geometry: `released` resizes and crops the image as the model's evaluation transform does
        (human maps are never cropped), `full` shows the model the whole image.
    resize: enlarge the map to the human map's size `last`, after normalisation and threshold
        have acted on the feature map's own resolution, or `first`.
    normalisation: `minmax` is (S - min) / (max - min), `max` is S / max; per image.
    threshold: on the normalised map, 0 to 1.
    below_threshold: such values become the threshold (`floor`) or 0 (`zero`).
    constant_maps: an image whose heatmap has one value only is left out of the mean (`skip`) or
        enters it with rho 0 (`zero`). Constant human maps and NaN heatmaps are always left out.
    human_ceiling: the score is the mean rho divided by it; null: the score is the mean rho.

    `target` and `geometry` are settled when heatmaps are extracted; they stand here so that
    scores can be checked against the heatmaps they come from.
    """

    target: str
    geometry: str
    resize: str
    normalisation: str
    threshold: float
    below_threshold: str
    constant_maps: str
    human_ceiling: float | None

    def __post_init__(self):
        """Refuse values outside the allowed ones with a `UserError`."""
        for field, allowed in CHOICES.items():
            if getattr(self, field) not in allowed:
                _refuse(field, getattr(self, field), " or ".join(allowed))
        if not _number_between(self.threshold, 0, 1):
            _refuse("threshold", self.threshold, "a number from 0 to 1")
        ceiling = self.human_ceiling
        if ceiling is not None and (not _number_between(ceiling, 0, 1) or ceiling == 0):
            _refuse("human_ceiling", ceiling, "null, or a number above 0 and at most 1")

    @classmethod
    def from_config(cls, preset: str, overrides: dict | None = None) -> "Protocol":
        """A preset with some fields changed; `UserError` on unknown names and values."""
        if preset not in PRESETS:
            raise UserError(f"protocol: unknown preset {preset!r}; allowed: {', '.join(PRESETS)}")
        overrides = overrides or {}
        fields = [field.name for field in dataclasses.fields(cls)]
        for name in overrides:
            if name not in fields:
                raise UserError(
                    f"protocol: unknown field {name!r} in the overrides of preset {preset!r}; "
                    f"allowed: {', '.join(fields)}"
                )
        return dataclasses.replace(PRESETS[preset], **overrides)

    def as_dict(self) -> dict:
        """All fields, as written into every summary."""
        return dataclasses.asdict(self)

    def map_settings(self, explainer: str) -> tuple:
        """The fields that change an explainer's maps; where they are equal, so are the maps."""
        if explainer not in THRESHOLDED:
            return ()
        return self.resize, self.normalisation, self.threshold, self.below_threshold

    def scaled(self, rho):
        """Mean rho, or the ends of its interval, in units of the human ceiling: the score."""
        return rho if self.human_ceiling is None else rho / self.human_ceiling


def _number_between(value, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _refuse(field: str, value, allowed: str) -> None:
    raise UserError(f"protocol: {field} is {value!r}; allowed: {allowed}")


RELEASED = Protocol(
    target="label",
    geometry="released",
    resize="last",
    normalisation="minmax",
    threshold=0.3,
    below_threshold="floor",
    constant_maps="skip",
    human_ceiling=0.65753,  # constant of serre-lab/Harmonization; the paper does not mention it
)
"""The public code of the study, rabihchamas/DCLS-GradCAM-Eval."""

PAPER = Protocol(
    target="label",
    geometry="full",
    resize="first",
    normalisation="max",
    threshold=0.3,
    below_threshold="zero",
    constant_maps="zero",
    human_ceiling=None,
)
"""The paper's text: appendix B for normalisation and threshold. Where it is silent:

target: the label, the class whose features the players were asked to paint.
geometry: no crop is mentioned, so the model sees what the players saw.
resize: first, for Algorithm 2 calls the thresholded map final, and only so does each of its
    pixels either reach the threshold or be zero.
constant_maps: no image is said to be left out, and a map without any structure agrees with
    nobody: rho 0.
human_ceiling: the score is said to be the Spearman correlation, without a divisor.
"""

PRESETS = {"released": RELEASED, "paper": PAPER}
