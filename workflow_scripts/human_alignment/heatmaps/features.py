"""The last feature map and the gradient of a logit with respect to it, in one forward pass.

Where a norm acts on the pooled feature map `A`, there is a second map with a gradient, behind the
norm: `A'_c(p) = gamma_c (A_c(p) - mu) / sigma + beta_c` at position p, with the norm's gamma and
beta, and with the mean mu and the standard deviation sigma of the pooled vector. The mean of `A'`
over positions is the normalised vector. What follows the norm is therefore a function of `A'` too,
by its mean, and the gradient `G'` with respect to `A'` is at every position the gradient with
respect to the vector, divided by the number of positions.
Where a linear classifier follows, the sum of `A'` over channels with the classifier's weights is
the class activation map of Zhou et al. 2016: its mean over positions is the logit less its bias.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..common.layers import BEHIND_NORM, Layer
from ..networks.pooled_norm import channel_scale


@dataclass(frozen=True)
class Features:
    """What one forward pass gives for n images and `c` feature channels.

    activation: `A`, (n, c, h, w).  gradient: `G = d logit_target / dA`, same shape.
    logits: (n, classes).  target: class index the gradient is of, (n,).
    behind_norm: `A'` and `G'`, of the same shape; None where the network has no norm behind the
        pooling, or where they were not asked for.
    """

    activation: Tensor
    gradient: Tensor
    logits: Tensor
    target: Tensor
    behind_norm: tuple[Tensor, Tensor] | None = None

    def at(self, layer: Layer) -> tuple[Tensor, Tensor]:
        """Feature map and gradient of a layer: the same for both if there is no norm."""
        if layer == BEHIND_NORM and self.behind_norm is not None:
            return self.behind_norm
        return self.activation, self.gradient


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
    norm: nn.Module | None = None,
) -> Features:
    """Run the body without autograd and differentiate only what follows `layer`, in float32.

    The gradients of all images come from one backward pass: an image's logit does not depend on
    the other images (evaluation mode), so the gradient of the sum is each image's own.

    model: in evaluation mode, parameters frozen.  inputs: (n, 3, height, width).
    target: class indices (n,), or a function from logits to them.
    arrange: brings a feature map to (n, c, h, w) where the layer's output is laid out otherwise.
    precision: of the body, by autocast, when below float32.
    norm: the norm that acts on the pooled feature map (`zoo.pooled_norm`), to have the map and
        gradient behind it too. They come from the same forward and backward pass.
    """
    leaf: list[Tensor] = []
    passed: list[tuple[Tensor, Tensor]] = []  # what the norm got and gave

    def start_recording(_module: nn.Module, _inputs: tuple, output: Tensor) -> Tensor:
        # From here until the `with` below ends the head is recorded, and in full precision.
        torch.set_grad_enabled(True)
        torch.set_autocast_enabled(output.device.type, False)
        full = torch.promote_types(output.dtype, torch.float32)
        leaf.append(output.detach().to(full).requires_grad_())
        return leaf[0]

    def keep(_module: nn.Module, inputs: tuple, output: Tensor) -> None:
        passed.append((inputs[0], output))

    hooks = [layer.register_forward_hook(start_recording)]
    hooks += [] if norm is None else [norm.register_forward_hook(keep)]
    try:
        with torch.no_grad(), autocast(inputs.device, precision):
            logits = model(inputs)
            target = target(logits.detach()) if callable(target) else target
            chosen = logits.gather(1, target[:, None]).sum()
            normed = [output for _, output in passed]
            gradient, *behind = torch.autograd.grad(chosen, [leaf[0], *normed])
    finally:
        for hook in hooks:
            hook.remove()
    activation = arrange(leaf[0].detach())
    mapped = None
    if norm is not None:
        mapped = _behind_norm(norm, activation, *passed[0], behind[0])
    return Features(activation, arrange(gradient), logits.detach(), target, mapped)


@torch.no_grad()
def _behind_norm(
    norm: nn.Module, activation: Tensor, pooled: Tensor, normed: Tensor, gradient: Tensor
) -> tuple[Tensor, Tensor]:
    """`A'` and `G'`, each (n, c, h, w).

    activation: `A`, (n, c, h, w).  pooled, normed: what the norm got and gave, n x c numbers each.
    gradient: of the logit with respect to `normed`.
    """
    scale = channel_scale(norm, pooled.flatten(1))
    scale, pooled, normed, gradient = (
        values.flatten(1)[:, :, None, None] for values in (scale, pooled, normed, gradient)
    )
    mapped = normed + scale * (activation - pooled)  # so that its mean is `normed`
    return mapped, (gradient / activation[0, 0].numel()).expand_as(mapped)
