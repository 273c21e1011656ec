"""How a network is trained: a closed, checked record, read from the config's `recipes` section."""

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator
from pydantic.fields import FieldInfo

from ..common.cli import UserError
from ..common.records import Record, as_tuples, checked


def _number(low: float, high: float, text: str | None = None) -> FieldInfo:
    """A field with a range, which messages name."""
    return Field(ge=low, le=high, description=text or f"a number from {low:g} to {high:g}")


# The upper ends are far above any use. Beyond them a training fails in the middle: single precision
# overflows at 3.4e38, and 10**30 steps never end.
MOST_STEPS = 10**9
_POSITIVE = "a positive number up to"
_WHOLE = "a positive whole number up to"
Rate = Annotated[float, _number(0, 100)]
PositiveRate = Annotated[float, Field(gt=0, le=1e6, description=f"{_POSITIVE} 1e6")]
Length = Annotated[float, _number(0, MOST_STEPS, "a number from 0 to 1e9")]
Weight = Annotated[float, _number(0, 1e6, "a number from 0 to 1e6")]
Alpha = Annotated[float, _number(0, 100)]
Count = Annotated[int, Field(gt=0, le=10**6, description=f"{_WHOLE} 1,000,000")]
Step = Annotated[int, Field(gt=0, le=MOST_STEPS)]
Side = Annotated[int, Field(ge=8, le=10_000)]
Fraction = Annotated[float, Field(ge=0, lt=1, description="a number, at least 0 and below 1")]
Positive = Annotated[float, Field(gt=0, le=1)]
Pair = Annotated[
    tuple[Fraction, Fraction],
    BeforeValidator(as_tuples),
    Field(description="two numbers, at least 0 and below 1"),
]
Scale = Annotated[
    tuple[Positive, Positive],
    BeforeValidator(as_tuples),
    Field(description="two numbers above 0 and up to 1, the smaller first"),
]
Windows = Annotated[
    tuple[tuple[Step, Annotated[tuple[Side, ...], Field(min_length=1, max_length=100)]], ...],
    BeforeValidator(as_tuples),
    Field(
        max_length=1000,
        description="a list of [last step, [window sides]], the sides from 8 to 10,000 pixels",
    ),
]
# What timm's auto_augment takes: a policy, and sections of a name and a number.
_DECIMAL = r"\d+(\.\d*)?"
_AUGMENT = (
    rf"(rand(-((m|n|mmax|inc)\d+|(mstd|p){_DECIMAL}|tweights|t0|t3a|t01))*"
    rf"|augmix(-([mwdb]\d+|(mstd|a){_DECIMAL}))*"
    rf"|(original|originalr|v0|v0r|3a)(-mstd{_DECIMAL})*)?"
)


class Recipe(Record):
    """Settings of one training. What is not set is off.

    epochs or steps: how long, without `cooldown`; one of the two. It is the unit of `warmup` and
        `cooldown` too.
    batch_size: images an optimiser step, of all ranks together.
    device_batch: images a forward pass; `batch_size` is reached by ranks and by accumulation.
        Batch norm and mixup see this many. Default: one forward pass a rank.
    repeats: times an image is shown, in a row, augmented anew each time; an epoch then has the
        fewer different images (repeated augmentation, Hoffer et al. 2020).

    optimizer: adamw, lamb or sgd (Nesterov), built by timm.
    learning_rate: peak, of everything but DCLS positions.
    weight_decay: not on vectors, biases and positions.
    betas: of adamw and lamb.  momentum: of sgd.  clip_norm: largest gradient norm, 0 for any.
    warmup: linear from `warmup_lr`, then a cosine down to `min_lr`; `cooldown` stays there.
    warmup_prefix: the cosine begins after the warm-up, and not with it.

    loss: ce or bce (a binary decision for each class).
    bce_threshold: mixed targets above it count as 1, others as 0; 0 leaves them as they are.
    label_smoothing, drop_path (stochastic depth of the last block, linear from 0), layer_scale
        (initial value, where the network has one), ema (decay of the averaged weights, which are
        then the ones that are kept).

    mixup, cutmix: alpha; with both, each batch is one or the other.
    auto_augment: timm's string, e.g. rand-m9-mstd0.5-inc1.
    color_jitter: on a folder, timm's, unless there is auto_augment; on a training file the range
        of each channel's gain and offset.
    random_erasing: probability of noise in a rectangle.  interpolation, crop_scale: of the crop.
    max_unreadable: fraction of a folder's images that may be unreadable; beyond it training stops.
    shift, windows: of a training file: largest translation in pixels; curriculum, a list of
        [last step, [window sides]]: until that step, images are square windows around the object,
        of a side drawn from the list. Needs boxes in the file.

    amp: autocast to this type.  channels_last, compile: memory format; torch.compile.

    position_rate: learning rate of DCLS positions relative to the rest.
    repulsion: weight of the squared repulsive loss of positions (dcls.repulsion).
    repulsion_from: epochs before it begins.
    """

    epochs: float | None = Field(
        None, gt=0, le=100_000, description=f"{_POSITIVE} 100,000, or null"
    )
    steps: int | None = Field(
        None, gt=0, le=MOST_STEPS, description=f"{_WHOLE} 1,000,000,000, or null"
    )
    batch_size: Count = 64
    device_batch: int | None = Field(
        None, gt=0, le=10**6, description=f"{_WHOLE} 1,000,000, or null"
    )
    repeats: Count = 1
    optimizer: Literal["adamw", "lamb", "sgd"] = "adamw"
    learning_rate: PositiveRate = 1e-3
    weight_decay: Rate = 0.0
    betas: Pair = (0.9, 0.999)
    momentum: Fraction = 0.9
    clip_norm: Weight = 0.0
    warmup: Length = 0.0
    warmup_lr: Rate = 0.0
    warmup_prefix: bool = False
    min_lr: Rate = 0.0
    cooldown: Length = 0.0
    loss: Literal["ce", "bce"] = "ce"
    bce_threshold: Fraction = 0.0
    label_smoothing: Fraction = 0.0
    drop_path: Fraction = 0.0
    layer_scale: float | None = Field(None, gt=0, le=100, description=f"{_POSITIVE} 100, or null")
    ema: Fraction = 0.0
    mixup: Alpha = 0.0
    cutmix: Alpha = 0.0
    auto_augment: str = Field("", description="timm's string, e.g. rand-m9-mstd0.5-inc1")
    color_jitter: float = Field(0.0, ge=0, le=1, description="a number from 0 to 1")
    random_erasing: Fraction = 0.0
    interpolation: Literal["bicubic", "bilinear", "random"] = "bicubic"
    crop_scale: Scale = (0.08, 1.0)
    max_unreadable: Fraction = 0.01
    shift: int = Field(0, ge=0, le=10_000, description="a whole number of pixels, 0 to 10,000")
    windows: Windows = ()
    amp: Literal["none", "bfloat16", "float16"] = "none"
    channels_last: bool = True
    compile: bool = False
    position_rate: Weight = 1.0
    repulsion: Weight = 0.0
    repulsion_from: Length = 0.0

    @field_validator("auto_augment")
    @classmethod
    def _known_to_timm(cls, text: str) -> str:
        if not re.fullmatch(_AUGMENT, text, re.ASCII):
            raise ValueError("timm does not understand it")
        return text

    @field_validator("crop_scale")
    @classmethod
    def _in_order(cls, scale: tuple[float, float]) -> tuple[float, float]:
        if scale[0] > scale[1]:
            raise ValueError("the smaller number comes first")
        return scale

    @classmethod
    def from_dict(cls, values: dict) -> "Recipe":
        """Check the names, types and ranges of a config's settings.

        Raises UserError naming the setting and what is allowed.
        """
        recipe = checked(cls, "recipe", values)
        if (recipe.epochs is None) == (recipe.steps is None):
            raise UserError("recipe: it needs `epochs` or `steps`, and not both")
        if recipe.optimizer == "sgd" and not recipe.momentum:
            raise UserError("recipe: momentum is 0; allowed with sgd, which is Nesterov's: above 0")
        recipe.piece()
        return recipe

    def piece(self, ranks: int = 1) -> int:
        """Images of one forward pass on each of so many ranks.

        Raises UserError when the batch does not divide, or mixup would meet an odd number.
        """
        total = self.batch_size
        size = self.device_batch or total // ranks
        if not size or total % (size * ranks):
            forward = f" with a device_batch of {size}" if self.device_batch else ""
            raise UserError(
                f"a batch of {total} images cannot be divided among {ranks} ranks{forward}; "
                "change the recipe's batch_size or device_batch, or the number of ranks"
            )
        if size % 2 and (self.mixup or self.cutmix):
            raise UserError(f"mixup and cutmix need an even device_batch; it is {size}")
        return size

    def in_steps(self, length: float, images: int) -> int:
        """Optimiser steps of a length in the recipe's unit, on a data set of so many images."""
        return round(length * images / self.batch_size) if self.steps is None else round(length)

    def total_steps(self, images: int) -> int:
        """Optimiser steps of the whole training; at least one."""
        length = self.epochs if self.steps is None else self.steps
        return max(1, self.in_steps(length + self.cooldown, images))

    def sides(self, step: int, full: int) -> tuple[int, ...]:
        """Window sides in pixels allowed at a step; `full` is the image's own side."""
        for last, sides in self.windows:
            if step < last:
                return tuple(min(side, full) for side in sides)
        return (full,)
