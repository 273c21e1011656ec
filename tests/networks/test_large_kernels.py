"""Depthwise convolutions: torch's values and gradients, sooner."""

import statistics
import time

import pytest
import torch
from DCLS.construct.modules import Dcls2d
from human_alignment.data.data_file import DataFile
from human_alignment.networks import large_kernels, zoo
from human_alignment.networks.dcls import DclsConvolution
from human_alignment.training import trainer as training
from human_alignment.training.batches import FileBatches
from human_alignment.training.recipe import Recipe
from small_training import SHORT
from torch import nn
from torch.nn import functional

CHANNELS = 6
VERSIONS = ["v0", "v1", "max", "gauss"]


def plain(maps, kernel, bias, stride, padding, groups):
    """What `convolution` is compared with."""
    return functional.conv2d(maps, kernel, bias, stride, padding, groups=groups)


def drawn(sides, size, kind=torch.float32, batch=3, channels=CHANNELS):
    """Maps, kernel and bias to differentiate."""
    torch.manual_seed(0)
    maps = torch.randn(batch, channels, *sides).to(memory_format=torch.channels_last)
    found = maps, torch.randn(channels, 1, *size), torch.randn(channels)
    return [tensor.to(kind).requires_grad_() for tensor in found]


def derived(convolution, tensors, groups=CHANNELS, stride=(1, 1), padding=None):
    """The result, and the gradients of a fixed function of it with respect to each tensor."""
    padding = padding or tuple(k // 2 for k in tensors[1].shape[2:])
    result = convolution(*tensors, stride, padding, groups)
    torch.manual_seed(1)
    slopes = torch.randn(result.shape, dtype=torch.float64).to(result.dtype)
    return [result.detach(), *torch.autograd.grad(result, tensors, slopes)]


def assert_equal(found, expected, precision=1e-5):
    """Equal in shape and type, and apart by at most `precision` of the largest value."""
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        scale = float(other.abs().max())
        torch.testing.assert_close(one.double(), other.double(), atol=precision * scale, rtol=0)


@pytest.mark.parametrize(
    ("side", "size"),
    [(side, 17) for side in (56, 28, 14, 7, 64, 32, 16, 8)] + [(s, 9) for s in (16, 8, 4, 2)],
)
def test_maps_of_the_known_networks(side, size):
    """ConvNeXt and MetaFormers at 224 pixels, FastViT at 256, the micro networks at 64."""
    tensors = drawn((side, side), (size, size))
    exact = derived(plain, [t.detach().double().requires_grad_() for t in tensors])
    assert_equal(derived(large_kernels.convolution, tensors), exact)


@pytest.mark.parametrize("kind", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("size", [(17, 17), (9, 9), (1, 1), (5, 11)], ids=str)
@pytest.mark.parametrize("sides", [(1, 1), (1, 9), (8, 8), (9, 7), (17, 2), (23, 40)], ids=str)
def test_sides_below_at_and_above_the_kernels(sides, size, kind):
    tensors = drawn(sides, size, kind)
    found = derived(large_kernels.convolution, tensors)
    assert {tensor.dtype for tensor in found} == {kind}
    assert_equal(found, derived(plain, tensors), 1e-5 if kind == torch.float32 else 1e-13)


def test_the_gradient_is_the_derivative():
    tensors = drawn((4, 3), (7, 5), torch.float64, batch=2, channels=2)
    assert torch.autograd.gradcheck(
        lambda *given: large_kernels.convolution(*given, (1, 1), (3, 2), 2), tensors
    )


def test_offsets_that_meet_no_pixel_have_no_gradient():
    """Exactly none: an optimiser such as Adam would move a weight by a rounding error."""
    maps, kernel, bias = drawn((7, 5), (17, 17))
    gradient = derived(large_kernels.convolution, [maps, kernel, bias])[2]
    met = torch.zeros(17, 17, dtype=bool)
    met[8 - 6 : 8 + 7, 8 - 4 : 8 + 5] = True
    assert (gradient[..., ~met] == 0).all() and (gradient[..., met] != 0).all()


@pytest.mark.parametrize("images", [1, 2, 3, 7])
def test_the_batch_may_be_transformed_in_pieces_of_any_size(images, monkeypatch):
    tensors = drawn((9, 8), (17, 17), batch=7)
    monkeypatch.setattr(large_kernels, "PIECE", images * CHANNELS * 9 * 8)
    assert_equal(derived(large_kernels.convolution, tensors), derived(plain, tensors))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=str)
@pytest.mark.parametrize("batch", [0, 1, 5])
def test_batches_of_any_size_and_layout(batch, layout):
    tensors = drawn((6, 7), (9, 9), batch=batch)
    tensors[0] = tensors[0].detach().contiguous(memory_format=layout).requires_grad_()
    found, expected = (derived(c, tensors) for c in (large_kernels.convolution, plain))
    if batch:
        assert_equal(found, expected)
    assert found[2].shape == (CHANNELS, 1, 9, 9) and (batch or not found[2].any())


@pytest.mark.parametrize(
    "settings",
    [
        dict(stride=(2, 2)),
        dict(padding=(3, 4)),
        dict(padding=(0, 0)),
        dict(groups=3),
        dict(groups=1),
    ],
    ids=str,
)
def test_every_other_convolution_is_torchs(settings):
    """Strided, padded otherwise, or not depthwise: the same bits."""
    maps, kernel, bias = drawn((10, 11), (9, 9))
    groups = settings.get("groups", CHANNELS)
    kernel = kernel.detach().repeat(1, CHANNELS // groups, 1, 1).requires_grad_()
    found, expected = (
        derived(c, [maps, kernel, bias], **settings) for c in (large_kernels.convolution, plain)
    )
    assert all(one.equal(other) for one, other in zip(found, expected, strict=True))


@pytest.mark.parametrize("low", [torch.bfloat16, torch.float16], ids=str)
def test_autocast_lowers_the_precision_as_torch_does(low):
    tensors = drawn((10, 12), (17, 17))
    exact = derived(plain, tensors)
    with torch.autocast("cpu", low):
        found, expected = (derived(c, tensors) for c in (large_kernels.convolution, plain))
    assert [t.dtype for t in found] == [t.dtype for t in expected] == [low, *[torch.float32] * 3]
    assert found[0].equal(expected[0])
    assert_equal(found, exact, 0.02)


def test_a_compiled_layer_learns_the_same():
    torch.manual_seed(0)
    layer = DclsConvolution(6, 6, 5, padding=4, dilated_kernel_size=9, groups=6, version="v1")
    maps = torch.randn(2, 6, 8, 8)
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    gradients = []
    for run in (layer, compiled):
        result = run(maps).square().sum()
        gradients.append(torch.autograd.grad(result, list(layer.parameters())))
    assert_equal(*gradients)


@pytest.mark.parametrize("version", VERSIONS)
def test_weights_and_positions_learn_as_in_the_package(version):
    """Every gradient of a layer on small maps, where some elements meet no pixel."""
    torch.manual_seed(0)
    layer = DclsConvolution(6, 6, 30, padding=8, dilated_kernel_size=17, groups=6, version=version)
    with torch.no_grad():
        layer.P.normal_(0, 5).clamp_(-8, 8)
    maps, target = torch.randn(3, 6, 7, 7), torch.randn(3, 6, 7, 7)
    given = [maps.requires_grad_(), *layer.parameters()]
    gradients = []
    for forward in (layer, lambda m: Dcls2d.forward(layer, m)):
        gradients.append(torch.autograd.grad((forward(maps) * target).sum(), given))
    assert_equal(*gradients)


@pytest.mark.parametrize("size", [(9, 9), (7, 7), (3, 5), (17, 17)], ids=str)
@pytest.mark.parametrize("sides", [(8, 8), (4, 4), (2, 2), (12, 12), (9, 13), (1, 5)], ids=str)
def test_small_maps_of_many_images(sides, size):
    """The gradient by products of pixels, which equals that by transforms."""
    tensors = drawn(sides, size, batch=80)
    exact = derived(plain, [t.detach().double().requires_grad_() for t in tensors])
    assert_equal(derived(large_kernels.convolution, tensors), exact)
    maps, slopes = tensors[0].detach().double(), torch.randn(80, CHANNELS, *sides).double()
    reach = [min(k // 2, n - 1) for k, n in zip(size, sides, strict=True)]
    both = [
        large_kernels._by_pixels(maps, slopes, reach),
        large_kernels._by_spectrum(maps, slopes, reach, torch.float64),
    ]
    assert_equal(both[:1], both[1:], 1e-12)


@pytest.mark.parametrize(
    "name", ["convnext_tiny", "convformer_s18", "caformer_s18", "fastvit_sa24", "resnet50"]
)
def test_plain_networks_learn_the_same_by_the_faster_gradient(name):
    torch.manual_seed(0)
    model = zoo.build(zoo.find(f"micro_{name}"))
    names, images = list(model.state_dict()), torch.randn(6, 3, 48, 48)
    gradients = []
    for faster in (False, True):
        if faster:
            large_kernels.speed_up_training(model)
        loss = model(images).square().sum()
        gradients.append(torch.autograd.grad(loss, list(model.parameters())))
    assert_equal(gradients[1], gradients[0], 1e-4)
    assert list(model.state_dict()) == names
    changed = [m for m in model.modules() if isinstance(m, large_kernels.DepthwiseConvolution)]
    assert bool(changed) == (name != "resnet50")


def test_other_convolutions_keep_their_class():
    settings = [
        dict(padding="same"),
        dict(padding=1, dilation=2),
        dict(padding=1, padding_mode="reflect"),
        dict(padding=1, groups=2),
    ]
    layers = [nn.Conv2d(4, 4, 3, **({"groups": 4} | one)) for one in settings]
    layers += [nn.Conv2d(4, 8, 3, groups=4), nn.Conv2d(4, 4, 1, groups=4)]
    large_kernels.speed_up_training(nn.ModuleList(layers))
    assert {type(layer) for layer in layers} == {nn.Conv2d}


def test_a_network_learns_the_same(digits_to_train, monkeypatch):
    losses = []
    for ours in (True, False):
        if not ours:
            monkeypatch.setattr(DclsConvolution, "forward", Dcls2d.forward)
        torch.manual_seed(0)
        spec, recipe = zoo.find("micro_convnext_tiny_dcls"), Recipe.from_dict(SHORT)
        with DataFile(digits_to_train) as data:
            batches = FileBatches(data, recipe, spec.transform, 0)
        one = training.Trainer(zoo.build(spec), batches, recipe, 10)
        pieces = one.pieces(0)
        losses.append([one.step(step, pieces)[0] for step in range(5)])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_a_large_kernel_learns_in_less_time_than_the_packages():
    maps = drawn((28, 28), (17, 17), batch=2, channels=96)[0].detach()
    layers = nn.ModuleDict()
    for name, kind in (("package", Dcls2d), ("ours", DclsConvolution)):
        layers[name] = kind(96, 96, 34, padding=8, dilated_kernel_size=17, groups=96, version="v0")

    def seconds(name):
        start = time.process_time()
        torch.autograd.grad(layers[name](maps).sum(), layers[name].weight)
        return time.process_time() - start

    taken = {name: statistics.median(seconds(name) for _ in range(3)) for name in layers}
    assert taken["ours"] < taken["package"] / 2
