"""What turns a raw model map into a score: every convention is one named field.

`RELEASED` is what the authors' public code does (their Table 1 was made with it), `PAPER` what
the paper's text says. They differ in fields only, so that the effect of each can be measured
alone: `RELEASED.changed(normalisation=PAPER.normalisation)`.
"""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from ..common.arguments import json_object
from ..common.cli import UserError
from ..common.geometry import canonical
from ..common.layers import BEFORE_NORM, Layer
from ..common.records import Record, checked

THRESHOLDED = frozenset({"threshold_grad_cam"})  # other explainers' maps are resized only


class Protocol(Record):
    """Conventions of the score, in the order in which they act.

    target: class whose logit is explained, the record's `label` or the model's `prediction`.
    geometry: `crop` resizes and crops the image as the network family's evaluation transform does
        (human maps are never cropped), `full` shows the network the whole image. The old word
        `released` is read as `crop`.
    layer: whose feature map the heatmap is made of, where a norm acts on the pooled feature map
        (ConvNeXt, ConvFormer, CAFormer): `before_norm` is the map that goes into the pooling,
        `behind_norm` the map whose mean over positions is the normalised vector. Other networks
        have one layer, whatever this field says; so have saliency and RISE.
    resize: enlarge the map to the human map's size `last`, after normalisation and threshold
        have acted on the feature map's own resolution, or `first`.
    normalisation: `minmax` is (S - min) / (max - min), `max` is S / max; per image.
    threshold: on the normalised map, 0 to 1.
    below_threshold: such values become the threshold (`floor`) or 0 (`zero`).
    constant_maps: an image whose heatmap has one value only is left out of the mean (`skip`) or
        enters it with rho 0 (`zero`). Constant human maps and NaN heatmaps are always left out.
    divide_by_ceiling: the score is the mean rho divided by the data set's human ceiling, if the
        data set has one; else it is the mean rho. ClickMe's, 0.65753, is a constant that
        serre-lab/Harmonization states for the average alignment between human raters. It is no
        upper bound for a map compared with the average of many raters: a score can exceed 1.

    `target` and `geometry` are settled when heatmaps are extracted; the protocol holds them so
    that scores can be checked against the heatmaps they come from. A heatmap file can hold the maps
    of both layers.
    """

    target: Literal["label", "prediction"]
    geometry: Annotated[Literal["crop", "full"], BeforeValidator(canonical)]
    layer: Layer = BEFORE_NORM  # of a protocol that was written before there was a choice
    resize: Literal["last", "first"]
    normalisation: Literal["minmax", "max"]
    threshold: float = Field(ge=0, le=1, description="a number from 0 to 1")
    below_threshold: Literal["floor", "zero"]
    constant_maps: Literal["skip", "zero"]
    divide_by_ceiling: bool

    @classmethod
    def from_fields(cls, fields: dict) -> "Protocol":
        """A protocol from all of its fields; `UserError` on unknown or missing ones and values."""
        return checked(cls, "protocol", fields)

    @classmethod
    def from_config(cls, preset: str, overrides: dict | None = None) -> "Protocol":
        """A preset with some fields changed; `UserError` on unknown names and values."""
        if preset not in list(PRESETS):
            raise UserError(f"protocol: unknown preset {preset!r}; allowed: {', '.join(PRESETS)}")
        return PRESETS[preset].changed(**(overrides or {}))

    def changed(self, **fields) -> "Protocol":
        """The same protocol with some fields changed; `UserError` on unknown names and values."""
        return self.from_fields({**self.as_dict(), **fields})

    def as_dict(self) -> dict:
        """All fields, as written into every summary."""
        return self.model_dump()

    def map_settings(self, explainer: str) -> tuple:
        """The fields that change an explainer's maps; where they are equal, so are the maps."""
        if explainer not in THRESHOLDED:
            return (self.layer,)
        return self.layer, self.resize, self.normalisation, self.threshold, self.below_threshold

    def divisor(self, ceiling: float | None) -> float | None:
        """What divides the mean rho: the data set's ceiling; None if nothing does."""
        return ceiling if self.divide_by_ceiling else None

    def scaled(self, rho, ceiling: float | None):
        """The score of a mean rho, or of the ends of its interval.

        ceiling: the data set's human ceiling; None where none is known.
        """
        divisor = self.divisor(ceiling)
        return rho if divisor is None else rho / divisor


RELEASED = Protocol(
    target="label",
    geometry="crop",
    layer=BEFORE_NORM,
    resize="last",
    normalisation="minmax",
    threshold=0.3,
    below_threshold="floor",
    constant_maps="skip",
    divide_by_ceiling=True,  # the paper does not mention it
)
"""The public code of the study, rabihchamas/DCLS-GradCAM-Eval."""

PAPER = Protocol(
    target="label",
    geometry="full",
    layer=BEFORE_NORM,
    resize="first",
    normalisation="max",
    threshold=0.3,
    below_threshold="zero",
    constant_maps="zero",
    divide_by_ceiling=False,
)
"""The paper's text: appendix B for normalisation and threshold. Where it is silent:

target: the label, the class whose features the players were asked to paint.
geometry: no crop is mentioned, so the model sees what the players saw.
layer: the map is said to be the last feature map; the authors' code takes it before the norm.
resize: first, for Algorithm 2 calls the thresholded map final, and only so does each of its
    pixels either reach the threshold or be zero.
constant_maps: no image is said to be left out, and a map without any structure agrees with
    nobody: rho 0.
divide_by_ceiling: the score is said to be the Spearman correlation, without a divisor.
"""

PRESETS = {"released": RELEASED, "paper": PAPER}


def protocol_argument(text: str) -> Protocol:
    """Parse a command-line value (an argparse `type`): a preset's name or a JSON object.

    The object holds all fields, or a preset and the fields to change:
    `{"preset": "released", "threshold": 0.2}`. Raises UserError on unknown names and values.
    """
    if not text.lstrip().startswith("{"):
        return Protocol.from_config(text)
    fields = json_object(text)
    if "preset" in fields:
        return Protocol.from_config(fields.pop("preset"), fields)
    return Protocol.from_fields(fields)


PROTOCOL_HELP = f"{' or '.join(PRESETS)}, or JSON: all fields, or a preset and the fields to change"
