"""Shrink a family's network for the embedded study: 64x64 images, trained in half a minute.

The blocks stay the family's own. Two things change: the last two stages keep the resolution of
the second (a 64x64 image ends in an 8x8 map), and weights start at a scale that suits narrow
layers.
"""

import math

import torch
from DCLS.construct.modules import Dcls2d
from torch import nn


def make_micro(model: nn.Module, late_stages: tuple[str, str]) -> nn.Module:
    """Set the strides of the late stages to 1 and initialise the weights anew.

    Changes the model in place, and returns it.  late_stages: names of the last two stages.
    """
    for stage in late_stages:
        _remove_strides(model.get_submodule(stage))
    initialise(model)
    return model


def _remove_strides(stage: nn.Module) -> None:
    """Give every strided module of a stage stride 1.

    An even kernel (ConvNeXt's 2x2) cannot keep the size at stride 1 and becomes 1x1. timm's
    re-parameterisable blocks keep a second copy of the stride of their convolution.
    """
    for module in stage.modules():
        if getattr(module, "stride", None) == 2:
            module.stride = 1
        if not isinstance(module, nn.Conv2d) or module.stride == (1, 1):
            continue
        module.stride = (1, 1)
        if module.kernel_size[0] % 2 == 0:
            module.kernel_size = (1, 1)
            module.weight = nn.Parameter(module.weight[:, :, :1, :1].detach().clone())


@torch.no_grad()
def initialise(model: nn.Module) -> None:
    """Weights normal with standard deviation 1/sqrt(fan-in), biases zero.

    timm's fixed deviation of 0.02 is meant for wide layers; it makes narrow ones' outputs vanish.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear | Dcls2d):
            fan_in = module.weight[0].numel()
            module.weight.normal_(0.0, 1.0 / math.sqrt(fan_in))
            if module.bias is not None:
                module.bias.zero_()
