"""Closed forms: maps that can be worked out by hand."""

import torch
from human_alignment.explainers import explain, grad_cam, threshold_grad_cam

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
    together = explain(["grad_cam", "threshold_grad_cam"], a, g)
    for name, maps in together.items():
        alone = explain([name], a[1:2], g[1:2])[name]
        torch.testing.assert_close(maps[1:2], alone)
