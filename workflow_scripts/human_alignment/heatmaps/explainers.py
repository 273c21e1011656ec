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


def hires_cam(activation: Tensor, gradient: Tensor) -> Tensor:
    """ReLU(sum_k G_k A_k), element by element. Draelos and Carin 2020."""
    return (gradient * activation).sum(dim=1).relu()


def grad_cam_plus_plus(activation: Tensor, gradient: Tensor) -> Tensor:
    """ReLU(sum_k w_k A_k), w_k = sum ReLU(G_k) G_k^2 / (2 G_k^2 + G_k^3 sum A_k).

    Chattopadhyay et al. 2018, eq. 19, with jacobgil/pytorch-grad-cam's 1e-6 in the denominator.
    """
    total = activation.sum(dim=(2, 3), keepdim=True)
    square = gradient.square()
    share = square / (2 * square + total * square * gradient + 1e-6)
    return _weighted_sum((gradient.relu() * share).sum(dim=(2, 3)), activation).relu()


def xgrad_cam(activation: Tensor, gradient: Tensor) -> Tensor:
    """ReLU(sum_k w_k A_k), w_k = sum(G_k A_k) / sum(A_k). Fu et al. 2020, eq. 8.

    The 1e-7 in the denominator is jacobgil/pytorch-grad-cam's.
    """
    total = activation.sum(dim=(2, 3))
    return _weighted_sum(
        (gradient * activation).sum(dim=(2, 3)) / (total + 1e-7), activation
    ).relu()


def layer_cam(activation: Tensor, gradient: Tensor) -> Tensor:
    """ReLU(sum_k ReLU(G_k) A_k), element by element. Jiang et al. 2021, eq. 6."""
    return (gradient.relu() * activation).sum(dim=1).relu()


def eigen_cam(activation: Tensor, gradient: Tensor) -> Tensor:
    """ReLU of `A` projected on its first principal component. Muhammad and Yeasin 2020.

    Centred over positions as in jacobgil/pytorch-grad-cam. A component has no sign: here the
    larger extreme is positive (Chung and Ying 2025, eq. 13), where that library by default keeps
    whichever sign its LAPACK happens to give.
    """
    return _first_component(activation).relu()


def eigen_grad_cam(activation: Tensor, gradient: Tensor) -> Tensor:
    """Eigen-CAM of `G A`: class-specific. From jacobgil/pytorch-grad-cam; sign as above."""
    return _first_component(gradient * activation).relu()


def _weighted_sum(weight: Tensor, activation: Tensor) -> Tensor:
    """Sum over channels of weight (n, c) times activation (n, c, h, w): (n, h, w)."""
    return torch.einsum("nc,nchw->nhw", weight, activation)


def _first_component(features: Tensor) -> Tensor:
    """Scores of the positions of (n, c, h, w) on their first principal component: (n, h, w).

    By the Gram matrix of the few positions (49 x 49) rather than of the many channels: the same
    scores at a tenth of the cost. What is not finite counts as 0, so that no image spoils a batch.
    """
    n, _, height, width = features.shape
    points = features.flatten(2).mT.nan_to_num(0, 0, 0)
    points = points - points.mean(dim=1, keepdim=True)
    values, vectors = torch.linalg.eigh(points @ points.mT)
    scores = vectors[..., -1] * values[:, -1:].clamp(min=0).sqrt()
    upside_down = -scores.amin(1, keepdim=True) > scores.amax(1, keepdim=True)
    return torch.where(upside_down, -scores, scores).reshape(n, height, width)


Explainer = Callable[[Tensor, Tensor], Tensor]

EXPLAINERS: dict[str, Explainer] = {
    explainer.__name__: explainer
    for explainer in (
        grad_cam,
        threshold_grad_cam,
        hires_cam,
        grad_cam_plus_plus,
        xgrad_cam,
        layer_cam,
        eigen_cam,
        eigen_grad_cam,
    )
}


def explain(names: list[str], activation: Tensor, gradient: Tensor) -> dict[str, Tensor]:
    """Raw maps of every named explainer from one feature map and gradient."""
    with torch.no_grad():
        return {name: EXPLAINERS[name](activation, gradient) for name in names}
