"""What the explainers are, algebraically, on the sixteen networks: several give the same map."""

import functools

import pytest
import torch
from human_alignment.heatmaps import explainers
from human_alignment.heatmaps.features import differentiate_head
from human_alignment.networks import zoo
from human_alignment.networks.records import load_networks

PLAIN = [name for name in load_networks() if name.startswith("micro_")]
NETWORKS = PLAIN + [f"{name}_dcls" for name in PLAIN]
NORM_BEHIND_THE_POOL = ("convnext", "convformer", "caformer")


@functools.cache
def features(name):
    """Feature map and gradient of two images by an untrained network."""
    torch.manual_seed(0)
    network = zoo.find(name)
    model = zoo.prepare_for_inference(zoo.build(network))
    side = network.transform.crop
    images = torch.randn(2, 3, side, side)
    found = differentiate_head(
        model, zoo.feature_layer(model, network), images, torch.tensor([1, 3])
    )
    return found.activation, found.gradient


def close(one, other, scale):
    torch.testing.assert_close(one, other, rtol=0, atol=1e-5 * float(scale.abs().max()))


@pytest.mark.parametrize("name", NETWORKS)
def test_the_gradient_is_the_same_everywhere_so_that_three_explainers_are_one(name):
    """All of them pool right behind the layer, over positions alike."""
    activation, gradient = features(name)
    assert activation.shape[2] > 1
    close(gradient, gradient.mean(dim=(2, 3), keepdim=True).expand_as(gradient), gradient)
    grad_cam = explainers.grad_cam(activation, gradient)
    close(explainers.hires_cam(activation, gradient), grad_cam, grad_cam)
    # XGrad-CAM divides by sum(A) + 1e-7, which costs a digit where a channel's sum is near zero.
    xgrad = explainers.xgrad_cam(activation.double(), gradient.double()).float()
    torch.testing.assert_close(xgrad, grad_cam, rtol=0, atol=2e-3 * float(grad_cam.max()))


@pytest.mark.parametrize("name", ["micro_resnet50", "micro_resnet50_dcls"])
def test_threshold_grad_cam_without_threshold_is_layer_cam_where_the_map_is_not_negative(name):
    activation, gradient = features(name)
    assert activation.min() >= 0
    layer_cam = explainers.layer_cam(activation, gradient)
    close(explainers.threshold_grad_cam(activation, gradient), layer_cam, layer_cam)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_norm_behind_the_pool_makes_grad_cams_sum_vanish_in_the_mean(name):
    """A LayerNorm ignores the scale of what it gets, so the gradient is normal to the pooled map.

    Before the ReLU, the mean of Grad-CAM's map over positions is that product.
    """
    activation, gradient = features(name)
    alpha = gradient.mean(dim=(2, 3))
    before_relu = torch.einsum("nc,nchw->nhw", alpha, activation)
    share = before_relu.mean(dim=(1, 2)).abs() / before_relu.abs().mean(dim=(1, 2))
    vanishes = name.removeprefix("micro_").startswith(NORM_BEHIND_THE_POOL)
    assert bool((share < 1e-3).all()) == vanishes, share
