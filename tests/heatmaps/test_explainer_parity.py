"""Every explainer against other people's code, on full-size networks.

In float64: with random weights the channels cancel, and in float32 either side's rounding shows.
"""

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam
from human_alignment.heatmaps.explainers import EXPLAINERS, explain
from human_alignment.heatmaps.features import differentiate_head
from human_alignment.networks import zoo
from human_alignment.networks.generic import channels_first
from pytorch_grad_cam import (
    EigenCAM,
    EigenGradCAM,
    GradCAM,
    GradCAMPlusPlus,
    HiResCAM,
    LayerCAM,
    XGradCAM,
)
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from pytorch_grad_cam.utils.svd_on_activations import get_2d_projection_with_sign_correction

THEIRS = {
    "grad_cam": GradCAM,
    "hires_cam": HiResCAM,
    "grad_cam_plus_plus": GradCAMPlusPlus,
    "xgrad_cam": XGradCAM,
    "layer_cam": LayerCAM,
    "eigen_cam": EigenCAM,
    "eigen_grad_cam": EigenGradCAM,
}
CLASSES = [3, 401, 998]


@pytest.fixture(scope="module", params=["resnet50", "convnext_tiny"])
def network(request):
    """Model, feature layer, inputs, and what one pass of ours gives."""
    spec = zoo.find(request.param)
    torch.manual_seed(0)
    model = zoo.prepare_for_inference(zoo.build(spec)).double()
    inputs = torch.randn(3, 3, 96, 160, dtype=torch.float64)  # maps of 3 by 5
    layer = zoo.feature_layer(model, spec)
    # Gradients end at the feature map: those of the layers before it take seconds, for nothing.
    layer.register_forward_hook(lambda _, __, maps: maps.detach().requires_grad_())
    found = differentiate_head(model, layer, inputs, torch.tensor(CLASSES), channels_first(model))
    return model, layer, inputs, found


def raw_map(method, network):
    """What the library has before it scales and resizes: (n, h, w), not negative."""
    model, layer, inputs, _ = network
    targets = [ClassifierOutputTarget(c) for c in CLASSES]
    with method(model=model, target_layers=[layer]) as cam:
        cam(input_tensor=inputs.clone().requires_grad_(), targets=targets)
        seen = cam.activations_and_grads
        activation = seen.activations[0].numpy()
        gradient = seen.gradients[0].numpy() if cam.uses_gradients else None
        return np.maximum(cam.get_cam_image(inputs, layer, targets, activation, gradient, False), 0)


def assert_same(ours, theirs):
    """Within 1e-5 of the largest value of each map."""
    scale = np.abs(theirs).max(axis=(1, 2), keepdims=True)
    assert (scale > 0).any()
    scale[scale == 0] = 1  # a map that ReLU cut off altogether
    np.testing.assert_allclose(ours / scale, theirs / scale, rtol=0, atol=1e-5)


def test_every_explainer_but_the_paper_s_own_has_a_reference():
    assert set(THEIRS) == set(EXPLAINERS) - {"threshold_grad_cam"}


@pytest.mark.parametrize("name", [n for n in THEIRS if not n.startswith("eigen")])
def test_pytorch_grad_cam_gives_the_same(network, name):
    found = network[-1]
    ours = explain([name], found.activation, found.gradient)[name].numpy()
    assert_same(ours, raw_map(THEIRS[name], network))


@pytest.mark.parametrize("name", ["eigen_cam", "eigen_grad_cam"])
def test_pytorch_grad_cam_with_its_sign_rule_gives_the_same(network, name):
    found = network[-1]
    features = found.activation if name == "eigen_cam" else found.activation * found.gradient
    theirs = get_2d_projection_with_sign_correction(features.numpy())
    ours = explain([name], found.activation, found.gradient)[name].numpy()
    assert_same(ours, np.maximum(theirs, 0))


@pytest.mark.parametrize("name", ["eigen_cam", "eigen_grad_cam"])
def test_its_default_is_the_same_component_with_some_sign(network, name):
    activation, gradient = network[-1].activation, network[-1].gradient
    features = activation * gradient if name == "eigen_grad_cam" else activation
    whole = get_2d_projection_with_sign_correction(features.numpy())
    ours = explain([name], activation, gradient)[name].numpy()
    for theirs, one, component in zip(raw_map(THEIRS[name], network), ours, whole, strict=True):
        upright = np.abs(theirs - one).max()
        upside_down = np.abs(theirs - np.maximum(-component, 0)).max()
        assert min(upright, upside_down) < 1e-5 * one.max()


def test_captum_gives_the_same_grad_cam(network):
    model, layer, inputs, found = network
    theirs = LayerGradCam(model, layer).attribute(
        inputs.clone().requires_grad_(), target=torch.tensor(CLASSES), relu_attributions=True
    )
    ours = explain(["grad_cam"], found.activation, found.gradient)["grad_cam"]
    assert_same(ours.numpy(), theirs[:, 0].detach().numpy())
