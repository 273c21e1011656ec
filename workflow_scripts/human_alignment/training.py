"""Train one network on a training file: AdamW, cosine, and what DCLS asks for.

DCLS as in the authors' training code (K-H-Ismail/ConvNeXt-dcls): positions learn without weight
decay at a multiple of the learning rate, and are clamped to their window after each step.
"""

import csv
import io
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from timm.loss import LabelSmoothingCrossEntropy
from timm.scheduler import CosineLRScheduler
from torch import Tensor, nn

from .cli import UserError, progress
from .datasets import DataFile
from .dcls import clamp_positions, position_parameters
from .files import written_whole
from .images import InputTransform, decode
from .recipe import Recipe


@dataclass(frozen=True)
class TrainingSet:
    """A whole training file in memory: images uint8 (n, 3, h, w), labels (n,), boxes or None."""

    images: Tensor
    labels: Tensor
    boxes: np.ndarray | None

    @classmethod
    def load(cls, data: DataFile) -> "TrainingSet":
        """Decode every image of a data file; all must have one size."""
        decoded = np.stack([decode(image) for image in data.images(0, len(data))])
        images = torch.from_numpy(decoded).permute(0, 3, 1, 2).contiguous()
        return cls(images, torch.from_numpy(data.labels.astype(np.int64)), data.boxes())


class Batches:
    """Random training batches: a window around each object, shifted, with its colours jittered."""

    def __init__(self, data: TrainingSet, recipe: Recipe, transform: InputTransform, seed: int):
        if recipe.windows and data.boxes is None:
            raise UserError("the recipe has a curriculum of windows but the data has no boxes")
        self._data, self._recipe = data, recipe
        self._random = np.random.default_rng(seed)
        self._mean = torch.tensor(transform.mean).view(1, 3, 1, 1)
        self._std = torch.tensor(transform.std).view(1, 3, 1, 1)
        self._order = np.empty(0, np.int64)

    def __len__(self) -> int:
        """Images in an epoch."""
        return len(self._data.labels)

    def draw(self, step: int) -> tuple[Tensor, Tensor]:
        """Inputs float32 (b, 3, s, s), normalised, and labels (b,) of one step."""
        size = self._recipe.batch_size
        while len(self._order) < size:  # a new epoch: every image once, in a new order
            more = self._random.permutation(len(self._data.labels))
            self._order = np.concatenate([self._order, more])
        index, self._order = self._order[:size], self._order[size:]
        full = self._data.images.shape[-1]
        side = int(self._random.choice(self._recipe.sides(step, full)))
        images = torch.stack([self._window(int(i), side) for i in index]).float() / 255
        jitter = self._recipe.color_jitter
        draw = self._random.uniform(-jitter, jitter, (2, size, 3, 1, 1)).astype(np.float32)
        gain, offset = torch.from_numpy(draw)
        images = images * (1 + gain) + offset
        return (images - self._mean) / self._std, self._data.labels[index]

    def _window(self, index: int, side: int) -> Tensor:
        """A `side` x `side` part of an image that holds its object where it fits."""
        image = self._data.images[index]
        height, width = image.shape[1:]
        if side < height and self._data.boxes is not None:
            left, top, right, bottom = (int(v) for v in self._data.boxes[index])
            x = self._start(left, right, side, width)
            y = self._start(top, bottom, side, height)
            return image[:, y : y + side, x : x + side]
        dx, dy = self._random.integers(-self._recipe.shift, self._recipe.shift + 1, 2)
        shifted = nn.functional.pad(image[None].float(), [self._recipe.shift] * 4, mode="reflect")[
            0
        ].to(image.dtype)
        y, x = self._recipe.shift + dy, self._recipe.shift + dx
        return shifted[:, y : y + height, x : x + width]

    def _start(self, low: int, high: int, side: int, full: int) -> int:
        """A random start so that [start, start + side) covers [low, high) and stays inside."""
        first, last = max(0, high - side), min(full - side, low)
        if first > last:
            first = last = min(max((low + high - side) // 2, 0), full - side)
        return int(self._random.integers(first, last + 1))


def _is_matrix(parameter: Tensor) -> bool:
    """Biases, norms and layer scales are vectors, however many axes of length one they have."""
    return sum(length > 1 for length in parameter.shape) > 1


def parameter_groups(model: nn.Module, recipe: Recipe) -> list[dict]:
    """AdamW's groups: matrices (decayed), vectors (not), DCLS positions (not, and faster)."""
    positions = position_parameters(model)
    special = {id(p) for p in positions}
    others = [p for p in model.parameters() if p.requires_grad and id(p) not in special]
    groups = [
        {"params": [p for p in others if _is_matrix(p)], "weight_decay": recipe.weight_decay},
        {"params": [p for p in others if not _is_matrix(p)], "weight_decay": 0.0},
    ]
    rate = recipe.learning_rate * recipe.position_rate
    return groups + ([{"params": positions, "weight_decay": 0.0, "lr": rate}] if positions else [])


def train(model: nn.Module, batches: Batches, recipe: Recipe) -> list[dict]:
    """Train in place; return the learning curve, a row of figures every tenth of the steps.

    Raises UserError with step and learning rate when the loss is no longer finite.
    """
    optimizer = torch.optim.AdamW(
        parameter_groups(model, recipe), lr=recipe.learning_rate, betas=recipe.betas
    )
    schedule = CosineLRScheduler(
        optimizer,
        t_initial=recipe.steps + 1,  # so that the last step still learns
        warmup_t=round(recipe.warmup * recipe.steps),
        warmup_lr_init=0.0,
        warmup_prefix=False,
        t_in_epochs=False,
    )
    loss_of = LabelSmoothingCrossEntropy(recipe.label_smoothing)
    model.train().to(memory_format=torch.channels_last)
    curve, losses, hits, seen, begin = [], [], 0, 0, time.perf_counter()
    every = max(1, recipe.steps // 20)
    for step in progress(range(recipe.steps), recipe.steps, "training", "step"):
        schedule.step_update(step + 1)
        inputs, labels = batches.draw(step)
        logits = model(inputs)
        loss = loss_of(logits, labels)
        value = loss.item()
        if not math.isfinite(value):
            rate = optimizer.param_groups[0]["lr"]
            epoch = step * recipe.batch_size / len(batches)
            raise UserError(
                f"training diverged: loss is {value} at step {step + 1} (epoch {epoch:.2f}), "
                f"learning rate {rate:.2g}; no weights were written. "
                "Lower train.learning_rate or clip_norm"
            )
        optimizer.zero_grad()
        loss.backward()
        if recipe.clip_norm:
            nn.utils.clip_grad_norm_(model.parameters(), recipe.clip_norm)
        optimizer.step()
        clamp_positions(model)
        losses.append(value)
        hits += int((logits.argmax(1) == labels).sum())
        seen += len(labels)
        if (step + 1) % every == 0 or step + 1 == recipe.steps:
            curve.append(
                {
                    "step": step + 1,
                    "loss": round(float(np.mean(losses)), 6),
                    "train_top1": round(100 * hits / seen, 3),
                    "learning_rate": optimizer.param_groups[0]["lr"],
                    "position_spread": _spread(model),
                    "seconds": round(time.perf_counter() - begin, 2),
                }
            )
            losses, hits, seen = [], 0, 0
    return curve


def _spread(model: nn.Module) -> float | None:
    """Standard deviation of all DCLS positions in pixels; None without DCLS."""
    positions = position_parameters(model)
    if not positions:
        return None
    return round(float(torch.cat([p.detach().flatten() for p in positions]).std()), 4)


def write_curve(path: Path | str, curve: list[dict]) -> None:
    """Write the learning curve as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, curve[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(curve)
    with written_whole(path) as partial:
        partial.write_text(text.getvalue())
