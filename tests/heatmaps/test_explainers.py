"""Closed forms: maps that can be worked out by hand."""

import torch
from human_alignment.heatmaps.explainers import (
    EXPLAINERS,
    eigen_cam,
    explain,
    grad_cam,
    layer_cam,
    threshold_grad_cam,
    xgrad_cam,
)

# Two channels on 1 x 2 pixels; the gradient's spatial means are alpha = (2, -1).
A = torch.tensor([[[[1.0, 3.0]], [[4.0, 1.0]]]])
G = torch.tensor([[[[1.0, 3.0]], [[-1.0, -1.0]]]])


def test_grad_cam_is_relu_of_the_weighted_sum():
    # sum: 2*1 - 4 = -2 -> 0;  2*3 - 1 = 5
    torch.testing.assert_close(grad_cam(A, G), torch.tensor([[[0.0, 5.0]]]))


def test_threshold_grad_cam_is_the_sum_of_relus():
    # relu(2), relu(-4) -> 2;  relu(6), relu(-1) -> 6
    torch.testing.assert_close(threshold_grad_cam(A, G), torch.tensor([[[2.0, 6.0]]]))


def test_negative_activations_contribute_where_alpha_is_negative():
    maps = threshold_grad_cam(-A, G)
    torch.testing.assert_close(maps, torch.tensor([[[4.0, 1.0]]]))


def test_images_of_a_batch_do_not_mix():
    torch.manual_seed(0)
    a, g = torch.randn(3, 5, 4, 4), torch.randn(3, 5, 4, 4)
    together = explain(list(EXPLAINERS), a, g)
    for name, maps in together.items():
        alone = explain([name], a[1:2], g[1:2])[name]
        torch.testing.assert_close(maps[1:2], alone)


def test_xgrad_cam_weighs_by_the_share_of_the_activation():
    # weights: (1*1 + 3*3) / 4 = 2.5 and (-4 - 1) / 5 = -1
    torch.testing.assert_close(xgrad_cam(A, G), torch.tensor([[[0.0, 6.5]]]))


def test_layer_cam_drops_negative_gradients_one_by_one():
    torch.testing.assert_close(layer_cam(A, G), torch.tensor([[[1.0, 9.0]]]))


def test_eigen_cam_puts_the_larger_extreme_on_the_positive_side():
    one_hot = torch.zeros(1, 1, 1, 4)
    one_hot[..., 2] = -8.0  # centred: 2, 2, -6, 2
    torch.testing.assert_close(eigen_cam(one_hot, one_hot), torch.tensor([[[0.0, 0, 6, 0]]]))


def test_an_image_that_is_not_finite_spoils_no_other():
    torch.manual_seed(0)
    a, g = torch.randn(3, 5, 4, 4), torch.randn(3, 5, 4, 4)
    broken = a.clone()
    broken[1, 2, 0, 0] = float("nan")
    broken[1, 3, 0, 0] = float("inf")
    for name, maps in explain(list(EXPLAINERS), broken, g).items():
        torch.testing.assert_close(maps[[0, 2]], explain([name], a, g)[name][[0, 2]])


def test_a_flat_feature_map_has_no_component():
    assert eigen_cam(torch.ones(2, 3, 4, 4), torch.ones(2, 3, 4, 4)).eq(0).all()
