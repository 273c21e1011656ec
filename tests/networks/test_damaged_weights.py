"""Damaged or hostile weights files and checkpoints are told, or give what was written."""

import functools
import io
import json
import pickle
import subprocess
import sys
import time
import zipfile

import damage
import numpy as np
import pytest
import torch
from damage import repeatable
from human_alignment.common.cli import UserError
from human_alignment.networks import checkpoints, zoo
from human_alignment.networks.checkpoints import read_checkpoint
from human_alignment.networks.weights import (
    DIGEST,
    RECORD,
    load_strictly,
    load_weights,
    read_spec,
    save_weights,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A weights file of a small network with DCLS."""
    spec = zoo.find("micro_resnet50_dcls")
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    save_weights(path, zoo.build(spec), spec, source="here")
    return path


def changed(sound, path, state=None, spec=None, entry=None):
    """A weights file without digest, with other tensors, fields of the record or entry."""
    with safe_open(sound, "pt") as stream:
        held = json.loads(stream.metadata()[RECORD])
    del held[DIGEST]
    held["spec"] |= spec or {}
    text = json.dumps(held) if entry is None else entry
    save_file(load_file(sound) | (state or {}), path, {RECORD: text})
    return path


NAME = "layer1.0.bn1.weight"
COUNTER = "layer1.0.bn1.num_batches_tracked"


@pytest.mark.parametrize(
    ("name", "act", "message"),
    [
        (NAME, lambda t: t * torch.nan, "holds NaN or infinite values"),
        (NAME, lambda t: t / 0, "holds NaN or infinite values"),
        (NAME, lambda t: t.double() * 1e300, "holds NaN or infinite values"),  # not as float32
        (NAME, lambda t: t.int(), "holds whole numbers; this network needs floating-point numbers"),
        (NAME, lambda t: t.bool(), "holds torch.bool; this network needs floating-point"),
        (NAME, lambda t: t.to(torch.complex64), "holds torch.complex64; this network needs"),
        (COUNTER, lambda t: t.float(), "holds floating-point numbers; this network needs whole"),
    ],
)
def test_tensors_that_are_no_weights_are_named(sound, tmp_path, name, act, message):
    state = {name: act(load_file(sound)[name])}
    path = changed(sound, tmp_path / "w.safetensors", state)
    with pytest.raises(UserError, match=f"w.safetensors: {name} {message}"):
        load_weights(path)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_are_converted(sound, tmp_path, kind):
    state = {
        name: t.to(kind) if t.is_floating_point() else t for name, t in load_file(sound).items()
    }
    model, _, _ = load_weights(changed(sound, tmp_path / "w.safetensors", state))
    assert model.state_dict()[NAME].dtype == torch.float32


def test_changed_tensors_and_records_are_noticed(sound, tmp_path):
    path, content = tmp_path / "w.safetensors", sound.read_bytes()
    for at in (len(content) - 3, content.index(b"here"), content.index(b"crop")):
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(UserError, match="w.safetensors"):
            load_weights(path)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"family": "resnot"}, "family is 'resnot'"),
        ({"family": 3}, "family is 3"),
        ({"family": ["resnet"]}, "family is"),
        ({"arguments": 7}, "arguments is 7"),
        ({"arguments": {"layers": "many"}}, "cannot build|does not fit"),
        ({"arguments": {"layers": [10**9] * 4}}, "arguments of its network hold 1000000000"),
        ({"arguments": {"layers": [1, 1, 1, 1], "stem_width": 10**7}}, "network hold 10000000"),
        ({"arguments": {"colour": 1}}, "cannot build"),
        ({"transform": "none"}, "transform is 'none'"),
        ({"transform": {"resize": 10**9, "crop": 10**9}}, "transform.resize is 1000000000"),
        ({"transform": None}, "needs a `transform`"),
        ({"num_classes": "ten"}, "num_classes is 'ten'"),
        ({"num_classes": -1}, "num_classes is -1"),
        ({"num_classes": 10**10}, "does not fit this network"),
        ({"dcls": {"kernel_size": 10**6 + 1, "kernel_count": 3}}, "dcls.kernel_size is 1000001"),
        ({"dcls": {"kernel_size": 7, "kernel_count": 10**9, "replaces": "3x3"}},
         "dcls.kernel_count is 1000000000, but its positions are of"),
        ({"dcls": {"kernel_size": 7, "kernel_count": 5}}, "DCLS has nothing to replace"),
        ({"micro": "yes"}, "micro is 'yes'"),
        ({"more": 1}, "unknown key 'more'"),
    ],
)  # fmt: skip
def test_junk_in_the_record_is_told_without_building_it(sound, tmp_path, spec, message):
    path = changed(sound, tmp_path / "w.safetensors", spec=spec)
    began = time.monotonic()
    with damage.one_gigabyte(), pytest.raises(UserError, match=message) as caught:
        load_weights(path)
    assert "w.safetensors" in str(caught.value)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    "entry", ["", "{", "3", "[]", "null", '"spec"', '{"spec": 3}', "[" * 99_999]
)
def test_junk_for_the_metadata_is_told(sound, tmp_path, entry):
    path = changed(sound, tmp_path / "w.safetensors", entry=entry)
    for read in (read_spec, load_weights):
        with pytest.raises(UserError, match="w.safetensors is not a weights file"):
            read(path)


@pytest.mark.filterwarnings("ignore::UserWarning")  # torch's, on such tensors
def test_tensors_that_hold_no_plain_values_are_named(tmp_path):
    path = tmp_path / "c.pth"
    quantised = torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)
    for kind, tensor in {
        "a sparse": torch.eye(3).to_sparse(),
        "a quantised": quantised,
        "a meta": torch.empty(3, device="meta"),
    }.items():
        torch.save({"fine": torch.ones(2), "strange": tensor}, path)
        with pytest.raises(UserError, match=f"c.pth: strange is {kind} tensor"):
            read_checkpoint(path)


def deflated(source, path):
    """The same archive with its large entries compressed."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for entry in old.infolist():
            how = zipfile.ZIP_DEFLATED if entry.file_size > 10_000 else zipfile.ZIP_STORED
            new.writestr(entry.filename, old.read(entry), how)
    return path


def test_an_archive_that_unpacks_to_more_than_it_holds_is_not_opened(tmp_path):
    """In a process of its own: a bomb must neither take memory nor end it."""
    torch.save({"w": torch.zeros(16 << 20)}, tmp_path / "large.pth")  # 64 MB
    bomb = deflated(tmp_path / "large.pth", tmp_path / "bomb.pth")
    assert bomb.stat().st_size < 1 << 20
    code = (
        "import resource, sys\n"
        "from human_alignment.networks.checkpoints import read_checkpoint\n"
        "from human_alignment.common.cli import UserError\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n    read_checkpoint(sys.argv[1])\n"
        "except UserError as error:\n    print(error)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    command = [sys.executable, "-c", code, str(bomb)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        cwd=checkpoints.__file__.rsplit("/", 3)[0],
    )
    message, kilobytes = done.stdout.splitlines()
    assert "bomb.pth was not opened: its entry large/data/0" in message
    assert "unpacks to 67108864, and torch.save compresses nothing" in message
    assert int(kilobytes) < 20_000


def test_a_pickle_beyond_the_limit_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "LARGEST_PICKLE", 200)
    torch.save({f"name {i}": torch.zeros(1) for i in range(20)}, tmp_path / "c.pth")
    with pytest.raises(UserError, match="c.pth was not opened: its pickle c/data.pkl has .* bytes"):
        read_checkpoint(tmp_path / "c.pth")


def test_entries_that_overlap_are_not_opened(tmp_path):
    """The list of entries names one stretch of bytes many times."""
    torch.save({"w": torch.zeros(100_000)}, tmp_path / "c.pth")
    with zipfile.ZipFile(tmp_path / "c.pth", "a") as archive:
        entry = next(one for one in archive.infolist() if one.file_size > 1000)
        archive.filelist += [entry] * 50
        archive._didModify = True
    with pytest.raises(UserError, match="c.pth was not opened: its entries claim 204"):
        read_checkpoint(tmp_path / "c.pth")


def test_storages_that_claim_more_than_there_is_are_told(tmp_path):
    """A pickle in which a tensor of two values claims a thousand million."""
    torch.save({"w": torch.zeros(2)}, tmp_path / "c.pth", _use_new_zipfile_serialization=False)
    content = (tmp_path / "c.pth").read_bytes()
    small, large = pickle.dumps(2, 2)[2:4], b"J" + (10**9).to_bytes(4, "little")
    assert small in content
    (tmp_path / "c.pth").write_bytes(content.replace(small, large))
    with damage.one_gigabyte(), pytest.raises(UserError, match="c.pth"):
        read_checkpoint(tmp_path / "c.pth")


def test_a_checkpoint_of_a_diverged_training_is_refused():
    spec = zoo.find("micro_resnet50")
    state = zoo.build(spec).state_dict()
    state[NAME][0] = np.nan
    with pytest.raises(UserError, match=f"x.pth: {NAME} holds NaN or infinite values"):
        load_strictly(zoo.build(spec), state, "x.pth")


def everything(path):
    """All that a weights file gives."""
    model, spec, notes = load_weights(path)
    state = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    return [spec.as_json(), notes, state]


@settings(repeatable, max_examples=80)
@given(data=st.data())
def test_bytes_of_weights_files_damaged_at_random(sound, tmp_path, data):
    path, content = tmp_path / "w.safetensors", sound.read_bytes()
    if data.draw(st.booleans()):  # the header is a small part of the file
        length = 8 + int.from_bytes(content[:8], "little")
        content = data.draw(damage.bytes_damaged(content[:length])) + content[length:]
    else:
        content = data.draw(damage.bytes_damaged(content))
    path.write_bytes(content)
    damage.told_or_same("weights, bytes", lambda: everything(path), everything(sound))


@settings(repeatable, max_examples=80)
@given(data=st.data())
def test_records_of_weights_files_damaged_at_random(sound, tmp_path, data):
    name = data.draw(st.sampled_from(["family", "arguments", "transform", "dcls", "num_classes"]))
    spec = {name: data.draw(st.sampled_from(damage.JUNK))}
    path = changed(sound, tmp_path / "w.safetensors", spec=spec)
    damage.told_or_same("weights, record", lambda: everything(path), damage.ANY)


@functools.cache
def checkpoint(zipped: bool) -> bytes:
    """A checkpoint, made once: torch's old format holds addresses, so its length varies."""
    state = {"w": torch.arange(12.0).reshape(3, 4), "b": torch.ones(3)}
    stream = io.BytesIO()
    torch.save({"model": state, "epoch": 3}, stream, _use_new_zipfile_serialization=zipped)
    return stream.getvalue()


@pytest.mark.filterwarnings("ignore::UserWarning")  # torch's, on pickles of other protocols
@settings(repeatable, max_examples=150)
@given(data=st.data())
def test_bytes_of_checkpoints_damaged_at_random(tmp_path, data):
    """Other values can come out of a checkpoint: its publisher's digest is what finds that."""
    path = tmp_path / "c.pth"
    content = checkpoint(data.draw(st.booleans()))
    path.write_bytes(data.draw(damage.bytes_damaged(content)))
    damage.told_or_same("checkpoint, bytes", lambda: read_checkpoint(path), damage.ANY)
