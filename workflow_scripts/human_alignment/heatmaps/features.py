"""The last feature map and the gradient of a logit with respect to it, in one forward pass."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Features:
    """What one forward pass gives for n images and `c` feature channels.

    activation: `A`, (n, c, h, w).  gradient: `G = d logit_target / dA`, same shape.
    logits: (n, classes).  target: class index the gradient is of, (n,).
    """

    activation: Tensor
    gradient: Tensor
    logits: Tensor
    target: Tensor


def autocast(device: torch.device, precision: torch.dtype) -> contextlib.AbstractContextManager:
    """Run a forward pass in `precision`; float32 leaves everything as it is."""
    if precision == torch.float32:
        return contextlib.nullcontext()
    return torch.autocast(device.type, precision)


def differentiate_head(
    model: nn.Module,
    layer: nn.Module,
    inputs: Tensor,
    target: Tensor | Callable[[Tensor], Tensor],
    arrange: Callable[[Tensor], Tensor] = lambda tensor: tensor,
    precision: torch.dtype = torch.float32,
) -> Features:
    """Run the body without autograd and differentiate only what follows `layer`, in float32.

    The gradients of all images come from one backward pass: an image's logit does not depend on
    the other images (evaluation mode), so the gradient of the sum is each image's own.

    model: in evaluation mode, parameters frozen.  inputs: (n, 3, height, width).
    target: class indices (n,), or a function from logits to them.
    arrange: brings a feature map to (n, c, h, w) where the layer's output is laid out otherwise.
    precision: of the body, by autocast, when below float32.
    """
    leaf: list[Tensor] = []

    def start_recording(_module: nn.Module, _inputs: tuple, output: Tensor) -> Tensor:
        # From here until the `with` below ends the head is recorded, and in full precision.
        torch.set_grad_enabled(True)
        torch.set_autocast_enabled(output.device.type, False)
        full = torch.promote_types(output.dtype, torch.float32)
        leaf.append(output.detach().to(full).requires_grad_())
        return leaf[0]

    hook = layer.register_forward_hook(start_recording)
    try:
        with torch.no_grad(), autocast(inputs.device, precision):
            logits = model(inputs)
            target = target(logits.detach()) if callable(target) else target
            chosen = logits.gather(1, target[:, None]).sum()
            (gradient,) = torch.autograd.grad(chosen, leaf[0])
    finally:
        hook.remove()
    return Features(arrange(leaf[0].detach()), arrange(gradient), logits.detach(), target)
