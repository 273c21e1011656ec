"""How a network is trained: a closed record, read from the config's `train` section."""

from dataclasses import dataclass, fields

from .cli import UserError


@dataclass(frozen=True)
class Recipe:
    """Settings of one training.

    steps: optimiser steps.  batch_size: images a step.
    learning_rate: peak, of everything but DCLS positions.  weight_decay: on matrices only.
    betas: of AdamW.  warmup: fraction of the steps with rising rate, before the cosine to zero.
    label_smoothing, clip_norm (0: off), color_jitter, shift: regularisation; `color_jitter` is
    the range of each channel's gain and offset, `shift` the largest translation in pixels.
    position_rate: learning rate of DCLS positions relative to the rest (the authors use 5).
    windows: curriculum, a list of [last step, [window sides]]: until that step, images are square
    windows around the object, of a side drawn from the list; needs boxes in the training file.
    """

    steps: int = 500
    batch_size: int = 64
    learning_rate: float = 8e-3
    weight_decay: float = 0.05
    betas: tuple[float, float] = (0.9, 0.99)
    warmup: float = 0.08
    label_smoothing: float = 0.1
    clip_norm: float = 1.0
    color_jitter: float = 0.1
    shift: int = 4
    position_rate: float = 5.0
    windows: tuple = ()

    @classmethod
    def from_dict(cls, values: dict) -> "Recipe":
        """Check the names and ranges of a config's settings.

        Raises UserError naming the setting and what is allowed.
        """
        known = {f.name for f in fields(cls)}
        if unknown := sorted(set(values) - known):
            raise UserError(
                f"unknown training setting {unknown[0]!r}; known are {', '.join(sorted(known))}"
            )
        recipe = cls(**values)
        for name in ("steps", "batch_size", "learning_rate"):
            if getattr(recipe, name) <= 0:
                raise UserError(f"training setting {name} must be positive")
        return recipe

    def sides(self, step: int, full: int) -> tuple[int, ...]:
        """Window sides in pixels allowed at a step; `full` is the image's own side."""
        for last, sides in self.windows:
            if step < last:
                return tuple(min(side, full) for side in sides)
        return (full,)
