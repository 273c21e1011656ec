"""The record of how an image becomes a network's input; `images.network_input` applies it."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SerializerFunctionWrapHandler, model_serializer

from ..common.records import Record, as_tuples

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

LARGEST = 4096  # pixels of a side
_PIXELS = f"a positive number of pixels, {LARGEST} at most"

Positive = Annotated[float, Field(gt=0)]
Means = Annotated[tuple[float, float, float], BeforeValidator(as_tuples)]
Deviations = Annotated[tuple[Positive, Positive, Positive], BeforeValidator(as_tuples)]


class InputTransform(Record):
    """A network's evaluation transform.

    resize: short side in pixels before the centre crop.  crop: side of the input in pixels.
    mean, std: of each colour channel, for pixels from 0 to 1.  interpolation: of the resize.
    """

    resize: int = Field(gt=0, le=LARGEST, description=_PIXELS)
    crop: int = Field(gt=0, le=LARGEST, description=_PIXELS)
    mean: Means = Field(IMAGENET_MEAN, description="three numbers")
    std: Deviations = Field(IMAGENET_STD, description="three positive numbers")
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"

    @property
    def crops(self) -> bool:
        """Whether the centre crop cuts anything off a square image.

        Where it does not, the network has the same input under both geometries.
        """
        return self.resize != self.crop

    @model_serializer(mode="wrap")
    def _without_bicubic(self, plain: SerializerFunctionWrapHandler) -> dict:
        """Leave out the usual interpolation, which records of earlier versions do not hold."""
        values = plain(self)
        return {key: values[key] for key in values if values[key] != "bicubic"}
