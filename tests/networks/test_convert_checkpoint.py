"""From a published file to our weights file: all that the two scripts are given, good or bad."""

import hashlib
import io
import os

import convert_checkpoint
import download_checkpoint
import fetch_checkpoint
import pytest
import torch
from human_alignment.common.cli import UserError
from human_alignment.networks import zoo
from human_alignment.networks.weights import load_weights
from misbehaving_server import CHUNK, MisbehavingServer, Reply
from reference_models import read_layouts

MODEL = "micro_convnext_tiny_dcls"


@pytest.fixture(autouse=True)
def _quick_and_local(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr("human_alignment.data.download.time.sleep", lambda _seconds: None)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A checkpoint as a training run of timm leaves it: its bytes, digest, and state."""
    torch.manual_seed(0)
    state = zoo.build(zoo.find(MODEL)).state_dict()
    path = tmp_path_factory.mktemp("published") / "c.pth.tar"
    torch.save({"state_dict_ema": state, "epoch": 300}, path)
    content = path.read_bytes()
    assert len(content) > 2 * CHUNK
    return content, hashlib.sha256(content).hexdigest(), state


def download(url, folder, *more):
    """Run the script into an existing or a new folder; path of the checkpoint."""
    output = folder / "checkpoint"
    download_checkpoint.main(["--source", url, "--output", str(output), *more])
    return output


def convert(checkpoint, folder, *more, model=MODEL):
    """Run the script into an existing or a new folder; path of the weights file."""
    output = folder / "published.safetensors"
    given = ["--model", model, "--checkpoint", str(checkpoint), "--output", str(output)]
    convert_checkpoint.main([*given, *more])
    return output


def assert_is(path, state):
    loaded = load_weights(path)[0].state_dict()
    assert all(torch.equal(loaded[name], state[name]) for name in state)


def assert_nothing_in(folder):
    assert not folder.exists() or not list(folder.iterdir())


def test_local_file(tmp_path, checkpoint):
    content, digest, state = checkpoint
    (tmp_path / "c.pth").write_bytes(content)
    path = convert(tmp_path / "c.pth", tmp_path / "w", "--sha256=")
    assert_is(path, state)
    _, spec, notes = load_weights(path)
    assert spec == zoo.find(MODEL)
    assert notes == {"source": str(tmp_path / "c.pth"), "sha256": digest}
    assert list((tmp_path / "w").iterdir()) == [path]
    assert (tmp_path / "c.pth").read_bytes() == content


@pytest.mark.parametrize("given", [True, False])
def test_url_with_and_without_its_digest(tmp_path, checkpoint, capsys, given):
    content, digest, state = checkpoint
    sha256 = f"--sha256={digest.upper() if given else ''}"
    with MisbehavingServer(Reply(content)) as server:
        file = download(server.url, tmp_path / "c", sha256)
    assert file.read_bytes() == content and list((tmp_path / "c").iterdir()) == [file]
    path = convert(file, tmp_path / "w", sha256, "--source", server.url)
    assert load_weights(path)[2] == {"source": server.url, "sha256": digest}
    assert_is(path, state)
    said = capsys.readouterr().err
    assert said.count(f"no sha256 in the config; found {digest}") == (not given)


def test_secrets_of_the_address_are_in_no_note(tmp_path, checkpoint, capsys):
    (tmp_path / "c.pth").write_bytes(checkpoint[0])
    source = "https://user:s3cr3t@example.org/a.pth?token=s3cr3t"
    path = convert(tmp_path / "c.pth", tmp_path / "w", "--sha256=", "--source", source)
    assert load_weights(path)[2]["source"] == "https://***@example.org/a.pth?token=***"
    assert b"s3cr3t" not in path.read_bytes()
    with pytest.raises(UserError) as caught:
        convert(tmp_path / "c.pth", tmp_path / "w", "--sha256", "0" * 64, "--source", source)
    assert "s3cr3t" not in str(caught.value) + "".join(capsys.readouterr())


@pytest.mark.parametrize("kind", ["url", "path", "file"])
def test_both_steps_in_one_go_by_hand(tmp_path, checkpoint, kind):
    content, digest, state = checkpoint
    (tmp_path / "c.pth").write_bytes(content)
    output = tmp_path / "w" / "weights.safetensors"
    with MisbehavingServer(Reply(content)) as server:
        source = {"url": server.url, "path": str(tmp_path / "c.pth")}.get(
            kind, f"file://{tmp_path}/c.pth"
        )
        given = ["--model", MODEL, "--source", source, "--output", str(output)]
        fetch_checkpoint.main(given)
        assert_is(output, state)
        assert load_weights(output)[2] == {"source": source, "sha256": digest}
        with pytest.raises(UserError, match="another sha256"):
            fetch_checkpoint.main([*given, "--sha256", "0" * 64])
    assert list((tmp_path / "w").iterdir()) == [output]


def test_published_layout_under_the_authors_names(data_dir, tmp_path):
    layout = read_layouts(data_dir)["caformer_s18_dcls"]
    first = {name: group[0] for group in layout["shared"] for name in group}
    value = {name: i / 1000 for i, (name, _, _) in enumerate(layout["state"])}
    state = {
        name: torch.tensor(value[first.get(name, name)]).expand(shape)
        for name, shape, _ in layout["state"]
    }
    torch.save({layout["wrapper"]: state}, tmp_path / "c.pth")
    path = convert(tmp_path / "c.pth", tmp_path, model="caformer_s18_dcls")
    loaded = load_weights(path)[0].state_dict()
    for theirs, ours in (
        ("stages.0.2.token_mixer.dwconv.P", "stages.0.blocks.2.token_mixer.dwconv.P"),
        ("downsample_layers.1.conv.weight", "stages.1.downsample.conv.weight"),
        ("norm.weight", "head.norm.weight"),
        ("head.fc2.bias", "head.fc.fc2.bias"),
    ):
        assert torch.equal(loaded[ours], state[theirs])


def test_broken_off_download_is_resumed_by_a_rerun(tmp_path, checkpoint):
    content, _, _ = checkpoint
    with MisbehavingServer(Reply(content, drop_after=CHUNK)) as server:
        server.replies = [Reply(content, drop_after=CHUNK), Reply(content, status=503)]
        with pytest.raises(UserError, match=rf"{CHUNK} of {len(content)} bytes are kept; run"):
            download(server.url, tmp_path)
        assert all(path.name.startswith(".") for path in tmp_path.iterdir())
        server.replies = [Reply(content)]
        file = download(server.url, tmp_path)
        assert server.requests[-1].headers["Range"] == f"bytes={CHUNK}-"
    assert file.read_bytes() == content
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("status", [403, 404, 500])
def test_address_that_answers_an_error(tmp_path, checkpoint, status):
    with MisbehavingServer(Reply(checkpoint[0], status=status)) as server:
        with pytest.raises(UserError, match=f"HTTP {status}"):
            download(server.url, tmp_path / "w")
        assert len(server.requests) == (5 if status == 500 else 1)
    assert_nothing_in(tmp_path / "w")


@pytest.mark.parametrize(
    ("page", "message"),
    [
        (Reply(b"<p>Sign in</p>", content_type="text/html"), "is an HTML page, not the file"),
        (Reply(b"<!DOCTYPE html><html><body>Sign in"), "is an HTML page, not the file"),
        (Reply(b"Too many requests"), "is not a checkpoint: it begins with b'Too many"),
    ],
    ids=["html", "html without its type", "text"],
)
def test_page_instead_of_a_checkpoint_is_not_kept(tmp_path, page, message):
    with MisbehavingServer(page) as server, pytest.raises(UserError, match=message):
        download(server.url, tmp_path / "w")
    assert_nothing_in(tmp_path / "w")


def test_download_with_another_digest_is_not_kept(tmp_path, checkpoint):
    content, digest, _ = checkpoint
    with MisbehavingServer(Reply(content)) as server, pytest.raises(UserError) as caught:
        download(server.url, tmp_path / "w", "--sha256", "0" * 64)
    assert "0" * 64 in str(caught.value) and digest in str(caught.value)
    assert_nothing_in(tmp_path / "w")


@pytest.mark.parametrize(
    ("source", "remedy"),
    [
        ("https://example.org/c.pth", "delete {}, to have it downloaded again, or"),
        ("", "replace it, or"),
    ],
)
def test_conversion_checks_the_digest_too_and_says_what_to_do(tmp_path, checkpoint, source, remedy):
    content, digest, _ = checkpoint
    file = tmp_path / "c.pth"
    file.write_bytes(content)
    with pytest.raises(UserError) as caught:
        convert(file, tmp_path / "w", "--sha256", "0" * 64, "--source", source)
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{source or file} has another sha256 than expected"
    assert lines[1:3] == [f"  expected {'0' * 64}", f"  found    {digest}, of {file}"]
    assert lines[3].startswith(remedy.format(file))
    assert file.read_bytes() == content
    assert_nothing_in(tmp_path / "w")


def test_plain_checkpoint_for_a_network_with_dcls(tmp_path):
    state = zoo.build(zoo.find("micro_convnext_tiny")).state_dict()
    torch.save({"model": state}, tmp_path / "c.pth")
    with pytest.raises(UserError, match="c.pth: This checkpoint is of the plain network"):
        convert(tmp_path / "c.pth", tmp_path / "w")


def damaged(content):
    return content[: len(content) // 2]


def others(_content):
    state = zoo.build(zoo.find("micro_resnet50")).state_dict()
    return saved({"state_dict": state})


class Harmful:
    def __reduce__(self):
        return os.mkdir, ("made",)


def harmful(_content):
    return saved({"state_dict": {}, "args": Harmful()})


def saved(content):
    stream = io.BytesIO()
    torch.save(content, stream)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (damaged, "c.pth is damaged or cut short"),
        (others, r"c.pth does not fit this network:\n  missing stem.0.weight \[16, 3, 4, 4\]"),
        (harmful, "c.pth was not loaded: it asks for posix.mkdir"),
        (lambda _content: b"Too many requests", "c.pth is not a checkpoint: it begins with b'Too"),
    ],
    ids=["truncated", "another model", "wants to run code", "text"],
)
def test_unusable_file_leaves_nothing_and_spares_what_was_there(
    tmp_path, monkeypatch, checkpoint, change, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.pth").write_bytes(change(checkpoint[0]))
    with pytest.raises(UserError, match=message):
        convert("c.pth", tmp_path / "w")
    assert_nothing_in(tmp_path / "w")
    older = tmp_path / "w" / "published.safetensors"
    older.parent.mkdir(exist_ok=True)
    older.write_bytes(b"older")
    with pytest.raises(UserError):
        convert("c.pth", tmp_path / "w")
    assert older.read_bytes() == b"older"
    assert not (tmp_path / "made").exists()


def test_missing_checkpoint(tmp_path):
    with pytest.raises(UserError, match="c.pth: no such file"):
        convert(tmp_path / "c.pth", tmp_path / "w")


def test_unknown_model(tmp_path, checkpoint):
    (tmp_path / "c.pth").write_bytes(checkpoint[0])
    with pytest.raises(UserError, match="unknown network 'resnet51'"):
        convert(tmp_path / "c.pth", tmp_path / "w", model="resnet51")
