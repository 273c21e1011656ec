"""Published layouts into ours, strictly; and files that are not what they should be."""

import argparse
import io
import os
import pathlib
import pickle
import warnings
import zipfile

import numpy as np
import pytest
import torch
from human_alignment.common.cli import UserError
from human_alignment.common.paths import SUFFIX
from human_alignment.networks import zoo
from human_alignment.networks.checkpoints import convert, read_checkpoint
from human_alignment.networks.weights import load_strictly
from reference_models import REFERENCE, TINY, read_layouts, read_tiny
from safetensors.torch import save_file

NAMES = [name + suffix for name in REFERENCE for suffix in ("", SUFFIX)]


def published(layout):
    """A state dict of a full-size layout. Each entry is filled with its place in the file, which
    takes no memory; the entries of a shared group with their group's."""
    first = {name: group[0] for group in layout["shared"] for name in group}
    place = {name: i for i, (name, _, _) in enumerate(layout["state"])}
    return {
        name: torch.tensor(place[first.get(name, name)], dtype=getattr(torch, kind)).expand(shape)
        for name, shape, kind in layout["state"]
    }


def load(state, spec, source="file"):
    """Convert and load into a network without storage; the converted state."""
    model = zoo.skeleton(spec)
    converted = convert(state, model, spec, source)
    with warnings.catch_warnings(action="ignore"):  # torch: such a network keeps no values
        load_strictly(model, converted, source)
    return converted


def train_state(tmp_path):
    """A tiny state, and the path of a checkpoint to be."""
    torch.manual_seed(0)
    return {"fc.weight": torch.randn(3, 2), "fc.bias": torch.randn(3)}, tmp_path / "c.pth"


def assert_same(found, expected):
    assert list(found) == list(expected)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


# Layouts


@pytest.mark.parametrize("name", NAMES)
def test_full_size_layout_leaves_nothing_over_and_nothing_missing(data_dir, tmp_path, name):
    layout, path, spec = read_layouts(data_dir)[name], tmp_path / "c.pth", zoo.find(name)
    state = published(layout)
    wrapped = {layout["wrapper"]: state, "epoch": 3, "args": argparse.Namespace(lr=4e-3)}
    torch.save(wrapped if layout["wrapper"] else state, path)
    converted = load(read_checkpoint(path), spec)
    # Every tensor of the file went to one place, and sharers to sharers.
    assert sorted(int(t.flatten()[0]) for t in converted.values()) == sorted(
        int(t.flatten()[0]) for t in state.values()
    )
    positions = {int(t.flatten()[0]) for n, t in converted.items() if n.endswith(".P")}
    assert len(positions) == len(layout["shared"])


@pytest.mark.parametrize("name", TINY)
def test_each_value_is_kept(data_dir, name):
    tiny = read_tiny(data_dir, name)
    state = tiny.load().state_dict()
    assert len(state) == len(tiny.state)
    ours = sorted(float(t.double().abs().sum()) for t in state.values())
    theirs = sorted(float(t.double().abs().sum()) for t in tiny.state.values())
    np.testing.assert_allclose(ours, theirs, rtol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_a_checkpoint_in_timms_names_passes_unchanged(name):
    spec = zoo.find(f"micro_{name}")
    state = zoo.build(spec).state_dict()
    assert_same(load(state, spec), state)


# Another network's checkpoint


@pytest.mark.parametrize("into", TINY)
@pytest.mark.parametrize("name", TINY)
def test_checkpoint_of_another_model_is_refused(data_dir, name, into):
    state, spec = read_tiny(data_dir, name).state, read_tiny(data_dir, into).spec
    if name == into:
        assert load(state, spec)
        return
    with pytest.raises(UserError, match="from elsewhere( does not fit| is no|: This)") as caught:
        load(state, spec, "from elsewhere")
    assert 2 <= len(str(caught.value).splitlines()) <= 12


@pytest.mark.parametrize("name", REFERENCE)
def test_checkpoint_with_or_without_dcls_for_the_other_is_told_so(data_dir, name):
    layouts, dcls = read_layouts(data_dir), name + SUFFIX
    for given, wanted, kind in ((name, dcls, "plain network"), (dcls, name, "network with DCLS")):
        with pytest.raises(UserError) as caught:
            load(published(layouts[given]), zoo.find(wanted))
        lines = str(caught.value).splitlines()
        assert lines[0].startswith(f"file: This checkpoint is of the {kind} (")
        assert len(lines) == 2 and lines[1].startswith("In the config, ")


@pytest.mark.parametrize(
    ("given", "wanted"),
    [("convnext_small", "convnext_tiny_dcls"), ("convnext_base_dcls", "convnext_small")],
)
def test_checkpoint_that_differs_by_more_than_dcls_lists_what(data_dir, given, wanted):
    with pytest.raises(UserError, match="^file does not fit this network:\n"):
        load(published(read_layouts(data_dir)[given]), zoo.find(wanted))


def test_checkpoint_that_lacks_its_positions_lists_them(data_dir):
    tiny = read_tiny(data_dir, "convnext_dcls")
    state = {name: tensor for name, tensor in tiny.state.items() if not name.endswith(".P")}
    with pytest.raises(UserError, match="does not fit this network:\n  missing .*[.]P "):
        load(state, tiny.spec)


def test_checkpoint_of_a_deeper_member_shows_ten_names_and_shapes(data_dir):
    state = published(read_layouts(data_dir)["convnext_small_dcls"])
    with pytest.raises(UserError) as caught:
        load(state, zoo.find("convnext_tiny_dcls"), "small.pth")
    lines = str(caught.value).splitlines()
    assert lines[0] == "small.pth does not fit this network:" and len(lines) == 12
    assert "  unknown stages.2.blocks.9.gamma [384]" in lines
    assert lines[-1].startswith("  and ")


def test_checkpoint_of_a_wider_member_shows_both_shapes(data_dir):
    state = published(read_layouts(data_dir)["convnext_base"])
    with pytest.raises(UserError, match=r"stem.0.weight: \[128, 3, 4, 4\] in the file, \[96, 3,"):
        load(state, zoo.find("convnext_small"))


def test_one_entry_too_many_or_too_few(data_dir):
    tiny = read_tiny(data_dir, "convformer_dcls")
    with pytest.raises(UserError, match=r"unknown stages.9.blocks.0.norm1.weight \[7\]"):
        load(tiny.state | {"stages.9.0.norm1.weight": torch.zeros(7)}, tiny.spec)
    del tiny.state["stages.0.0.token_mixer.dwconv.P"]
    with pytest.raises(UserError, match=r"missing stages.0.blocks.0.token_mixer.dwconv.P \[2, 32"):
        load(tiny.state, tiny.spec)


def test_entries_that_timm_would_drop_are_named(data_dir):
    tiny = read_tiny(data_dir, "convnext")
    with pytest.raises(UserError, match=r"no place for\n  projectors.0.weight"):
        load(tiny.state | {"projectors.0.weight": torch.zeros(2)}, tiny.spec)


def test_shared_positions_that_differ_in_the_file_are_refused(data_dir):
    tiny = read_tiny(data_dir, "fastvit_dcls")
    last = "network.7.1.convffn.conv.conv.P"
    tiny.state[last] = tiny.state[last] + 0.5
    with pytest.raises(UserError, match=r"pos_enc.P and stages.3.blocks.1.\S+.P are shared"):
        tiny.load()


def test_absent_batch_counters_become_zero_and_are_mentioned(data_dir, capsys):
    tiny = read_tiny(data_dir, "resnet50")
    kept = {name: t for name, t in tiny.state.items() if not name.endswith("num_batches_tracked")}
    found = convert(kept, zoo.skeleton(tiny.spec), tiny.spec, "old.pth")
    counters = found.keys() - kept.keys()
    assert found.keys() == tiny.state.keys() and not any(found[name] for name in counters)
    assert (
        f"old.pth has no num_batches_tracked; {len(counters)} set to 0" in capsys.readouterr().err
    )
    del kept["bn1.running_mean"]
    with pytest.raises(UserError, match=r"missing bn1.running_mean \[64\]"):
        load(kept, tiny.spec)


# Containers


@pytest.mark.parametrize("key", ["state_dict_ema", "model", "model_ema", "state_dict", None])
@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("legacy", [False, True])
def test_state_is_found_in_its_wrapper(tmp_path, key, prefix, legacy):
    expected, path = train_state(tmp_path)
    state = {prefix + name: tensor for name, tensor in expected.items()}
    torch.save({key: state} if key else state, path, _use_new_zipfile_serialization=not legacy)
    assert_same(read_checkpoint(path), expected)


def test_averaged_weights_win_and_what_is_left_is_said(tmp_path, capsys):
    expected, path = train_state(tmp_path)
    raw = {name: tensor + 1 for name, tensor in expected.items()}
    torch.save({"epoch": 9, "state_dict": raw, "state_dict_ema": expected}, path)
    assert_same(read_checkpoint(path), expected)
    assert "took 'state_dict_ema', left epoch, state_dict" in capsys.readouterr().err


def test_safetensors(tmp_path):
    expected, path = train_state(tmp_path)
    save_file(expected, path)
    assert_same(read_checkpoint(path), dict(sorted(expected.items())))


@pytest.mark.parametrize("old_numpy", [False, True])
def test_leftovers_of_a_training_run_are_no_obstacle(tmp_path, old_numpy):
    """Arguments with a path, and a learning rate out of a numpy schedule."""
    expected, path = train_state(tmp_path)
    arguments = argparse.Namespace(job_dir=pathlib.PosixPath("/scratch/run"), device="cuda")
    optimizer = {"state": {0: {"step": 5}}, "param_groups": [{"lr": np.float64(4e-3)}]}
    torch.save({"model": expected, "args": arguments, "optimizer": optimizer}, path)
    if old_numpy:
        rewrite_pickle(path, lambda text: text.replace(b"numpy._core.", b"numpy.core."))
    assert_same(read_checkpoint(path), expected)


def rewrite_pickle(path, change):
    """Change the pickle inside a checkpoint of torch.save."""
    with zipfile.ZipFile(path) as archive:
        parts = {entry: archive.read(entry) for entry in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for entry, content in parts.items():
            changed = change(content) if entry.endswith("data.pkl") else content
            assert changed != content or not entry.endswith("data.pkl")
            archive.writestr(entry, changed)


# Files that want to run code


class Harmful:
    """Unpickling it makes a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def torch_zip(content, path, **how):
    torch.save(content, path, **how)


def torch_legacy(content, path):
    torch.save(content, path, _use_new_zipfile_serialization=False)


def bare_pickle(content, path):
    path.write_bytes(pickle.dumps(content))


newer_pickle = pytest.mark.filterwarnings("ignore:Detected pickle protocol")


@newer_pickle
@pytest.mark.parametrize("save", [torch_zip, torch_legacy, bare_pickle])
def test_file_that_wants_to_run_code_is_refused_and_says_what(tmp_path, save):
    state, path = train_state(tmp_path)
    save({"model": state, "args": Harmful(tmp_path / "made")}, path)
    with pytest.raises(UserError, match=r"c.pth was not loaded: it asks for .*posix.mkdir"):
        read_checkpoint(path)
    assert not (tmp_path / "made").exists()


@newer_pickle
def test_newer_pickle_inside_torchs_archive(tmp_path):
    _, path = train_state(tmp_path)
    wanted = {"args": Harmful(tmp_path / "made"), "again": os.rmdir}  # both of one module
    torch_zip(wanted, path, pickle_protocol=4)
    with pytest.raises(UserError, match="it asks for posix.mkdir, posix.rmdir, which"):
        read_checkpoint(path)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (torch.nn.Linear(2, 2), "torch.nn.modules.linear.Linear"),
        (io.BytesIO(b"x"), "_io.BytesIO"),
        (np.zeros(2), "reconstruct"),
        (eval, "eval"),
    ],
    ids=["whole module", "class", "numpy array", "builtin"],
)
def test_anything_but_the_harmless_kinds_is_refused(tmp_path, value, named):
    state, path = train_state(tmp_path)
    torch.save({"model": state, "extra": value}, path)
    with pytest.raises(UserError, match=f"it asks for .*{named}"):
        read_checkpoint(path)


# Files that are no checkpoint


@pytest.mark.parametrize("save", [torch_zip, torch_legacy, lambda c, p: save_file(c, p)])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.99])
def test_truncated_file(tmp_path, save, share):
    path = tmp_path / "c.pth"
    save({f"layer{i}.weight": torch.zeros(50) for i in range(20)}, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UserError, match=r"c.pth is damaged or cut short \(.+\); fetch it again"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<!DOCTYPE html>\n<html><body>404 Not Found</body></html>\n",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n",
        b"\x1f\x8b\x08\x00compressed",
        b"cos\nmkdir\n(S'made'\ntR.",
    ],
    ids=["empty", "HTML page", "pointer", "gzip", "text pickle"],
)
def test_other_content(tmp_path, content):
    path = tmp_path / "c.pth"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"c.pth is not a checkpoint: it begins with b['\"]") as e:
        read_checkpoint(path, source="https://example.org/c.pth")
    assert "https://example.org/c.pth" in str(e.value) and str(tmp_path) not in str(e.value)


def test_archive_of_something_else(tmp_path):
    np.savez(tmp_path / "c.npz", a=np.zeros(3))
    with pytest.raises(UserError, match="c.npz is damaged"):
        read_checkpoint(tmp_path / "c.npz")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([torch.zeros(2)], "holds a list, not a dictionary of tensors"),
        (torch.zeros(2), "holds a Tensor, not a dictionary"),
        ({}, "the file is no dictionary of tensors; it holds nothing"),
        ({"model": {}}, "model is no dictionary of tensors; it holds nothing"),
        (
            {"net": {"w": torch.zeros(2)}, "epoch": 3},
            r"it holds net \(dict\), epoch \(int\); looked",
        ),
        ({"model": {"w": torch.zeros(2), "step": 3}}, r"model is no .* it holds step \(int\)"),
        ({0: torch.zeros(2)}, r"the file is no .* it holds 0 \(Tensor\)"),
    ],
)
def test_content_that_is_no_state_dict(tmp_path, content, message):
    torch.save(content, tmp_path / "c.pth")
    with pytest.raises(UserError, match=message):
        read_checkpoint(tmp_path / "c.pth")
