"""The kernels against those of the public package, and what surrounds the layer."""

import json
from typing import get_args

import numpy as np
import pytest
import torch
from DCLS.construct.modules import Dcls2d
from human_alignment.common.cli import UserError
from human_alignment.networks import dcls, zoo
from human_alignment.networks.records import Dcls
from torch import nn

VERSIONS = get_args(Dcls.model_fields["version"].annotation)
CASES = ["dw17_v0", "dw17_v1", "dense7_v0_s2", "dense7_v0", "dw17_gauss"]


@pytest.fixture(scope="module")
def reference(data_dir):
    """What the public package computed: arrays, and the arguments of each case."""
    with np.load(data_dir / "dcls" / "kernels.npz") as file:
        arrays = {name: torch.from_numpy(file[name]) for name in file.files}
    return arrays, json.loads((data_dir / "dcls" / "kernels.json").read_text())


def reference_layer(reference, case):
    arrays, arguments = reference
    layer = Dcls2d(**arguments[case], bias=f"{case}.bias" in arrays, use_implicit_gemm=False)
    names = ("weight", "P", "bias", "SIG")
    state = {n: arrays[f"{case}.{n}"] for n in names if f"{case}.{n}" in arrays}
    layer.load_state_dict(state)
    return layer.requires_grad_(False)


def layer(version, groups=1):
    """A layer with 6 channels and positions that reach the edge of the 7x7 window."""
    torch.manual_seed(0)
    found = Dcls2d(
        6, 6, 5, padding=3, dilated_kernel_size=7, groups=groups, version=version,
        use_implicit_gemm=False,
    ).requires_grad_(False)  # fmt: skip
    found.P.normal_(0, 2).clamp_(-3, 3)
    if found.SIG is not None:
        found.SIG.normal_()
    return found


def small_net():
    """Two stages: one with two depthwise convolutions, one with a strided one with bias."""
    return nn.ModuleDict(
        {
            "stage1": nn.Sequential(
                nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False),
                nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False),
            ),
            "stage2": nn.Sequential(nn.Conv2d(4, 4, 7, 2, padding=3, groups=4), nn.Conv2d(4, 6, 1)),
        }
    )


def run(net, x):
    return net["stage2"](net["stage1"](x))


def test_every_reference_case_is_covered(reference):
    assert sorted(reference[1]) == sorted(CASES)


@pytest.mark.parametrize("case", CASES)
def test_kernel_and_convolution_equal_the_package(reference, case):
    arrays, _ = reference
    found = reference_layer(reference, case)
    torch.testing.assert_close(dcls.kernel(found), arrays[f"{case}.kernel"], atol=1e-6, rtol=0)
    baked = dcls.bake(nn.Sequential(found))
    assert isinstance(baked[0], nn.Conv2d)
    torch.testing.assert_close(baked(arrays[f"{case}.x"]), arrays[f"{case}.y"], atol=1e-5, rtol=0)


@pytest.mark.parametrize("case", CASES)
def test_position_outside_the_window(reference, case):
    arrays, _ = reference
    found = reference_layer(reference, case)
    found.P.copy_(arrays[f"{case}.P_outside"])
    expected = arrays[f"{case}.kernel_outside"]
    torch.testing.assert_close(dcls.kernel(found), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("groups", [1, 6])
@pytest.mark.parametrize("version", VERSIONS)
def test_kernel_equals_the_installed_package(version, groups):
    found = layer(version, groups)
    expected = found.DCK(found.weight, found.P, found.SIG)
    torch.testing.assert_close(dcls.kernel(found), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("groups", [1, 6])
@pytest.mark.parametrize("version", VERSIONS)
def test_gradients_equal_those_of_the_installed_package(version, groups):
    """Also for positions on grid points and on the window's edge, where clamping leaves them."""
    gradients = []
    for ours in (False, True):
        found = layer(version, groups).requires_grad_(True)
        with torch.no_grad():
            found.P[..., 0] = found.P[..., 0].round()
            found.P[..., 1] = 3.0
            found.P[..., 2] = -3.0
        torch.manual_seed(1)
        x, target = torch.randn(2, 6, 9, 9), torch.randn(2, 6, 9, 9)
        if ours:
            found.DCK = dcls.KernelConstruction(version, 7)
        (found(x) * target).sum().backward()
        gradients.append({name: p.grad for name, p in found.named_parameters()})
    assert gradients[0].keys() == gradients[1].keys() >= {"weight", "P", "bias"}
    for name, expected in gradients[0].items():
        scale = expected.abs().max().item()
        torch.testing.assert_close(gradients[1][name], expected, atol=1e-5 * scale, rtol=1e-4)


def test_the_networks_layers_are_ours_and_have_the_packages_names():
    net = small_net()
    dcls.replace_convolutions(net, Dcls(kernel_size=9, kernel_count=5, version="v1"))
    names = set(net.state_dict())
    for found in dcls.dcls_layers(net).values():
        assert isinstance(found, dcls.DclsConvolution)
        assert isinstance(found.DCK, dcls.KernelConstruction)
    assert not any("DCK" in name for name in names)


def test_autocast_does_not_coarsen_positions():
    found = layer("v1", 6)
    exact = dcls.kernel(found)
    with torch.autocast("cpu", torch.bfloat16):
        assert dcls.kernel(found).equal(exact)


def test_v0_and_v1_take_rows_and_columns_the_other_way_round():
    rows_first, columns_first = layer("v0"), layer("v1")
    first = torch.tensor([2.0, -1.0])
    for found in (rows_first, columns_first):
        found.P.copy_(first[:, None, None, None].expand_as(found.P))
    v0, v1 = (dcls.kernel(found)[0, 0] for found in (rows_first, columns_first))
    assert v0.nonzero().tolist() == [[5, 2]]
    assert v1.nonzero().tolist() == [[2, 5]]


@pytest.mark.parametrize("version", VERSIONS)
def test_baked_network_equals_the_unbaked_one(version):
    torch.manual_seed(0)
    net = small_net()
    dcls.replace_convolutions(net, Dcls(kernel_size=9, kernel_count=5, version=version))
    x = torch.randn(2, 4, 20, 23)
    with torch.no_grad():
        before = run(net, x)
        dcls.bake(net)
        torch.testing.assert_close(run(net, x), before, atol=1e-6, rtol=1e-5)
    assert not dcls.dcls_layers(net)


def test_replacing_keeps_stride_groups_bias_and_output_size():
    net = small_net()
    x = torch.randn(1, 4, 21, 30)
    before = run(net, x).shape
    dcls.replace_convolutions(net, Dcls(kernel_size=9, kernel_count=5))
    layers = dcls.dcls_layers(net)
    assert list(layers) == ["stage1.0", "stage1.1", "stage2.0"]
    assert [found.bias is not None for found in layers.values()] == [False, False, True]
    assert layers["stage2.0"].stride == (2, 2) and layers["stage2.0"].groups == 4
    assert run(net, x).shape == before


@pytest.mark.parametrize("version", ["v1", "gauss"])
def test_positions_are_shared_within_a_stage_only(version):
    net = small_net()
    dcls.replace_convolutions(net, Dcls(kernel_size=9, kernel_count=5, version=version))
    one, two, other = dcls.dcls_layers(net).values()
    assert dcls.position_groups(net) == [["stage1.0", "stage1.1"], ["stage2.0"]]
    assert one.P is two.P and one.P is not other.P
    assert one.weight is not two.weight
    if version == "gauss":
        assert one.SIG is two.SIG and one.SIG is not other.SIG
    assert len(dcls.position_parameters(net)) == (4 if version == "gauss" else 2)


def test_convolutions_of_different_width_in_a_stage_do_not_share():
    net = nn.Sequential(
        nn.Conv2d(4, 4, 3, padding=1, groups=4), nn.Conv2d(8, 8, 3, padding=1, groups=8)
    )
    stage = nn.ModuleDict({"layer1": net})
    dcls.replace_convolutions(stage, Dcls(kernel_size=9, kernel_count=5))
    assert dcls.position_groups(stage) == [["layer1.0"], ["layer1.1"]]


def test_clamp_brings_positions_back_into_the_window():
    net = small_net()
    dcls.replace_convolutions(net, Dcls(kernel_size=9, kernel_count=5))
    for positions in dcls.position_parameters(net):
        positions.data.uniform_(-30, 30)
    dcls.clamp_positions(net)
    for positions in dcls.position_parameters(net):
        assert positions.abs().max() <= 4
        assert positions.abs().max() > 3


def test_repulsion_of_known_positions():
    """Three elements a kernel: pairs 0 and 0.4 pixels apart cost 1 and 0.6, far ones nothing."""
    net = nn.Sequential(Dcls2d(2, 2, 3, padding=3, dilated_kernel_size=7, groups=2,
                               use_implicit_gemm=False))  # fmt: skip
    with torch.no_grad():
        first = torch.tensor([[1.0, 1.0, -2.0], [0.0, 0.0, 3.0]])  # rows, columns of one kernel
        second = torch.tensor([[0.0, 0.24, 2.0], [0.0, 0.32, 2.0]])
        net[0].P.copy_(torch.stack([first, second], 1).unsqueeze(2))
    # 2 / (3 * 2) for each kernel's three pairs, mean of both kernels
    assert dcls.repulsion(net).item() == pytest.approx((1.0 + 0.6) / 3 / 2)


def test_repulsion_counts_shared_positions_once_and_pushes_apart():
    net = small_net()
    dcls.replace_convolutions(net, Dcls(kernel_size=9, kernel_count=2))
    one, other = dcls.position_parameters(net)
    with torch.no_grad():
        one.zero_()  # shared by two layers; every pair in one place: 1
        other.zero_()
        other[0, :, :, 1] = 0.5  # 0.5 apart
    loss = dcls.repulsion(net)
    assert loss.item() == pytest.approx((1.0 + 0.5) / 2)
    loss.backward()
    push = other.grad[0, 0, 0]
    assert push[0] > 0 > push[1] and push[0] == -push[1]


def test_repulsion_of_nothing_is_zero():
    assert dcls.repulsion(nn.Conv2d(1, 1, 3)).item() == 0.0


def test_gradients_reach_weights_and_positions():
    net = small_net()
    dcls.replace_convolutions(net, Dcls(kernel_size=9, kernel_count=5))
    run(net, torch.randn(1, 4, 20, 20)).square().sum().backward()
    for found in dcls.dcls_layers(net).values():
        assert found.P.grad.abs().sum() > 0
        assert found.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("convolution", "rule"),
    [
        (nn.Conv2d(4, 4, 3, padding=1), "depthwise"),
        (nn.Conv2d(4, 8, 3, padding=1, groups=4), "depthwise"),
        (nn.Conv2d(4, 4, 3, padding=2, dilation=2, groups=4), "depthwise"),
        (nn.Conv2d(4, 4, 3, padding=0, groups=4), "depthwise"),
        (nn.Conv2d(4, 4, 1, groups=4), "depthwise"),
        (nn.Conv2d(4, 4, 3, padding=1, groups=4), "depthwise_7x7"),
        (nn.Conv2d(4, 4, 5, padding=2), "3x3"),
    ],
    ids=["dense", "multiplier", "dilated", "unpadded", "pointwise", "not 7x7", "not 3x3"],
)
def test_nothing_to_replace_is_an_error(convolution, rule):
    with pytest.raises(UserError, match=f"has no {rule} convolution"):
        dcls.replace_convolutions(
            nn.Sequential(convolution), Dcls(kernel_size=9, kernel_count=5, replaces=rule)
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(kernel_size=8, kernel_count=5), "kernel_size is 8; allowed: a positive odd"),
        (dict(kernel_size=0, kernel_count=5), "kernel_size is 0; allowed: a positive odd"),
        (dict(kernel_size=9, kernel_count=0), "kernel_count is 0; allowed: a positive"),
        (
            dict(kernel_size=9, kernel_count=5, version="v2"),
            "is 'v2'; allowed: v0 or v1 or max",
        ),
        (
            dict(kernel_size=9, kernel_count=5, replaces="all"),
            "is 'all'; allowed: depthwise or",
        ),
    ],
)
def test_impossible_settings_are_refused(arguments, message):
    with pytest.raises(UserError, match=message):
        Dcls.from_dict(arguments)


def test_baking_the_largest_dense_layer_takes_little_memory():
    spec = zoo.find("resnet50_dcls")
    found = Dcls2d(512, 512, spec.dcls.kernel_count, dilated_kernel_size=7, version="v0",
                   use_implicit_gemm=False)  # fmt: skip
    activity = [torch.profiler.ProfilerActivity.CPU]
    with torch.no_grad(), torch.profiler.profile(activities=activity, profile_memory=True) as seen:
        dcls.kernel(found)
    largest = max(event.cpu_memory_usage for event in seen.events())
    assert largest < 512 * 512 * 5 * 7 * 2 * 4 * 1.01  # two axes of each element, not the window
