"""Explainers that look past the last feature map: at the input, by gradient or as a black box.

Each takes the network, images (n, 3, h, w) as the network takes them, the logits (n, classes) that
it gives for them, and the class to explain of each, (n,); it returns maps of the input's size,
(n, h, w). The network is frozen, in evaluation mode; logits can be differentiated by the images.
Saliency costs a full backward pass per image and RISE thousands of forward passes, so they run on a
sample. A new one is one function here and its name in ATTRIBUTIONS.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ..common.cli import UserError


@dataclass(frozen=True)
class Masking:
    """RISE's random masks. Petsiuk et al. 2018 use 4,000 to 8,000 masks of 7 x 7 cells.

    masks: how many.  cells: along a side.  keep: probability that a cell stays visible.
    batch: masked copies of the image that a forward pass takes.
    """

    masks: int = 4000
    cells: int = 7
    keep: float = 0.5
    batch: int = 32
    seed: int = 0

    def __post_init__(self):
        """Raise UserError when no mask can be drawn."""
        if min(self.masks, self.cells, self.batch) < 1 or not 0 < self.keep < 1:
            raise UserError(f"masks, cells and batch at least 1, keep between 0 and 1: {self}")

    def draw(self, size: int) -> Iterator[Tensor]:
        """Batches of masks, float32 (n, 1, size, size) from 0 to 1; the same at every call."""
        random = torch.Generator().manual_seed(self.seed)
        cell = -(-size // self.cells)
        for start in range(0, self.masks, self.batch):
            count = min(self.batch, self.masks - start)
            grid = torch.rand(count, 1, self.cells, self.cells, generator=random) < self.keep
            large = interpolate(grid.float(), size=(self.cells + 1) * cell, mode="bilinear")
            shift = torch.randint(cell, (count, 2), generator=random).tolist()
            yield torch.stack(
                [m[:, y : y + size, x : x + size] for m, (y, x) in zip(large, shift, strict=True)]
            )


def saliency(
    _model: nn.Module, images: Tensor, logits: Tensor, targets: Tensor, _masking: Masking
) -> Tensor:
    """max over colours of |d logit_target / d input|: (n, h, w).

    The image-feature saliency of Fel et al. 2022; serre-lab/Harmonization scores it by default.
    """
    # No logit depends on another image: the gradient of their sum holds that of each.
    total = logits.gather(1, targets[:, None]).sum()
    (gradient,) = torch.autograd.grad(total, images, retain_graph=True)  # others may need it too
    return gradient.abs().amax(dim=1)


@torch.no_grad()
def rise(
    model: nn.Module, images: Tensor, _logits: Tensor, targets: Tensor, masking: Masking
) -> Tensor:
    """Mean of random masks weighted by the target's probability behind them, by `keep`: (n, h, w).

    Petsiuk et al. 2018, eq. 6; eclique/RISE. Hidden pixels have the value 0 of the normalised
    input, the mean colour. All images have the same masks.
    """
    total = torch.zeros_like(images[:, 0])
    for masks in masking.draw(images.shape[-1]):
        masks = masks.to(images.device)
        for image, target, own in zip(images, targets, total, strict=True):
            masked = (image * masks).contiguous(memory_format=torch.channels_last)
            probability = model(masked).softmax(dim=1)[:, target]
            own += torch.einsum("n,nhw->hw", probability, masks[:, 0])
    return total / (masking.masks * masking.keep)


Attribution = Callable[[nn.Module, Tensor, Tensor, Tensor, Masking], Tensor]

ATTRIBUTIONS: dict[str, Attribution] = {method.__name__: method for method in (saliency, rise)}
