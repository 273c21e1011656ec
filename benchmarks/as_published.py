"""DCLS layers as the dcls package builds their kernels: what ours is measured against."""

from DCLS.construct.modules import ConstructKernel2d
from human_alignment.networks.dcls import dcls_layers
from torch import nn


def with_package_kernels(model: nn.Module) -> nn.Module:
    """Give each DCLS layer back the package's kernel construction; in place, returns the model."""
    for layer in dcls_layers(model).values():
        layer.DCK = ConstructKernel2d(
            layer.out_channels,
            layer.in_channels,
            layer.groups,
            layer.kernel_count,
            layer.dilated_kernel_size,
            layer.version,
        )
    return model
