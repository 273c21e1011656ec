"""The norm between pooling and classifier: which networks have one, and what it multiplies by."""

import pytest
import timm
import torch
from human_alignment.networks import zoo
from human_alignment.networks.generic import find_feature_layer
from human_alignment.networks.pooled_norm import channel_scale, find_pooled_norm
from human_alignment.networks.records import load_networks
from torch import nn

PLAIN = [name for name in load_networks() if name.startswith("micro_")]
HAVE_ONE = ("convnext", "convformer", "caformer")
# A classifier of timm, the side of its input, and the name of its norm behind the pooling.
TIMM = [
    ("convnextv2_atto", 64, "head.norm"),
    ("convnext_atto_rms", 64, "head.norm"),
    ("poolformer_s12", 64, "head.norm"),
    ("edgenext_xx_small", 64, "head.norm"),
    ("vit_small_patch16_36x1_224", 224, None),  # from the class token
    ("swin_tiny_patch4_window7_224", 224, None),  # norms before it pools
    ("mixer_s32_224", 224, None),  # the same
    ("resnet10t", 64, None),
    ("efficientnet_b0", 64, None),
]


@pytest.mark.parametrize("name", PLAIN + [f"{name}_dcls" for name in PLAIN])
def test_of_the_sixteen_networks_those_with_a_head_norm_have_it(name):
    network = zoo.find(name)
    torch.manual_seed(0)
    model = zoo.build(network).eval()
    found = zoo.pooled_norm(model, network)
    if name.removeprefix("micro_").startswith(HAVE_ONE):
        assert found is model.head.norm
        assert zoo.pooled_norm(zoo.prepare_for_inference(model), network) is found
    else:
        assert found is None


@pytest.mark.parametrize("name, size, expected", TIMM, ids=[name for name, *_ in TIMM])
def test_of_timms_networks(name, size, expected):
    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=10)
    layer = model.get_submodule(find_feature_layer(model, size))
    found = find_pooled_norm(model, layer, size)
    assert found is (None if expected is None else model.get_submodule(expected))
    assert model.training and not any(module._forward_pre_hooks for module in model.modules())


def test_a_vision_transformer_that_pools_its_patches_has_one():
    torch.manual_seed(0)
    model = timm.create_model(
        "vit_tiny_patch16_224", num_classes=10, img_size=64, global_pool="avg", fc_norm=True
    )
    layer = model.get_submodule(find_feature_layer(model, 64))
    assert find_pooled_norm(model, layer, 64) is model.fc_norm


def test_an_earlier_layer_is_not_what_the_norm_gets():
    network = zoo.find("micro_convnext_tiny")
    torch.manual_seed(0)
    model = zoo.build(network).eval()
    assert find_pooled_norm(model, model.stages[2], 64) is None


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize(
    "make",
    [
        lambda weighted: nn.LayerNorm(6, elementwise_affine=weighted),
        lambda weighted: nn.RMSNorm(6, elementwise_affine=weighted),
        lambda weighted: nn.GroupNorm(1, 6, affine=weighted),
    ],
    ids=["layer", "rms", "group"],
)
def test_the_scale_is_what_the_norm_multiplies_by(make, weighted):
    torch.manual_seed(0)
    norm, vectors = make(weighted).double(), torch.randn(3, 6).double()
    for parameter in norm.parameters():
        nn.init.normal_(parameter)
    centre = 0 if isinstance(norm, nn.RMSNorm) else vectors.mean(dim=1, keepdim=True)
    offset = norm.bias if getattr(norm, "bias", None) is not None else 0
    expected = channel_scale(norm, vectors) * (vectors - centre) + offset
    torch.testing.assert_close(norm(vectors), expected)
