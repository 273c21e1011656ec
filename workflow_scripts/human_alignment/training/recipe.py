"""How a network is trained: a closed, checked record, read from the config's `recipes` section."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from ..common.cli import UserError
from ..common.records import Record, as_tuples, checked

Length = Annotated[float, Field(ge=0, description="a number, at least 0")]
Positive = Annotated[float, Field(gt=0, description="a positive number")]
Count = Annotated[int, Field(gt=0, description="a positive whole number")]
Fraction = Annotated[float, Field(ge=0, lt=1, description="a number, at least 0 and below 1")]
Pair = Annotated[
    tuple[Fraction, Fraction], BeforeValidator(as_tuples), Field(description="two numbers below 1")
]
Scale = Annotated[
    tuple[Positive, Positive],
    BeforeValidator(as_tuples),
    Field(description="two positive numbers"),
]
Windows = Annotated[
    tuple[tuple[Count, tuple[Count, ...]], ...],
    BeforeValidator(as_tuples),
    Field(description="a list of [last step, [window sides]]"),
]


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

    epochs: Positive | None = Field(None, description="a positive number or null")
    steps: Count | None = Field(None, description="a positive whole number or null")
    batch_size: Count = 64
    device_batch: Count | None = Field(None, description="a positive whole number or null")
    repeats: Count = 1
    optimizer: Literal["adamw", "lamb", "sgd"] = "adamw"
    learning_rate: Positive = 1e-3
    weight_decay: Length = 0.0
    betas: Pair = (0.9, 0.999)
    momentum: Fraction = 0.9
    clip_norm: Length = 0.0
    warmup: Length = 0.0
    warmup_lr: Length = 0.0
    warmup_prefix: bool = False
    min_lr: Length = 0.0
    cooldown: Length = 0.0
    loss: Literal["ce", "bce"] = "ce"
    bce_threshold: Fraction = 0.0
    label_smoothing: Fraction = 0.0
    drop_path: Fraction = 0.0
    layer_scale: Positive | None = Field(None, description="a positive number or null")
    ema: Fraction = 0.0
    mixup: Length = 0.0
    cutmix: Length = 0.0
    auto_augment: str = Field("", description="timm's string, e.g. rand-m9-mstd0.5-inc1")
    color_jitter: Length = 0.0
    random_erasing: Fraction = 0.0
    interpolation: Literal["bicubic", "bilinear", "random"] = "bicubic"
    crop_scale: Scale = (0.08, 1.0)
    max_unreadable: Fraction = 0.01
    shift: int = Field(0, ge=0, description="a whole number of pixels, at least 0")
    windows: Windows = ()
    amp: Literal["none", "bfloat16", "float16"] = "none"
    channels_last: bool = True
    compile: bool = False
    position_rate: Length = 1.0
    repulsion: Length = 0.0
    repulsion_from: Length = 0.0

    @classmethod
    def from_dict(cls, values: dict) -> "Recipe":
        """Check the names, types and ranges of a config's settings.

        Raises UserError naming the setting and what is allowed.
        """
        recipe = checked(cls, "recipe", values)
        if (recipe.epochs is None) == (recipe.steps is None):
            raise UserError("recipe: it needs `epochs` or `steps`, and not both")
        return recipe

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
