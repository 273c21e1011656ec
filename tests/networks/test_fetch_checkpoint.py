"""From a published file to our weights file: everything the script is given, good or bad."""

import hashlib
import io
import os

import pytest
import torch
from fetch_checkpoint import main
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


def fetch(source, folder, *more, model=MODEL):
    """Run the script into an existing or a new folder; path of the weights file."""
    output = folder / "published.safetensors"
    main(["--model", model, "--source", str(source), "--output", str(output), *more])
    return output


def assert_is(path, state):
    loaded = load_weights(path)[0].state_dict()
    assert all(torch.equal(loaded[name], state[name]) for name in state)


def assert_nothing_in(folder):
    assert not folder.exists() or not list(folder.iterdir())


def test_local_file(tmp_path, checkpoint, capsys):
    content, digest, state = checkpoint
    (tmp_path / "c.pth").write_bytes(content)
    path = fetch(tmp_path / "c.pth", tmp_path / "w", "--sha256", "")
    assert_is(path, state)
    _, spec, notes = load_weights(path)
    assert spec == zoo.find(MODEL)
    assert notes == {"source": str(tmp_path / "c.pth"), "sha256": digest}
    written = (tmp_path / "w" / "published.safetensors.checkpoint.sha256").read_text()
    assert written == f"{digest}  {tmp_path / 'c.pth'}\n"
    assert len(list((tmp_path / "w").iterdir())) == 2  # the download is gone
    assert (tmp_path / "c.pth").read_bytes() == content
    assert capsys.readouterr().err.count(f"no sha256 in the config; found {digest}") == 1


def test_url_with_its_digest(tmp_path, checkpoint, capsys):
    content, digest, state = checkpoint
    with MisbehavingServer(Reply(content)) as server:
        path = fetch(server.url, tmp_path, "--sha256", digest.upper())
        assert load_weights(path)[2] == {"source": server.url, "sha256": digest}
    assert_is(path, state)
    assert "no sha256" not in capsys.readouterr().err


def test_published_layout_under_the_authors_names(data_dir, tmp_path):
    layout = read_layouts(data_dir)["caformer_s18_dcls"]
    first = {name: group[0] for group in layout["shared"] for name in group}
    value = {name: i / 1000 for i, (name, _, _) in enumerate(layout["state"])}
    state = {
        name: torch.tensor(value[first.get(name, name)]).expand(shape)
        for name, shape, _ in layout["state"]
    }
    torch.save({layout["wrapper"]: state}, tmp_path / "c.pth")
    path = fetch(tmp_path / "c.pth", tmp_path, model="caformer_s18_dcls")
    loaded = load_weights(path)[0].state_dict()
    for theirs, ours in (
        ("stages.0.2.token_mixer.dwconv.P", "stages.0.blocks.2.token_mixer.dwconv.P"),
        ("downsample_layers.1.conv.weight", "stages.1.downsample.conv.weight"),
        ("norm.weight", "head.norm.weight"),
        ("head.fc2.bias", "head.fc.fc2.bias"),
    ):
        assert torch.equal(loaded[ours], state[theirs])


def test_broken_off_download_is_resumed_by_a_rerun(tmp_path, checkpoint):
    content, digest, state = checkpoint
    with MisbehavingServer(Reply(content, drop_after=CHUNK)) as server:
        server.replies = [Reply(content, drop_after=CHUNK), Reply(content, status=503)]
        with pytest.raises(UserError, match=rf"{CHUNK} of {len(content)} bytes are kept; run"):
            fetch(server.url, tmp_path)
        assert all(path.name.startswith(".") for path in tmp_path.iterdir())
        server.replies = [Reply(content)]
        path = fetch(server.url, tmp_path)
        assert server.requests[-1].headers["Range"] == f"bytes={CHUNK}-"
    assert_is(path, state)
    assert load_weights(path)[2]["sha256"] == digest
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("status", [403, 404, 500])
def test_address_that_answers_an_error(tmp_path, checkpoint, status):
    with MisbehavingServer(Reply(checkpoint[0], status=status)) as server:
        with pytest.raises(UserError, match=f"HTTP {status}"):
            fetch(server.url, tmp_path / "w")
        assert len(server.requests) == (5 if status == 500 else 1)
    assert_nothing_in(tmp_path / "w")


@pytest.mark.parametrize("kind", ["text/html", "application/octet-stream"])
def test_page_instead_of_a_checkpoint(tmp_path, kind):
    page = b"<!DOCTYPE html><html><body>Sign in</body></html>"
    with (
        MisbehavingServer(Reply(page, content_type=kind)) as server,
        pytest.raises(UserError, match="is an HTML page, not the file"),
    ):
        fetch(server.url, tmp_path / "w")
    assert_nothing_in(tmp_path / "w")


def test_wrong_digest(tmp_path, checkpoint):
    content, digest, _ = checkpoint
    with MisbehavingServer(Reply(content)) as server, pytest.raises(UserError) as caught:
        fetch(server.url, tmp_path / "w", "--sha256", "0" * 64)
    assert "0" * 64 in str(caught.value) and digest in str(caught.value)
    assert_nothing_in(tmp_path / "w")


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
        fetch(tmp_path / "c.pth", tmp_path / "w")
    assert_nothing_in(tmp_path / "w")
    older = tmp_path / "w" / "published.safetensors"
    older.write_bytes(b"older")
    with pytest.raises(UserError):
        fetch(tmp_path / "c.pth", tmp_path / "w")
    assert older.read_bytes() == b"older"
    assert not (tmp_path / "made").exists()


def test_missing_local_file(tmp_path):
    with pytest.raises(UserError, match="c.pth: no such file"):
        fetch(tmp_path / "c.pth", tmp_path / "w")


def test_unknown_model_is_said_before_anything_is_fetched(tmp_path, checkpoint):
    with MisbehavingServer(Reply(checkpoint[0])) as server:
        with pytest.raises(UserError, match="unknown network 'resnet51'"):
            fetch(server.url, tmp_path / "w", model="resnet51")
        assert not server.requests
