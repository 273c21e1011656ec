"""Any timm classifier: feature map found, head differentiated, map finite and not constant."""

import runpy

import pytest
import timm
import torch
from human_alignment.common.cli import UserError
from human_alignment.heatmaps.explainers import explain
from human_alignment.heatmaps.features import differentiate_head
from human_alignment.networks import zoo
from human_alignment.networks.dcls import dcls_layers
from human_alignment.networks.generic import channels_first, find_feature_layer
from human_alignment.networks.records import TIMM_MODELS, Network

# One of each way to lay out and pool a last feature map: name, side of the input in pixels.
CLASSIFIERS = [
    ("efficientnet_b0", 64),
    ("mobilenetv3_small_050", 64),
    ("vit_tiny_patch16_224", 224),
    ("swin_tiny_patch4_window7_224", 224),
    ("resnet10t", 64),
    ("densenet121", 64),
    ("regnetx_002", 64),
    ("mixer_s32_224", 224),
    ("pit_ti_224", 224),
    ("poolformer_s12", 64),
    ("edgenext_xx_small", 64),
    ("convnextv2_atto", 64),
    ("ghostnet_050", 64),
    ("deit_tiny_patch16_224", 224),
]


@pytest.mark.parametrize("name, size", CLASSIFIERS, ids=[name for name, _ in CLASSIFIERS])
def test_map_is_found_finite_and_not_constant(name, size):
    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=10).eval().requires_grad_(False)
    for parameter in model.parameters():
        if not parameter.any():  # heads and last norms that start at zero hide everything
            parameter.normal_(0, 0.1)
    layer = model.get_submodule(find_feature_layer(model, size))
    inputs = torch.randn(2, 3, size, size)
    found = differentiate_head(model, layer, inputs, torch.tensor([1, 2]), channels_first(model))
    torch.testing.assert_close(found.logits, model(inputs))
    assert found.activation.ndim == 4 and found.activation.shape[2] == found.activation.shape[3]
    maps = explain(["threshold_grad_cam"], found.activation, found.gradient)["threshold_grad_cam"]
    assert maps.isfinite().all()
    assert (maps.flatten(1).std(dim=1) > 0).all()


def test_our_families_agree_with_what_is_found():
    for name in ("resnet50", "convnext_tiny", "caformer_s18", "fastvit_sa24"):
        spec = zoo.find(f"micro_{name}")
        model = zoo.build(spec).eval()
        found = model.get_submodule(find_feature_layer(model, 64))
        wanted = zoo.feature_layer(model, spec)
        kept = []
        for module in (found, wanted):
            module.register_forward_hook(lambda _m, _i, out, kept=kept: kept.append(out))
        model(torch.randn(1, 3, 64, 64))
        assert all(torch.equal(kept[0], out) for out in kept)


def test_dcls_enters_where_there_are_depthwise_convolutions():
    settings = {"kernel_size": 9, "kernel_count": 8}
    spec = zoo.find("timm:efficientnet_b0", settings)
    model = zoo.build(spec)
    assert len(dcls_layers(model)) == 16
    model.eval()
    inputs = torch.randn(1, 3, 64, 64)
    before = model(inputs)
    torch.testing.assert_close(zoo.prepare_for_inference(model)(inputs), before)
    assert Network.from_dict(spec.as_dict()) == spec


def test_no_depthwise_convolution_is_said():
    spec = zoo.find("timm:resnet10t", {"kernel_size": 9, "kernel_count": 8})
    with pytest.raises(UserError, match="DCLS has nothing to replace: ResNet"):
        zoo.build(spec)


def test_unknown_name_is_said_with_close_ones():
    with pytest.raises(UserError, match="no model called 'efficientnet_bo'; did you mean"):
        zoo.find("timm:efficientnet_bo")


def test_the_list_of_names_is_that_of_the_pinned_timm(root):
    script = root / "envs" / "list_timm_models.py"
    names = runpy.run_path(str(script))["names"]()
    message = f"timm has other models than {TIMM_MODELS.name}; run: python envs/{script.name}"
    assert TIMM_MODELS.read_text() == "\n".join(names) + "\n", message
    assert all(map(timm.is_model, names))


@pytest.mark.parametrize("name", ["convnext_tiny_in22ft1k", "resnet50.no_such_tag"])
def test_a_name_without_an_input_transform_is_said(name):
    with pytest.raises(UserError, match=f"timm has no input transform of '{name}' .* `transform`"):
        zoo.find(f"timm:{name}")


def test_a_layer_can_be_named_and_a_wrong_one_is_said():
    spec = zoo.find("timm:resnet10t@layer3")
    model = zoo.build(spec)
    assert zoo.feature_layer(model, spec) is model.layer3
    spec = zoo.find("timm:resnet10t@layer9")
    with pytest.raises(UserError, match="has no module called 'layer9'"):
        zoo.feature_layer(model, spec)


def test_a_network_without_a_map_says_how_to_name_one():
    class Strange(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.body = torch.nn.Conv2d(3, 4, 3)

        def forward_features(self, x):
            return self.body(x).relu() * 2

    with pytest.raises(UserError, match="name the module that gives it as `feature_layer`.* body"):
        find_feature_layer(Strange(), 16)
