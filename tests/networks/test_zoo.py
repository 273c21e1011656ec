"""The networks: the public code's numbers from our build of them, and the sixteen records."""

import json

import pytest
import torch
from human_alignment.common.cli import UserError
from human_alignment.common.paths import SUFFIX
from human_alignment.heatmaps.explainers import explain
from human_alignment.heatmaps.features import differentiate_head
from human_alignment.networks import zoo
from human_alignment.networks.dcls import dcls_layers, position_groups
from human_alignment.networks.records import Network
from human_alignment.scores.postprocess import postprocess
from human_alignment.scores.protocol import RELEASED
from reference_models import REFERENCE, TINY, read_layouts, read_tiny

NAMES = [name + suffix for name in REFERENCE for suffix in ("", SUFFIX)]
TOLERANCE = 1e-4


def difference(found, expected):
    """Largest absolute difference, relative to the largest value."""
    return float((found - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize("prepared", [False, True], ids=["as loaded", "prepared"])
@pytest.mark.parametrize("name", TINY)
def test_everything_equals_the_public_code(data_dir, name, prepared):
    tiny = read_tiny(data_dir, name)
    model, expected = tiny.load(), tiny.arrays
    if prepared:
        model = zoo.prepare_for_inference(model)
    layer = zoo.feature_layer(model, tiny.spec)
    found = differentiate_head(model, layer, expected["x"], expected["y"])
    assert difference(found.logits, expected["logits"]) < TOLERANCE
    assert difference(found.activation, expected["A"]) < TOLERANCE
    assert difference(found.gradient, expected["dA"]) < TOLERANCE

    maps = explain(["grad_cam", "threshold_grad_cam"], found.activation, found.gradient)
    channels = found.activation.shape[1]  # the public code takes the mean over them
    assert difference(maps["grad_cam"] / channels, expected["gradcam_low"]) < TOLERANCE
    for threshold, array in ((0.0, "thr_low_before_floor"), (0.3, "thr_low")):
        protocol = RELEASED.changed(threshold=threshold)
        raw = maps["threshold_grad_cam"].numpy()
        scored = torch.from_numpy(postprocess(protocol, "threshold_grad_cam", raw, raw.shape[-1]))
        assert difference(scored, expected[array]) < TOLERANCE


@pytest.mark.parametrize("name", [name for name in TINY if name.endswith("_dcls")])
def test_the_comparison_notices_exchanged_axes(data_dir, name):
    """`v0` weights read as `v1` (or the other way round) transpose every kernel."""
    tiny = read_tiny(data_dir, name)
    other = {"v0": "v1", "v1": "v0"}[tiny.spec.dcls.version]
    tiny.spec = tiny.spec.changed(dcls=tiny.spec.dcls.model_copy(update={"version": other}))
    model = zoo.prepare_for_inference(tiny.load())
    assert difference(model(tiny.arrays["x"]), tiny.arrays["logits"]) > 100 * TOLERANCE


@pytest.mark.parametrize("name", NAMES)
def test_full_size_network_has_the_published_entries_and_sharing(data_dir, name):
    layout, spec = read_layouts(data_dir)[name], zoo.find(name)
    model = zoo.skeleton(spec)
    assert len(model.state_dict()) == len(layout["state"])
    assert zoo.count_parameters(model) == layout["parameters"]
    sharers = [len(group) for group in position_groups(model)]
    assert sharers == [len(group) for group in layout["shared"]]
    assert isinstance(zoo.feature_layer(model, spec), torch.nn.Module)


@pytest.mark.parametrize("name", NAMES)
def test_small_member_computes_and_keeps_its_logits_when_prepared(name):
    spec = zoo.find(f"micro_{name}")
    torch.manual_seed(0)
    model = zoo.build(spec).eval()
    x, target = torch.randn(2, 3, 64, 64), torch.tensor([1, 2])
    before = differentiate_head(model, zoo.feature_layer(model, spec), x, target)
    assert before.activation.shape[2:] == (8, 8) and before.logits.shape == (2, 10)
    prepared = zoo.prepare_for_inference(model)
    after = differentiate_head(prepared, zoo.feature_layer(prepared, spec), x, target)
    assert difference(after.logits, before.logits) < TOLERANCE
    assert difference(after.activation, before.activation) < TOLERANCE
    assert difference(after.gradient, before.gradient) < TOLERANCE


@pytest.mark.parametrize("name", ["fastvit", "fastvit_dcls"])
def test_preparing_leaves_one_convolution_per_branched_block(data_dir, name):
    model = read_tiny(data_dir, name).load()
    before = sum(isinstance(m, torch.nn.BatchNorm2d) for m in model.modules())
    zoo.prepare_for_inference(model)
    assert not dcls_layers(model)
    assert not any(p.requires_grad for p in model.parameters())
    side = 17 if name.endswith("_dcls") else 7  # an identity inside the 17x17 kernel
    assert model.stages[3].pos_emb.reparam_conv.kernel_size == (side, side)
    names = {part for key in model.state_dict() for part in key.split(".")}
    assert not names & {"conv_kxk", "conv_scale", "identity", "large_conv", "small_conv"}
    after = sum(isinstance(m, torch.nn.BatchNorm2d) for m in model.modules())
    assert after < before / 3


@pytest.mark.parametrize("name", [*NAMES, *(f"micro_{name}" for name in NAMES)])
def test_record_survives_json(name):
    spec = zoo.find(name)
    assert (spec.dcls is not None) == name.endswith("_dcls")
    assert Network.from_dict(json.loads(json.dumps(spec.as_dict()))) == spec


@pytest.mark.parametrize("name", ["resnet51", "micro_resnet51_dcls", "", "dcls_resnet50"])
def test_unknown_name_lists_the_known_ones(name):
    with pytest.raises(
        UserError, match=f"unknown network {name!r}.*; known are resnet50, convnext_"
    ):
        zoo.find(name)
