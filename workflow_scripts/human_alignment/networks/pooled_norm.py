"""The norm between a network's pooling and its classifier, if the network has one."""

import torch
from timm.layers import RmsNorm, RmsNorm2d
from torch import Tensor, nn

from .generic import channels_first

_RMS_NORMS = (nn.RMSNorm, RmsNorm, RmsNorm2d)


@torch.no_grad()
def find_pooled_norm(model: nn.Module, layer: nn.Module, size: int) -> nn.Module | None:
    """The norm that acts on the feature map's mean over positions; None if there is none.

    It is a layer norm or an RMS norm. It is found by what it gets when the network runs on noise:
    the mean over positions of what `layer` returns. None is found in a network that norms before
    it pools (timm's Swin), that classifies from a class token, or that pools otherwise than by the
    mean. A batch norm counts as part of the classifier: in evaluation mode it is the same linear
    map for every image.

    layer: gives the last feature map.  size: side of the input in pixels.
    """
    inside = set(layer.modules())
    candidates = [m for m in model.modules() if _is_norm(m) and m not in inside]
    if not candidates:
        return None
    means: list[Tensor] = []
    vectors: dict[nn.Module, Tensor] = {}
    arrange = channels_first(model)

    def keep_mean(_module: nn.Module, _inputs: tuple, output: Tensor) -> None:
        means.append(arrange(output).mean(dim=(2, 3)) if output.ndim in (3, 4) else output)

    def keep_vector(module: nn.Module, inputs: tuple) -> None:
        vectors[module] = inputs[0].flatten(1)

    hooks = [layer.register_forward_hook(keep_mean)]
    hooks += [module.register_forward_pre_hook(keep_vector) for module in candidates]
    training = model.training
    noise = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    try:
        model.eval()(noise)
    finally:
        model.train(training)
        for hook in hooks:
            hook.remove()
    found = [module for module, vector in vectors.items() if _same(vector, means[0])]
    return found[0] if found else None


def channel_scale(norm: nn.Module, pooled: Tensor) -> Tensor:
    """What a norm multiplies each channel of pooled vectors by, both (n, c).

    That is its weight, over the vector's standard deviation, or for an RMS norm over its root mean
    square.  norm: as `find_pooled_norm` returns it.
    """
    if isinstance(norm, _RMS_NORMS):
        variance = pooled.square().mean(dim=1, keepdim=True)
    else:
        variance = pooled.var(dim=1, correction=0, keepdim=True)
    eps = torch.finfo(pooled.dtype).eps if norm.eps is None else norm.eps
    scale = (variance + eps).rsqrt()
    return scale.expand_as(pooled) if norm.weight is None else scale * norm.weight


def _is_norm(module: nn.Module) -> bool:
    """Whether it normalises each vector by itself; a group norm of one group does so too."""
    one_group = isinstance(module, nn.GroupNorm) and module.num_groups == 1
    return one_group or isinstance(module, (nn.LayerNorm, *_RMS_NORMS))


def _same(one: Tensor, other: Tensor) -> bool:
    """Whether two vectors (1, c) agree up to rounding. Values that are not finite may agree."""
    if one.shape != other.shape:
        return False
    scale = other.abs().max().nan_to_num(0, 0, 0)
    return torch.allclose(one, other, rtol=1e-4, atol=1e-5 * float(scale), equal_nan=True)
