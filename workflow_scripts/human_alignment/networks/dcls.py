"""Dilated convolution with learnable spacings (DCLS): layers, their positions, baking.

The layer itself is `Dcls2d` of the `dcls` package (Khalfaoui-Hassani et al., ICLR 2023). A DCLS
kernel has `kernel_count` weights per channel pair, each at a learnt real-valued position `P`
inside a `kernel_size` x `kernel_size` window; interpolation spreads each weight over the grid.

The code is the same for every family of networks. The order of the axes of `P` depends on the
version: P[0] is the row in `v0` and the column in the others, as in dcls >= 0.0.6 and in the
published weights.
"""

import contextlib
import logging
from collections.abc import Iterator

import torch
from DCLS.construct.modules import Dcls2d
from torch import nn

from ..common.cli import UserError
from .large_kernels import convolution
from .records import Dcls

# Which convolutions DCLS replaces: the rules found in the authors' code (paper, section 4.2).
RULES = {
    "depthwise": lambda c: c.groups == c.in_channels == c.out_channels and c.kernel_size[0] > 1,
    "depthwise_7x7": lambda c: (
        c.groups == c.in_channels == c.out_channels and c.kernel_size == (7, 7)
    ),
    "3x3": lambda c: c.kernel_size == (3, 3),
}


@contextlib.contextmanager
def _without_kernel_notices() -> Iterator[None]:
    """Silence the package's warning that its CUDA kernel is absent; it is not used here."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def dcls_layers(model: nn.Module) -> dict[str, Dcls2d]:
    """The DCLS layers of a model by module name, in the order of `named_modules`."""
    return {name: m for name, m in model.named_modules() if isinstance(m, Dcls2d)}


def replace_module(model: nn.Module, name: str, new: nn.Module) -> None:
    """Put `new` in the place of the submodule called `name` (dotted)."""
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, new)


def replace_convolutions(model: nn.Module, settings: Dcls) -> None:
    """Replace, in place, the convolutions that `settings.replaces` names by DCLS layers.

    Stride, groups and bias are kept; padding becomes half the dilated kernel, so that output
    sizes stay the same. Positions are then shared per stage (`share_positions`).

    Raises UserError when the model has no such convolution.
    """
    rule = RULES[settings.replaces]
    found = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d)
        and rule(module)
        and module.dilation == (1, 1)
        and module.padding == tuple(k // 2 for k in module.kernel_size)
    }
    if not found:
        raise UserError(
            f"DCLS has nothing to replace: {type(model).__name__} has no {settings.replaces} "
            "convolution (undilated, with padding of half the kernel)"
        )
    for name, conv in found.items():
        layer = DclsConvolution(
            conv.in_channels,
            conv.out_channels,
            settings.kernel_count,
            stride=conv.stride,
            padding=settings.kernel_size // 2,
            dilated_kernel_size=settings.kernel_size,
            groups=conv.groups,
            bias=conv.bias is not None,
            version=settings.version,
        )
        replace_module(model, name, layer)
    share_positions(model)


def stage_of(name: str) -> str:
    """The stage of a module, by the module's name.

    It is the first part of the name if that ends in a number (`layer3`), else the first two parts
    (`stages.2`).
    """
    first, *rest = name.split(".")
    return first if first[-1].isdigit() else ".".join([first, *rest[:1]])


def position_groups(model: nn.Module) -> list[list[str]]:
    """Names of the DCLS layers that share positions: same stage, same shape of `P`.

    On the eight networks of the paper this gives the groups of the published checkpoints.
    """
    groups: dict[tuple, list[str]] = {}
    for name, layer in dcls_layers(model).items():
        groups.setdefault((stage_of(name), *layer.P.shape), []).append(name)
    return list(groups.values())


def share_positions(model: nn.Module) -> None:
    """Make the layers of each position group use one `P` (and `SIG`) tensor, the first's."""
    layers = dcls_layers(model)
    for first, *others in position_groups(model):
        for name in others:
            layers[name].P = layers[first].P
            if layers[first].SIG is not None:
                layers[name].SIG = layers[first].SIG


def position_parameters(model: nn.Module) -> list[nn.Parameter]:
    """The `P` and `SIG` parameters of a model; those that layers share are listed once."""
    layers = dcls_layers(model).values()
    found = [p for layer in layers for p in (layer.P, layer.SIG) if p is not None]
    return list({id(p): p for p in found}.values())


def clamp_positions(model: nn.Module) -> None:
    """Move every position outside its window to the window's edge; after each optimiser step."""
    for layer in dcls_layers(model).values():
        layer.clamp_parameters()


def repulsion(model: nn.Module) -> torch.Tensor:
    """A loss for kernel elements that are close: the mean of max(0, 1 - distance in pixels).

    The mean is over the pairs of elements of each kernel, over kernels, and over the distinct `P`
    of a model; it is zero without DCLS. The training loss adds its square. From
    K-H-Ismail/ConvNeXt-dcls (utils.get_dcls_loss_rep), where it begins after epoch 20.
    """
    losses = []
    for positions in {id(layer.P): layer.P for layer in dcls_layers(model).values()}.values():
        points = positions.flatten(1, 2).permute(1, 2, 0)  # (kernels, count, 2)
        count = points.shape[1]
        if count > 1:
            crowding = (1 - torch.cdist(points, points)).relu().triu(diagonal=1)
            losses.append(2 * crowding.sum() / (count * (count - 1) * len(points)))
    return torch.stack(losses).mean() if losses else torch.zeros(())


@torch.no_grad()
def initialise(model: nn.Module) -> None:
    """Weights of DCLS layers normal with standard deviation 0.02, biases zero.

    The authors' start for every family (rabihchamas/DCLS-GradCAM-Eval, models/*/*_utils.py).
    """
    for layer in dcls_layers(model).values():
        layer.weight.normal_(0.0, 0.02)
        if layer.bias is not None:
            layer.bias.zero_()


class DclsConvolution(Dcls2d):
    """The package's layer, with our kernel construction and our convolution.

    Names of its parameters, values and gradients equal the package's.
    """

    def __init__(self, *arguments, **settings):
        with _without_kernel_notices():
            super().__init__(*arguments, use_implicit_gemm=False, **settings)
        self.DCK = KernelConstruction(self.version, self.dilated_kernel_size[0])

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """The convolution of maps (batch, channels, height, width) with the kernel."""
        dense = self.DCK(self.weight, self.P, self.SIG)
        return convolution(maps, dense, self.bias, self.stride, self.padding, self.groups)


class KernelConstruction(nn.Module):
    """Builds dense kernels in a layer's forward pass; it replaces the package's `DCK`.

    Values and gradients equal the package's. Every version's interpolation is a product of one
    function per axis: a hat |d| < 1, a wider hat, or a Gaussian, normalised over the window except
    in `v0`. It is therefore computed on each axis alone. The package computes each element on the
    whole window: size / 2 times the work, and several GiB for a dense layer.
    """

    def __init__(self, version: str, size: int):
        super().__init__()
        self.version, self.size = version, size

    def forward(
        self, weight: torch.Tensor, positions: torch.Tensor, sigmas: torch.Tensor | None
    ) -> torch.Tensor:
        """The kernel (out, in / groups, size, size) of weights (out, in / groups, count)."""
        with torch.autocast(weight.device.type, enabled=False):  # positions need the precision
            axes = self._axes(positions + self.size // 2, sigmas)
            if self.version != "v0":
                weight = weight / (axes.sum(-1).prod(0) + 1e-7)
            first, second = axes if self.version == "v0" else axes.flip(0)  # rows, columns
            return (weight.unsqueeze(-1) * first).mT @ second

    def _axes(self, places: torch.Tensor, sigmas: torch.Tensor | None) -> torch.Tensor:
        """Each element along each axis of the window: (2, out, in / groups, count, size)."""
        grid = torch.arange(self.size, device=places.device, dtype=places.dtype)
        places = places.unsqueeze(-1)
        if self.version == "v0":  # as the package has it: the slope on a grid point is to the right
            left = places.detach().floor()
            share = places - left
            zero = torch.zeros((), device=places.device)
            return (1 - share).where(grid == left, share.where(grid == left + 1, zero))
        if self.version == "gauss":
            return (-0.5 * ((grid - places) / (sigmas.abs() + 0.27).unsqueeze(-1)) ** 2).exp()
        reach = 1.0 if sigmas is None else (sigmas.abs() + 1.0).unsqueeze(-1)
        return (reach - (grid - places).abs()).relu()


def kernel(layer: Dcls2d) -> torch.Tensor:
    """The dense kernel a DCLS layer convolves with: (out, in / groups, size, size)."""
    construct = KernelConstruction(layer.version, layer.dilated_kernel_size[0])
    return construct(layer.weight, layer.P, layer.SIG)


@torch.no_grad()
def bake(model: nn.Module) -> nn.Module:
    """Replace, in place, each DCLS layer by the ordinary convolution it is equal to.

    The kernel is built once instead of at each forward pass. The model can then no longer learn
    positions: for inference only. Returns the model.
    """
    for name, layer in dcls_layers(model).items():
        conv = nn.Conv2d(
            layer.in_channels,
            layer.out_channels,
            layer.dilated_kernel_size,
            stride=layer.stride,
            padding=layer.padding,
            groups=layer.groups,
            bias=layer.bias is not None,
            device=layer.weight.device,
            dtype=layer.weight.dtype,
        )
        conv.weight.copy_(kernel(layer))
        if layer.bias is not None:
            conv.bias.copy_(layer.bias)
        conv.requires_grad_(layer.weight.requires_grad)
        replace_module(model, name, conv)
    return model
