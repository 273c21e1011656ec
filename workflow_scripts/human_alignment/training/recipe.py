"""How a network is trained: a closed, checked record, read from the config's `recipes` section."""

import difflib
from dataclasses import dataclass, fields

from ..common.cli import UserError

_CHOICES = {
    "optimizer": ("adamw", "lamb", "sgd"),
    "loss": ("ce", "bce"),
    "interpolation": ("bicubic", "bilinear", "random"),
    "amp": ("none", "bfloat16", "float16"),
}
_POSITIVE = ("epochs", "steps", "batch_size", "device_batch", "learning_rate", "repeats")
_BELOW_ONE = (
    "label_smoothing", "random_erasing", "drop_path", "ema", "momentum", "bce_threshold",
    "max_unreadable",
)  # fmt: skip
_LISTS = ("betas", "crop_scale", "windows")


@dataclass(frozen=True)
class Recipe:
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

    epochs: float | None = None
    steps: int | None = None
    batch_size: int = 64
    device_batch: int | None = None
    repeats: int = 1
    optimizer: str = "adamw"
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    betas: tuple = (0.9, 0.999)
    momentum: float = 0.9
    clip_norm: float = 0.0
    warmup: float = 0.0
    warmup_lr: float = 0.0
    warmup_prefix: bool = False
    min_lr: float = 0.0
    cooldown: float = 0.0
    loss: str = "ce"
    bce_threshold: float = 0.0
    label_smoothing: float = 0.0
    drop_path: float = 0.0
    layer_scale: float | None = None
    ema: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    auto_augment: str = ""
    color_jitter: float = 0.0
    random_erasing: float = 0.0
    interpolation: str = "bicubic"
    crop_scale: tuple = (0.08, 1.0)
    max_unreadable: float = 0.01
    shift: int = 0
    windows: tuple = ()
    amp: str = "none"
    channels_last: bool = True
    compile: bool = False
    position_rate: float = 1.0
    repulsion: float = 0.0
    repulsion_from: float = 0.0

    @classmethod
    def from_dict(cls, values: dict) -> "Recipe":
        """Check the names, types and ranges of a config's settings.

        Raises UserError naming the setting and what is allowed.
        """
        kinds = {f.name: f.type for f in fields(cls)}
        for name, value in values.items():
            if name not in kinds:
                close = difflib.get_close_matches(name, kinds, 1)
                hint = f" (did you mean {close[0]!r}?)" if close else ""
                raise UserError(
                    f"unknown training setting {name!r}{hint}; known are {', '.join(sorted(kinds))}"
                )
            _check_type(name, value, kinds[name])
        lists = {name: _tuple(values[name]) for name in _LISTS if name in values}
        recipe = cls(**{**values, **lists})
        recipe._check_ranges()
        return recipe

    def _check_ranges(self) -> None:
        if (self.epochs is None) == (self.steps is None):
            raise UserError("a recipe needs `epochs` or `steps`, and not both")
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise _wrong(name, getattr(self, name), f"one of {', '.join(allowed)}")
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in _POSITIVE and value is not None and value <= 0:
                raise _wrong(field.name, value, "positive")
            if field.name in _BELOW_ONE and not 0 <= value < 1:
                raise _wrong(field.name, value, "at least 0 and below 1")
            if isinstance(value, int | float) and value < 0:
                raise _wrong(field.name, value, "at least 0")

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


def _wrong(name: str, value, allowed: str) -> UserError:
    return UserError(f"training setting {name}: {value!r} is not {allowed}")


def _tuple(value):
    """Lists within lists as tuples, so that the record cannot change."""
    return tuple(map(_tuple, value)) if isinstance(value, list | tuple) else value


def _check_type(name: str, value, kind: type) -> None:
    """Raises UserError unless a value of a config fits a field's type."""
    if kind is tuple:
        fits = isinstance(value, list | tuple)
    elif isinstance(value, bool):  # which Python counts among the integers
        fits = kind is bool
    else:
        fits = isinstance(value, kind | int if float in _members(kind) else kind)
    if not fits:
        names = " or ".join(member.__name__ for member in _members(kind))
        hint = "; YAML reads 1e-3 as text, write 1.0e-3" if isinstance(value, str) else ""
        raise _wrong(name, value, f"of type {names.replace('NoneType', 'null')}{hint}")


def _members(kind) -> tuple[type, ...]:
    return getattr(kind, "__args__", (kind,))
