"""Class activation maps as pure functions of the last feature map and its gradient.

Every explainer takes the feature map `A` and the gradient `G = dy_c / dA` of the target logit,
both (n, c, h, w), and returns one raw map per image, (n, h, w): before any normalisation,
threshold or resize, which are the scoring protocol's business. `alpha_k` is the spatial mean of
`G_k` (paper, appendix A). Knows no model and no file. A new explainer is one function here and
its name in EXPLAINERS.
"""

from collections.abc import Callable

import torch
from torch import Tensor


def _alpha(gradient: Tensor) -> Tensor:
    return gradient.mean(dim=(2, 3), keepdim=True)


def grad_cam(activation: Tensor, gradient: Tensor) -> Tensor:
    """ReLU(sum_k alpha_k A_k). Selvaraju et al. 2017; paper, appendix A."""
    return (_alpha(gradient) * activation).sum(dim=1).relu()


def threshold_grad_cam(activation: Tensor, gradient: Tensor) -> Tensor:
    """sum_k ReLU(alpha_k A_k), to be normalised and thresholded. Paper, appendix B, steps 1-2.

    ReLU before the sum: negative channels cannot cancel positive ones.
    """
    return (_alpha(gradient) * activation).relu().sum(dim=1)


Explainer = Callable[[Tensor, Tensor], Tensor]

EXPLAINERS: dict[str, Explainer] = {
    explainer.__name__: explainer for explainer in (grad_cam, threshold_grad_cam)
}


def explain(names: list[str], activation: Tensor, gradient: Tensor) -> dict[str, Tensor]:
    """Raw maps of every named explainer from one feature map and gradient."""
    with torch.no_grad():
        return {name: EXPLAINERS[name](activation, gradient) for name in names}
