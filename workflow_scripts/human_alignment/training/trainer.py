"""Train one network.

One step accumulates gradients over the pieces of a batch, updates the weights, clamps the DCLS
positions and updates the average of the weights. DCLS is trained as in the authors' code
(K-H-Ismail/ConvNeXt-dcls, engine.py): positions are clamped to their window after each step, and
repel each other from a certain epoch on.
"""

import contextlib
import math
import sys
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from tqdm import tqdm

from ..common.cli import UserError
from ..networks.dcls import clamp_positions, position_parameters, repulsion
from ..networks.large_kernels import speed_up_training
from . import optimisation
from .batches import PIECE, FileBatches, Share, seed_all
from .checkpoint import TRY_AGAIN, Interruption, TrainingState
from .curve import Curve
from .folder_batches import FolderBatches
from .processes import Ranks
from .recipe import Recipe

_TYPES = {"none": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class Trainer:
    """A network, its optimiser, and what else changes from step to step."""

    def __init__(
        self,
        model: nn.Module,
        batches: FileBatches | FolderBatches,
        recipe: Recipe,
        classes: int,
        seed: int = 0,
        ranks: Ranks | None = None,
    ):
        self.recipe, self.ranks, self._seed = recipe, ranks or Ranks(), seed
        self.share = Share.of(recipe, self.ranks.rank, self.ranks.count)
        self.images = len(batches)
        self.steps = recipe.total_steps(self.images)
        self._batches = batches
        layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
        if self.ranks.device.type == "cpu":
            speed_up_training(model)
        self.model = model.train().to(self.ranks.device, memory_format=layout)
        self.optimizer = optimisation.optimizer(model, recipe)
        self._schedule = optimisation.schedule(self.optimizer, recipe, self.images)
        self._criterion = optimisation.criterion(recipe)
        self._mixup = optimisation.mixup(recipe, classes)
        self._scaler = torch.amp.GradScaler(self.ranks.device.type, enabled=recipe.amp == "float16")
        self._average = optimisation.Average(model, recipe.ema) if recipe.ema else None
        self._wrapped = self.ranks.wrap(model)
        self._network = torch.compile(self._wrapped) if recipe.compile else self._wrapped

    @property
    def result(self) -> nn.Module:
        """The network to keep: the averaged one, if the recipe averages."""
        return self._average.module if self._average else self.model

    def epoch(self, step: int) -> float:
        """Epochs in the first `step` steps."""
        return step * self.recipe.batch_size / self.images

    def pieces(self, first: int) -> Iterator[tuple[Tensor, Tensor]]:
        """This rank's images and labels, from step number `first` to the end."""
        return self._batches.pieces(range(first, self.steps), self.share)

    def step(
        self, number: int, pieces: Iterator, stop: object = False
    ) -> tuple[float, float, bool]:
        """One optimiser step on the next pieces of every rank.

        number: of the step, from 0.  pieces: from `pieces`.  stop: true, at the end of the
        backward passes, when this rank is to stop.
        Returns the mean loss, the number of images classified correctly (against their labels
        before mixup), and whether any rank is to stop.
        Raises UserError, and leaves the weights as they were, when the loss is not finite.
        """
        self._schedule.step_update(number + 1)
        self.optimizer.zero_grad()
        device = self.ranks.device
        sums = torch.zeros(3, dtype=torch.float64, device=device)
        for piece in range(self.share.count):
            images, labels = next(pieces)
            seed_all(self._seed, PIECE, number, self.share.first + piece)
            waits = self.ranks.count > 1 and piece + 1 < self.share.count
            with self._wrapped.no_sync() if waits else contextlib.nullcontext():
                sums[:2] += self._learn(
                    number, *(t.to(device, non_blocking=True) for t in (images, labels))
                )
        sums[2] = bool(stop)
        loss, hits, stops = self.ranks.total(sums)
        loss /= self.share.count * self.ranks.count
        if not math.isfinite(loss):
            raise UserError(
                f"training diverged: loss is {loss} at step {number + 1} (epoch "
                f"{self.epoch(number):.2f}), learning rate {self.rate:.2g}; no weights were "
                "written, and the last saved state is kept. Lower learning_rate or set clip_norm"
            )
        if self.recipe.clip_norm:
            self._scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip_norm)
        self._scaler.step(self.optimizer)
        self._scaler.update()
        clamp_positions(self.model)
        if self._average:
            self._average.update(self.model)
        return loss, hits, stops > 0

    def _learn(self, number: int, images: Tensor, labels: Tensor) -> Tensor:
        """Forward and backward pass of a piece; its loss and its number of hits, float64 (2,)."""
        recipe, device = self.recipe, self.ranks.device
        inputs, targets = self._batches.finish(images), labels
        if self._mixup:
            inputs, targets = self._mixup(inputs, labels)
        if recipe.channels_last:
            inputs = inputs.to(memory_format=torch.channels_last)
        kind = _TYPES[recipe.amp]
        try:
            with torch.autocast(device.type, kind, enabled=recipe.amp != "none"):
                logits = self._network(inputs)
                loss = self._criterion(logits, targets)
            if recipe.repulsion and self.epoch(number) >= recipe.repulsion_from:
                loss = loss + recipe.repulsion * repulsion(self.model) ** 2
            self._scaler.scale(loss / self.share.count).backward()
        except (RuntimeError, ValueError) as error:
            _explain(error, self.share.size)
            raise
        return torch.stack([loss.detach().double(), (logits.argmax(1) == labels).sum().double()])

    @property
    def rate(self) -> float:
        """The current learning rate of everything but DCLS positions."""
        return self.optimizer.param_groups[0]["lr"]

    @property
    def spread(self) -> float | None:
        """Standard deviation of all DCLS positions in pixels; None without DCLS."""
        positions = position_parameters(self.model)
        if not positions:
            return None
        return round(float(torch.cat([p.detach().flatten() for p in positions]).std()), 4)

    def state(self) -> dict:
        """What `restore` needs to go on: tensors and plain values."""
        return {name: part.state_dict() for name, part in self._parts().items()}

    def restore(self, state: dict) -> None:
        """Go on from `state`."""
        for name, part in self._parts().items():
            part.load_state_dict(state[name])

    def _parts(self) -> dict:
        parts = {"model": self.model, "optimizer": self.optimizer, "scaler": self._scaler}
        return parts | ({"average": self._average} if self._average else {})


def _explain(error: Exception, size: int) -> None:
    """Raises UserError that says which setting to change, if a setting is the cause.

    Causes are a lack of memory, and batch norm over a single value.
    """
    if "more than 1 value per channel" in str(error):
        raise UserError(
            f"batch norm needs more than one value a channel, and {size} images a forward pass "
            "leave one; set the recipe's device_batch to 2 or more, or its windows to larger sides"
        ) from error
    if isinstance(error, torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error):
        raise UserError(
            f"out of memory with {size} images a forward pass; set the recipe's device_batch to "
            f"{max(1, size // 2)}: accumulation keeps the batch_size"
        ) from error


def train(trainer: Trainer, saved: TrainingState) -> Curve:
    """Train to the end, from the saved state if there is one; return the learning curve.

    Raises SystemExit with code TRY_AGAIN, after a save, when a signal asked the training to stop.
    """
    first = trainer.ranks.first
    every = min(trainer.steps // 20, trainer.images // trainer.recipe.batch_size)
    curve, done = Curve(max(1, every)), 0
    if state := saved.load():
        done = state["step"]
        trainer.restore(state["trainer"])
        curve.restore(state["curve"])
        print(f"going on after step {done}, from {saved.path}", file=sys.stderr)
    pieces = trainer.pieces(done)
    bar = tqdm(
        range(done, trainer.steps), "training", trainer.steps, unit="step", initial=done,
        disable=None if first else True,  # None: a bar on a terminal, none in a log
    )  # fmt: skip
    with Interruption() as interrupted:
        for step in bar:
            loss, hits, stop = trainer.step(step, pieces, interrupted)
            curve.add(loss, hits, trainer.recipe.batch_size)
            done = step + 1
            if curve.due(done == trainer.steps):
                line = curve.write_row(done, trainer.epoch(done), trainer.rate, trainer.spread)
                if first:
                    tqdm.write(line, sys.stderr)
            new_epoch = int(trainer.epoch(done)) > int(trainer.epoch(step))
            ended = done == trainer.steps
            # Also at the end: a disk without room for the weights then costs no step again.
            if first and (ended or stop or new_epoch or saved.due()):
                _save(saved, trainer, curve, done, needed=stop and not ended)
            if stop and not ended:
                trainer.ranks.meet()  # no rank ends before the first has saved
                if first:
                    print(f"interrupted after step {done}; run again to go on", file=sys.stderr)
                raise SystemExit(TRY_AGAIN)
    return curve


def _save(saved: TrainingState, trainer: Trainer, curve: Curve, done: int, needed: bool) -> None:
    """Save after `done` steps.

    needed: raise the OSError of a full disk, instead of warning and going on.
    """
    try:
        saved.save({"step": done, "trainer": trainer.state(), "curve": curve.state()})
    except OSError as error:
        if needed:
            raise
        tqdm.write(f"warning: {error}; the training goes on without saving", sys.stderr)
