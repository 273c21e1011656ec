"""A recipe's optimiser, schedule, loss, mixup and weight average, all of them timm's."""

import itertools

import torch
from timm.data import Mixup
from timm.loss import BinaryCrossEntropy, LabelSmoothingCrossEntropy, SoftTargetCrossEntropy
from timm.optim import create_optimizer_v2, param_groups_weight_decay
from timm.scheduler import CosineLRScheduler
from timm.utils import ModelEmaV3
from torch import nn
from torch.optim import Optimizer

from ..networks.dcls import position_parameters
from .recipe import Recipe


def parameter_groups(model: nn.Module, recipe: Recipe) -> list[dict]:
    """Vectors and biases (not decayed), the rest (decayed), DCLS positions (not, and faster).

    As in K-H-Ismail/ConvNeXt-dcls (optim_factory.py, engine.py): positions follow the schedule at
    a multiple of its rate.
    """
    positions = position_parameters(model)
    special = {id(p) for p in positions}
    groups = param_groups_weight_decay(model, recipe.weight_decay)
    for group in groups:
        group["params"] = [p for p in group["params"] if id(p) not in special]
    groups.append({"params": positions, "weight_decay": 0.0, "lr_scale": recipe.position_rate})
    return [group for group in groups if group["params"]]


def optimizer(model: nn.Module, recipe: Recipe) -> Optimizer:
    """timm's optimiser of the recipe's name, over `parameter_groups`."""
    own = {} if recipe.optimizer == "sgd" else {"betas": recipe.betas}
    own |= {"fused": True} if recipe.optimizer in ("adamw", "sgd") else {}  # one pass over weights
    return create_optimizer_v2(
        parameter_groups(model, recipe),
        opt=recipe.optimizer,
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        **own,
    )


def schedule(optimizer: Optimizer, recipe: Recipe, images: int) -> CosineLRScheduler:
    """Warm-up and cosine by optimiser step; call `step_update` with 1, 2, ... before each."""
    total = recipe.total_steps(images)
    warmup = min(recipe.in_steps(recipe.warmup, images), total)
    before = warmup if recipe.warmup_prefix else 0
    return CosineLRScheduler(
        optimizer,
        # One more, so that the last step still learns.
        t_initial=max(1, total - recipe.in_steps(recipe.cooldown, images) - before + 1),
        lr_min=recipe.min_lr,
        warmup_t=warmup,
        warmup_lr_init=recipe.warmup_lr,
        warmup_prefix=recipe.warmup_prefix,
        t_in_epochs=False,
    )


def mixup(recipe: Recipe, classes: int) -> Mixup | None:
    """timm's mixup and cutmix, which also smooth the labels; None when both are off."""
    if not (recipe.mixup or recipe.cutmix):
        return None
    return Mixup(
        recipe.mixup, recipe.cutmix, label_smoothing=recipe.label_smoothing, num_classes=classes
    )


def criterion(recipe: Recipe) -> nn.Module:
    """The loss of logits (b, classes) and labels (b,), or mixed labels (b, classes)."""
    if recipe.loss == "bce":
        return BinaryCrossEntropy(recipe.label_smoothing, recipe.bce_threshold or None)
    if recipe.mixup or recipe.cutmix:
        return SoftTargetCrossEntropy()
    return LabelSmoothingCrossEntropy(recipe.label_smoothing)


class Average(ModelEmaV3):
    """timm's exponential moving average of weights, each tensor once.

    timm walks the state dict, where positions that n layers share
    appear n times: they would be averaged n times a step.
    """

    def apply_update_(self, model: nn.Module, decay: float) -> None:
        """Move the average towards `model`; whole numbers, such as counts, are copied."""
        mine = itertools.chain(self.module.parameters(), self.module.buffers())
        theirs = itertools.chain(model.parameters(), model.buffers())
        pairs = list(zip(mine, theirs, strict=True))
        averages = [pair for pair in pairs if pair[0].is_floating_point()]
        torch._foreach_lerp_(*map(list, zip(*averages, strict=True)), weight=1 - decay)
        for average, value in pairs:
            if not average.is_floating_point():
                average.copy_(value)
