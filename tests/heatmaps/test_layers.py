"""Maps before and behind the norm of the pooled vector: what they are, and how they are stored."""

import hashlib
import shutil

import extract_attributions
import extract_heatmaps
import h5py
import join_heatmaps
import numpy as np
import pytest
import small_study
import timm
import torch
from human_alignment.common.cli import UserError
from human_alignment.common.hdf5 import seal
from human_alignment.common.layers import LAYERS
from human_alignment.heatmaps.explainers import EXPLAINERS, grad_cam
from human_alignment.heatmaps.features import differentiate_head
from human_alignment.heatmaps.heatmap_file import HeatmapFile
from human_alignment.heatmaps.one_picture import explain_picture
from human_alignment.networks import zoo
from human_alignment.networks.generic import channels_first, find_feature_layer
from human_alignment.networks.pooled_norm import find_pooled_norm
from human_alignment.networks.weights import save_weights

IMAGES = 11
BOTH = ("--layers", *LAYERS)
WITH_NORM = ["micro_convnext_tiny", "micro_convformer_s18_dcls", "micro_caformer_s18"]


def built(name):
    """A network with random weights, norms included, prepared for inference; and its record."""
    network = zoo.find(name)
    torch.manual_seed(0)
    model = zoo.build(network)
    norm = zoo.pooled_norm(model, network)
    for parameter in [] if norm is None else norm.parameters():
        torch.nn.init.normal_(parameter)
    return zoo.prepare_for_inference(model), network


def features(model, network, norm):
    """Features of two noise images."""
    torch.manual_seed(1)
    images = torch.randn(2, 3, 64, 64)
    layer = zoo.feature_layer(model, network)
    return differentiate_head(model, layer, images, torch.tensor([1, 3]), norm=norm), images


@pytest.mark.parametrize("name", WITH_NORM)
def test_the_map_behind_the_norm_pools_to_what_the_norm_gives(name):
    """And its gradient is that of the rest of the head, as a function of the map's mean."""
    model, network = built(name)
    given = []
    hook = model.head.norm.register_forward_hook(lambda _m, _i, out: given.append(out.flatten(1)))
    found, _ = features(model, network, zoo.pooled_norm(model, network))
    hook.remove()
    mapped, gradient = found.at("behind_norm")
    assert mapped.shape == gradient.shape == found.activation.shape
    torch.testing.assert_close(mapped.mean(dim=(2, 3)), given[-1], rtol=1e-4, atol=1e-5)
    leaf = mapped.clone().requires_grad_()
    logits = model.head.fc(leaf.mean(dim=(2, 3)))
    torch.testing.assert_close(logits.detach(), found.logits, rtol=1e-4, atol=1e-5)
    (expected,) = torch.autograd.grad(logits[[0, 1], found.target].sum(), leaf)
    torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-7)


def test_the_map_is_the_norms_own_arithmetic_at_every_position():
    model, network = built("micro_convnext_tiny")
    norm = zoo.pooled_norm(model, network)
    found, _ = features(model, network, norm)
    pooled = found.activation.mean(dim=(2, 3), keepdim=True)
    mu, sigma = pooled.mean(dim=1, keepdim=True), pooled.var(1, correction=0, keepdim=True)
    sigma = (sigma + norm.eps).sqrt()
    gamma, beta = (one[:, None, None] for one in (norm.weight, norm.bias))
    expected = gamma * (found.activation - mu) / sigma + beta
    torch.testing.assert_close(found.at("behind_norm")[0], expected, rtol=1e-4, atol=1e-4)


def test_of_convnext_it_is_the_class_activation_map():
    """Grad-CAM before its ReLU, summed over positions, is the logit less its bias."""
    model, network = built("micro_convnext_tiny")
    torch.nn.init.normal_(model.head.fc.bias)
    found, _ = features(model, network, zoo.pooled_norm(model, network))
    mapped, gradient = found.at("behind_norm")
    before_relu = (gradient.mean(dim=(2, 3), keepdim=True) * mapped).sum(dim=1)
    chosen = found.logits[[0, 1], found.target] - model.head.fc.bias[found.target]
    torch.testing.assert_close(before_relu.sum(dim=(1, 2)), chosen, rtol=1e-4, atol=0)
    torch.testing.assert_close(before_relu.relu(), grad_cam(mapped, gradient))


def test_the_body_runs_once_and_the_map_before_the_norm_is_bit_for_bit_the_same():
    model, network = built("micro_caformer_s18")
    norm = zoo.pooled_norm(model, network)
    calls = []
    model.stages.register_forward_hook(lambda *_: calls.append("body"))
    both, _ = features(model, network, norm)
    assert calls == ["body"]
    one, _ = features(model, network, None)
    assert torch.equal(both.activation, one.activation)
    assert torch.equal(both.gradient, one.gradient) and torch.equal(both.logits, one.logits)
    assert one.behind_norm is None and not norm._forward_hooks
    assert one.at("behind_norm") == (one.activation, one.gradient)


@pytest.mark.parametrize(
    "name, size, more",
    [
        ("vit_tiny_patch16_224", 64, {"img_size": 64, "global_pool": "avg", "fc_norm": True}),
        ("convnext_atto_rms", 64, {}),
        ("poolformer_s12", 64, {}),
    ],
)
def test_any_network_of_timm_with_such_a_norm(name, size, more):
    """Tokens behind a class token, an RMS norm, a group norm of one group."""
    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=10, **more).eval().requires_grad_(False)
    layer = model.get_submodule(find_feature_layer(model, size))
    norm = find_pooled_norm(model, layer, size)
    torch.nn.init.normal_(norm.weight)
    given = []
    norm.register_forward_hook(lambda _m, _i, out: given.append(out.flatten(1)))
    images = torch.randn(2, 3, size, size)
    arrange = channels_first(model)
    found = differentiate_head(model, layer, images, torch.tensor([1, 2]), arrange, norm=norm)
    pooled = found.at("behind_norm")[0].mean(dim=(2, 3))
    torch.testing.assert_close(pooled, given[-1], rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Data of four classes, and weights of a network with a norm and of one without."""
    folder = tmp_path_factory.mktemp("layers")
    small_study.write_data(folder / "data.h5", IMAGES)
    for name in ("convnext_tiny", "resnet50"):
        network = zoo.find(f"micro_{name}")
        torch.manual_seed(0)
        save_weights(folder / f"{name}.safetensors", zoo.build(network), network)
    extract(folder, "both.h5", *BOTH)
    extract(folder, "one.h5")
    extract(folder, "resnet50.h5", *BOTH, network="resnet50")
    return folder


def extract(folder, output, *more, network="convnext_tiny"):
    extract_heatmaps.main(
        ["--data", str(folder / "data.h5"), "--weights", str(folder / f"{network}.safetensors")]
        + ["--output", str(folder / output), "--batch-size", "4"]
        + ["--explainers", *EXPLAINERS, *more]
    )
    return folder / output


def datasets(path):
    """Names of the datasets that hold maps."""
    with h5py.File(path) as file:
        return {name for name, values in file.items() if values.ndim == 3}


def test_one_extraction_holds_the_maps_of_both_layers(folder):
    behind = {f"{name}.behind_norm" for name in EXPLAINERS}
    assert datasets(folder / "both.h5") == {*EXPLAINERS, *behind}
    with HeatmapFile(folder / "both.h5") as both, HeatmapFile(folder / "one.h5") as one:
        assert (both.layers, both.norm, both.layers_differ) == (list(LAYERS), True, True)
        assert (one.layers, one.norm, one.layers_differ) == (["before_norm"], True, False)
        assert both.explainers == one.explainers == sorted(EXPLAINERS)
        for name in EXPLAINERS:
            before, again = (file.maps(name, 0, IMAGES) for file in (both, one))
            np.testing.assert_array_equal(before, again)
            np.testing.assert_array_equal(before, both.maps(name, 0, IMAGES, "before_norm"))
            other = both.maps(name, 0, IMAGES, "behind_norm")
            assert other.shape == before.shape and other.dtype == np.float32
            assert np.isfinite(other).all() and (other != before).any()


def test_both_layers_take_as_many_forward_passes_as_one(folder, tmp_path, monkeypatch):
    shutil.copy(folder / "data.h5", tmp_path)
    shutil.copy(folder / "convnext_tiny.safetensors", tmp_path)
    passes = []
    body = timm.models.convnext.ConvNeXt.forward_features

    def counted(model, images):
        passes.append(len(images))
        return body(model, images)

    monkeypatch.setattr(timm.models.convnext.ConvNeXt, "forward_features", counted)
    for more in ((), BOTH):
        passes.clear()
        extract(tmp_path, "out.h5", *more)
        assert passes == [1, 4, 4, 3]  # noise, on which the norm is found; then the images


def test_without_a_norm_the_layers_are_one_and_stored_once(folder):
    assert datasets(folder / "resnet50.h5") == set(EXPLAINERS)
    with HeatmapFile(folder / "resnet50.h5") as maps:
        assert (maps.layers, maps.norm, maps.layers_differ) == (list(LAYERS), False, False)
        before, behind = (maps.maps("grad_cam", 0, IMAGES, layer) for layer in LAYERS)
        np.testing.assert_array_equal(before, behind)
    alone = extract(folder, "alone.h5", network="resnet50")  # without --layers
    with HeatmapFile(alone) as maps:
        np.testing.assert_array_equal(maps.maps("grad_cam", 0, IMAGES, "behind_norm"), before)


def test_the_maps_behind_the_norm_alone(folder):
    path = extract(folder, "behind.h5", "--layers", "behind_norm")
    with HeatmapFile(path) as maps, HeatmapFile(folder / "both.h5") as both:
        found, wanted = (file.maps("grad_cam", 0, IMAGES, "behind_norm") for file in (maps, both))
        np.testing.assert_array_equal(found, wanted)
        with pytest.raises(UserError, match="no maps of the layer 'before_norm'"):
            maps.maps("grad_cam", 0, 1)


def test_a_layer_that_was_not_extracted_is_told_with_the_remedy(folder):
    with HeatmapFile(folder / "one.h5") as maps, pytest.raises(UserError) as caught:
        maps.maps("grad_cam", 0, 1, "behind_norm")
    assert str(folder / "one.h5") in str(caught.value)
    assert "extract again with --layers before_norm behind_norm" in str(caught.value)
    with pytest.raises(UserError, match="layer 'after' is not known; allowed: before_norm, beh"):
        extract(folder, "none.h5", "--layers", "after")


def test_a_file_of_a_time_before_layers_is_read_as_before_the_norm(folder, tmp_path):
    path = shutil.copy(folder / "one.h5", tmp_path)
    with h5py.File(path, "a") as file:
        del file.attrs["layers"], file.attrs["norm"]
    seal(path)
    with HeatmapFile(path) as old, HeatmapFile(folder / "one.h5") as new:
        assert old.layers == ["before_norm"] and not old.layers_differ
        np.testing.assert_array_equal(old.maps("grad_cam", 0, 9), new.maps("grad_cam", 0, 9))


def test_shards_join_to_the_bytes_of_one_job(folder):
    parts = [str(extract(folder, f"part{i}.h5", *BOTH, "--shard", f"{i}/2")) for i in range(2)]
    join_heatmaps.main([*parts, "--output", str(folder / "joined.h5")])
    one, joined = (
        hashlib.sha256((folder / name).read_bytes()).digest() for name in ("both.h5", "joined.h5")
    )
    assert one == joined
    other = str(extract(folder, "part1.h5", "--shard", "1/2"))
    with pytest.raises(UserError, match="not of one network, data file and settings"):
        join_heatmaps.main([parts[0], other, "--output", str(folder / "joined.h5")])


def test_saliency_is_the_same_map_for_both(folder):
    extract_attributions.main(
        ["--data", str(folder / "data.h5"), "--weights", str(folder / "convnext_tiny.safetensors")]
        + ["--output", str(folder / "sampled.h5"), "--explainers", "saliency", "--images", "3"]
    )
    with HeatmapFile(folder / "sampled.h5") as maps:
        before, behind = (maps.maps("saliency", 0, 3, layer) for layer in LAYERS)
        np.testing.assert_array_equal(before, behind)
        assert not maps.layers_differ


@pytest.mark.parametrize("name, differ", [("convnext_tiny", True), ("resnet50", False)])
def test_one_picture_is_explained_at_the_layer_that_is_asked_for(gradient, name, differ):
    model, network = built(f"micro_{name}")
    before, behind = (
        explain_picture(model, network, gradient, ["grad_cam"], layer=layer) for layer in LAYERS
    )
    assert np.array_equal(before.maps["grad_cam"], behind.maps["grad_cam"]) != differ
    np.testing.assert_array_equal(before.probabilities, behind.probabilities)
