"""Depthwise convolutions: torch's own, but for the gradient of the kernel.

On a CPU torch convolves a map with a depthwise 17x17 kernel in milliseconds, and finds the gradient
of the map as fast. For the gradient of the kernel it takes 20 to 50 times as long, with a 7x7
kernel several times as long. The cross-correlation theorem gives the same gradient, to rounding,
from fast Fourier transforms; on small maps one product of matrices a channel is faster still.
"""

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional, grad

PIECE = 2**18  # values of a map transformed at once: a megabyte, which stays in a core's cache
SMALL = 144  # pixels of a map up to which products of pixels cost less than transforms


class DepthwiseConvolution(nn.Conv2d):
    """torch's layer with `convolution` in place of its own; the same parameters and values."""

    def forward(self, maps: Tensor) -> Tensor:
        """The convolution of maps (batch, channels, height, width)."""
        settings = self.stride, self.padding, self.groups
        return convolution(maps, self.weight, self.bias, *settings)


def speed_up_training(model: nn.Module) -> None:
    """Make the depthwise convolutions of a network `DepthwiseConvolution`, in place.

    Not those that are dilated, or whose padding is not of zeros.
    """
    for module in model.modules():
        if (
            type(module) is nn.Conv2d
            and module.groups == module.in_channels == module.out_channels
            and module.kernel_size != (1, 1)
            and module.dilation == (1, 1)
            and module.padding_mode == "zeros"
            and isinstance(module.padding, tuple)
        ):
            module.__class__ = DepthwiseConvolution


def convolution(
    maps: Tensor,
    kernel: Tensor,
    bias: Tensor | None,
    stride: tuple[int, int],
    padding: tuple[int, int],
    groups: int,
) -> Tensor:
    """`torch.nn.functional.conv2d` of the same arguments, with a faster gradient of the kernel.

    That gradient is `kernel_gradient` on a CPU, where the convolution is depthwise, its stride is 1
    and its padding is half the odd kernel. It can be differentiated once. All else is torch's.
    """
    same = all(k % 2 and p == k // 2 for k, p in zip(kernel.shape[2:], padding, strict=True))
    depthwise = maps.ndim == 4 and maps.shape[1] == len(kernel) == groups
    on_cpu = maps.device.type == kernel.device.type == "cpu"
    if not (kernel.requires_grad and on_cpu and depthwise and same and stride == (1, 1)):
        return functional.conv2d(maps, kernel, bias, stride, padding, groups=groups)
    if torch.is_autocast_enabled("cpu"):
        low = torch.get_autocast_dtype("cpu")
        maps, kernel, bias = maps.to(low), kernel.to(low), None if bias is None else bias.to(low)
    return _Convolution.apply(maps, kernel, bias, padding)


class _Convolution(torch.autograd.Function):
    """The depthwise convolution that `convolution` describes."""

    @staticmethod
    def forward(ctx, maps, kernel, bias, padding):  # noqa: ANN001, ANN205
        ctx.save_for_backward(maps, kernel)
        ctx.padding = padding
        return functional.conv2d(maps, kernel, bias, padding=padding, groups=len(kernel))

    @staticmethod
    @once_differentiable
    def backward(ctx, slopes):  # noqa: ANN001, ANN205
        maps, kernel = ctx.saved_tensors
        of_maps = of_bias = None
        if ctx.needs_input_grad[0]:
            of_maps = grad.conv2d_input(
                maps.shape, kernel, slopes, padding=ctx.padding, groups=len(kernel)
            )
        of_kernel = kernel_gradient(maps, slopes, kernel.shape[2:])
        if ctx.needs_input_grad[2]:
            of_bias = slopes.sum((0, 2, 3))
        return of_maps, of_kernel, of_bias, None


def kernel_gradient(maps: Tensor, slopes: Tensor, size: tuple[int, int]) -> Tensor:
    """The gradient of a depthwise kernel, of stride 1 and padding of half the kernel.

    maps: what was convolved, (batch, channels, height, width).  slopes: the gradient of the loss
    with respect to the result, of the same shape and type.  size: of the kernel, odd.
    Returns (channels, 1, *size) in the type of the maps; half precision is computed in float32.

    The gradient at an offset from the kernel's centre is a sum over images and pixels: the slope at
    a pixel times the value of the map at that offset from it. Where the offset is a side of the map
    or more, there is no such value, and the gradient is exactly zero.
    """
    if not len(maps):  # torch 2.11 cannot transform an empty batch
        return maps.new_zeros(maps.shape[1], 1, *size)
    precise = torch.promote_types(maps.dtype, torch.float32)
    sides = maps.shape[2:]
    reach = [min(k // 2, n - 1) for k, n in zip(size, sides, strict=True)]
    sizes = [2 * r + 1 for r in reach]
    if sides.numel() <= SMALL and sizes[0] * sizes[1] <= 4 * len(maps):
        sums = _by_pixels(maps.to(precise), slopes.to(precise), reach)
    else:
        sums = _by_spectrum(maps, slopes, reach, precise)
    down, across = (k // 2 - r for k, r in zip(size, reach, strict=True))
    return functional.pad(sums[:, None], (across, across, down, down)).to(maps.dtype)


def _by_pixels(maps: Tensor, slopes: Tensor, reach: list[int]) -> Tensor:
    """Sums over images and pixels by offset, (channels, 2 reach + 1, 2 reach + 1).

    One product of matrices sums over images for each pair of pixels; then each offset has a sum
    over its pairs.
    """
    channels, (height, width) = maps.shape[1], maps.shape[2:]
    pairs = torch.bmm(slopes.flatten(2).permute(1, 2, 0), maps.flatten(2).permute(1, 0, 2))
    pairs = pairs.view(channels, height, width, height, width)
    down, across = reach
    padded = functional.pad(pairs, (across, across, down, down))  # offsets that leave the map
    channel, y, x, row, column = padded.stride()
    by_offset = padded.as_strided(
        (channels, 2 * down + 1, 2 * across + 1, height, width),
        (channel, row, column, y + row, x + column),
    )
    return by_offset.sum((3, 4))


def _by_spectrum(maps: Tensor, slopes: Tensor, reach: list[int], precise: torch.dtype) -> Tensor:
    """The same sums by fast Fourier transforms, in the type `precise`."""
    # Offsets are found modulo the length: with `reach` more than a side, none within reach meets
    # another. An even length is the fastest.
    lengths = [n + r + (n + r) % 2 for n, r in zip(maps.shape[2:], reach, strict=True)]
    images = max(1, PIECE // maps.shape[1:].numel())
    spectrum = 0
    for pair in zip(maps.split(images), slopes.split(images), strict=True):
        of_maps, of_slopes = (
            torch.fft.rfft2(piece.to(precise).contiguous(), s=lengths) for piece in pair
        )
        spectrum = spectrum + (of_maps * of_slopes.conj()).sum(0)
    sums = torch.fft.irfft2(spectrum, s=lengths).roll(reach, (1, 2))
    return sums[:, : 2 * reach[0] + 1, : 2 * reach[1] + 1]
