"""What turns a raw model map into a score: every convention is one named field.

`RELEASED` is what the authors' public code does (their Table 1 was made with it), `PAPER` what
the paper's text says. They differ in fields only, so that the effect of each can be measured
alone: `dataclasses.replace(RELEASED, normalisation=PAPER.normalisation)`.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np

from .cli import UserError
from .images import resize_bilinear
from .spearman import CONSTANT_HEATMAP, OK

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

    def apply(self, explainer: str, maps: np.ndarray, size: int) -> np.ndarray:
        """Raw maps (n, h, w) of an explainer -> maps to be compared, (n, size, size) float32.

        A map with NaN or infinite values comes out as NaN throughout, a constant one constant.
        """
        maps = np.asarray(maps, np.float32)
        finite = np.isfinite(maps).all(axis=(1, 2), keepdims=True)
        maps = np.where(finite, maps, np.float32(np.nan))
        if explainer not in THRESHOLDED:
            return resize_bilinear(maps, size, size)
        if self.resize == "first":
            return self._cut(self._normalised(resize_bilinear(maps, size, size)))
        return resize_bilinear(self._cut(self._normalised(maps)), size, size)

    def acts_on(self, explainer: str) -> tuple:
        """What `apply` heeds for an explainer; equal for two protocols, so are the maps."""
        if explainer not in THRESHOLDED:
            return ()
        return self.resize, self.normalisation, self.threshold, self.below_threshold

    def _normalised(self, maps: np.ndarray) -> np.ndarray:
        """Each map to a maximum of one; a map with nothing to divide by becomes zero."""
        top = maps.max(axis=(1, 2), keepdims=True)
        low = maps.min(axis=(1, 2), keepdims=True) if self.normalisation == "minmax" else 0
        span = top - low
        empty = span <= 0
        return np.where(empty, np.float32(0), (maps - low) / np.where(empty, 1, span))

    def _cut(self, maps: np.ndarray) -> np.ndarray:
        """The threshold. Written so that NaN stays NaN."""
        below = self.threshold if self.below_threshold == "floor" else 0
        return np.where(maps < self.threshold, np.float32(below), maps)

    def entering(self, rho: np.ndarray, status: np.ndarray) -> np.ndarray:
        """Each image's rho as it enters the mean, NaN where it does not; all (n,)."""
        entering = np.where(status == OK, rho, np.nan)
        if self.constant_maps == "zero":
            entering[status == CONSTANT_HEATMAP] = 0
        return entering

    def counted(self, rho: np.ndarray, status: np.ndarray) -> np.ndarray:
        """The rho, (m,), that enter the mean, out of all images' rho and status, (n,)."""
        entering = self.entering(rho, status)
        return entering[~np.isnan(entering)]

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
