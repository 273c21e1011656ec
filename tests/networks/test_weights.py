"""Weights files: what is written comes back, and nothing that does not fit is loaded."""

import pytest
import torch
from full_disk import full_disk
from human_alignment.common.cli import UserError
from human_alignment.networks import zoo
from human_alignment.networks.dcls import dcls_layers, position_groups
from human_alignment.networks.weights import (
    RECORD,
    load_strictly,
    load_weights,
    read_spec,
    save_weights,
)
from safetensors.torch import load_file, save_file


def micro(name):
    spec = zoo.find(f"micro_{name}")
    torch.manual_seed(0)
    return zoo.build(spec), spec


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A small network's file, with its model and record."""
    model, spec = micro("fastvit_sa24_dcls")
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    save_weights(path, model, spec, source="https://example.org/x.pth", sha256="00ff")
    return path, model, spec


def test_round_trip(written):
    path, model, spec = written
    loaded, found, notes = load_weights(path)
    assert found == spec and not loaded.training
    assert notes == {"source": "https://example.org/x.pth", "sha256": "00ff"}
    expected, state = model.state_dict(), loaded.state_dict()
    assert list(state) == list(expected)
    assert all(torch.equal(state[name], expected[name]) for name in expected)


def test_positions_are_still_shared_after_loading(written):
    path, model, _ = written
    loaded, _, _ = load_weights(path)
    layers = dcls_layers(loaded)
    assert max(map(len, position_groups(model))) > 1
    for first, *others in position_groups(model):
        assert all(layers[name].P is layers[first].P for name in others)
    assert zoo.count_parameters(loaded) == zoo.count_parameters(model)


def test_the_file_names_every_sharer_and_keeps_the_positions(written):
    path, model, _ = written
    names = set(load_file(path))
    assert names == set(model.state_dict())
    assert {f"{name}.P" for name in dcls_layers(model)} < names


def test_record_is_read_without_the_tensors(written):
    path, _, spec = written
    found, notes = read_spec(path)
    assert found == spec and notes["sha256"] == "00ff"


def test_state_of_another_network_lists_ten_mismatches():
    model, _ = micro("convnext_tiny")
    other, _ = micro("resnet50")
    with pytest.raises(UserError, match=r"elsewhere does not fit this network") as caught:
        load_strictly(model, other.state_dict(), "elsewhere")
    lines = str(caught.value).splitlines()
    assert lines[1] == "  missing stem.0.weight [16, 3, 4, 4]"
    wrong = len(model.state_dict()) + len(other.state_dict())
    assert len(lines) == 12 and lines[-1] == f"  and {wrong - 10} more"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("head.fc.bias"), r"missing head.fc.bias \[10\]"),
        (lambda s: s.update(extra=torch.zeros(2, 3)), r"unknown extra \[2, 3\]"),
        (
            lambda s: s.update({"head.fc.bias": torch.zeros(11)}),
            r"head.fc.bias: \[11\] in the file, \[10\] in the model",
        ),
    ],
    ids=["missing", "unknown", "shape"],
)
def test_one_wrong_entry_is_enough(change, message):
    model, _ = micro("convnext_tiny")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = {name: torch.zeros_like(tensor) for name, tensor in before.items()}
    change(state)
    with pytest.raises(UserError, match=message):
        load_strictly(model, state, "file")
    assert all(torch.equal(model.state_dict()[name], before[name]) for name in before)


@pytest.mark.parametrize(("version", "name"), [("v1", "P"), ("gauss", "P"), ("gauss", "SIG")])
def test_shared_positions_that_differ_are_refused(version, name):
    spec = zoo.find("micro_convnext_tiny_dcls")
    model = zoo.build(spec.changed(dcls=spec.dcls.model_copy(update={"version": version})))
    first, second, *_ = max(position_groups(model), key=len)
    state = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    state[f"{second}.{name}"] += 1e-3
    with pytest.raises(UserError, match=rf"{first}.{name} and {second}.{name} are shared"):
        load_strictly(model, state, "file")


def test_missing_file(tmp_path):
    with pytest.raises(UserError, match="none.safetensors does not exist"):
        load_weights(tmp_path / "none.safetensors")


@pytest.mark.parametrize("size", [0, 5, 300, -1])
def test_truncated_file(written, tmp_path, size):
    path = tmp_path / "cut.safetensors"
    path.write_bytes(written[0].read_bytes()[:size])
    with pytest.raises(UserError, match="cut.safetensors is not a weights file"):
        load_weights(path)


def test_a_page_is_not_a_weights_file(tmp_path):
    path = tmp_path / "page.safetensors"
    path.write_text("<!DOCTYPE html><html><body>404</body></html>" * 10)
    with pytest.raises(UserError, match="page.safetensors is not a weights file"):
        load_weights(path)


@pytest.mark.parametrize(
    "metadata", [None, {RECORD: "no json"}, {RECORD: '{"spec": {"family": "vgg"}}'}]
)
def test_safetensors_of_others(tmp_path, metadata):
    path = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(3)}, path, metadata)
    with pytest.raises(UserError, match="not a weights file of this pipeline"):
        load_weights(path)


def test_an_older_file_survives_a_full_disk_and_the_file_is_named(written, tmp_path):
    _, model, spec = written
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"older")
    with full_disk(), pytest.raises(OSError, match="File too large: '.*/w.safetensors'"):
        save_weights(path, model, spec)
    assert path.read_bytes() == b"older"
    assert [found.name for found in tmp_path.iterdir()] == ["w.safetensors"]
