"""timm's own weights by name: fetched from a hub on this machine, converted, refused in words."""

import hashlib
import io
import pickle
import re
import runpy
import zipfile

import convert_checkpoint
import download_checkpoint
import fetch_checkpoint
import numpy as np
import pytest
import timm
import torch
from hub_server import COMMIT, HubServer, weights_of
from human_alignment.common.cli import UserError
from human_alignment.common.sources import hub_file, local_path, url_problem
from human_alignment.data.images import network_input
from human_alignment.networks import hub, timm_weights, zoo
from human_alignment.networks.weights import load_weights, read_spec
from PIL import Image
from safetensors.torch import load, save

NAME = "test_resnet.r160_in1k"  # 0.5 million parameters; bilinear, 160 pixels, mean 0.5
REPOSITORY = f"timm/{NAME}"
SOURCE = f"hf://{REPOSITORY}/model.safetensors"


@pytest.fixture
def server(monkeypatch, tmp_path):
    with HubServer.of(NAME) as running:
        yield running.used(monkeypatch, tmp_path / "snapshots" / "cache")


def fetch(output, *more, model=f"timm:{NAME}"):
    fetch_checkpoint.main(["--model", model, "--output", str(output), *more])


def test_a_name_is_all_that_is_needed(server, tmp_path):
    fetch(tmp_path / "w.safetensors")
    model, spec, notes = load_weights(tmp_path / "w.safetensors")
    content = server.files[REPOSITORY, "model.safetensors"]
    digest = hashlib.sha256(content).hexdigest()
    assert notes == {"source": SOURCE, "sha256": digest, "revision": COMMIT}
    assert all(torch.equal(model.state_dict()[name], t) for name, t in load(content).items())
    assert spec.arguments == {"name": NAME} and spec.num_classes == 1000
    assert [method for method, *_ in server.requests] == ["HEAD", "GET"]
    fetch(tmp_path / "again.safetensors")
    assert [method for method, *_ in server.requests] == ["HEAD", "GET", "HEAD"]
    assert (tmp_path / "again.safetensors").read_bytes() == (
        tmp_path / "w.safetensors"
    ).read_bytes()


def test_the_transform_is_the_tags(tmp_path):
    found = zoo.find(f"timm:{NAME}").transform
    assert (found.crop, found.mean, found.interpolation) == (160, (0.5, 0.5, 0.5), "bilinear")
    default, other = (zoo.find(f"timm:convnext_tiny{tag}") for tag in ("", ".fb_in1k"))
    assert (default.transform.resize, other.transform.resize) == (235, 256)
    assert default.transform.interpolation == "bicubic"


@pytest.mark.parametrize(
    "name", [NAME, "convnext_tiny.fb_in1k", "vit_tiny_patch16_224.augreg_in21k", "dla34.in1k"]
)
def test_images_enter_as_timm_has_them_enter(name):
    picture = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    config = timm.data.resolve_data_config(pretrained_cfg=timm.get_pretrained_cfg(name).to_dict())
    theirs = timm.data.create_transform(**config)(Image.fromarray(picture)).numpy()
    ours = network_input(picture, zoo.find(f"timm:{name}").transform, "crop")
    assert ours.shape == theirs.shape and np.abs(ours - theirs).max() < 1e-5


def test_a_name_without_a_tag_takes_timms_default(server, tmp_path):
    fetch(tmp_path / "w.safetensors", model="timm:test_resnet")
    spec, notes = read_spec(tmp_path / "w.safetensors")
    assert spec.arguments == {"name": NAME} and notes["source"] == SOURCE


def test_a_token_is_sent_and_a_revision_asked_for(server, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    fetch(tmp_path / "w.safetensors", "--source", f"hf://{REPOSITORY}@v1/model.safetensors")
    assert server.requests[0] == (
        "HEAD",
        f"/{REPOSITORY}/resolve/v1/model.safetensors",
        "Bearer hf_secret",
    )


def test_the_two_steps_of_the_workflow_give_the_same(server, tmp_path):
    fetch(tmp_path / "w.safetensors")
    checkpoint = tmp_path / "checkpoints" / "m"
    download_checkpoint.main(["--source", SOURCE, "--sha256=", "--output", str(checkpoint)])
    assert checkpoint.is_symlink() and checkpoint.stat().st_size > 1000
    convert_checkpoint.main(
        ["--model", f"timm:{NAME}", "--checkpoint", str(checkpoint), "--source", SOURCE]
        + ["--output", str(tmp_path / "other.safetensors")]
    )
    assert load_weights(tmp_path / "other.safetensors")[2]["revision"] == COMMIT
    assert (tmp_path / "other.safetensors").read_bytes() == (
        tmp_path / "w.safetensors"
    ).read_bytes()


def test_a_wrong_digest_is_refused(server, tmp_path):
    with pytest.raises(UserError, match="has another sha256 than expected"):
        fetch(tmp_path / "w.safetensors", "--sha256", "0" * 64)
    assert not (tmp_path / "w.safetensors").exists()


def test_the_names_of_the_weights_authors_become_timms(server, tmp_path):
    """Some repositories hold the authors' names; timm renames them when it loads them."""
    name = "test_convnext.r160_in1k"
    ours = load(weights_of(name))
    renamed = {}
    for key, tensor in ours.items():
        key = key.replace("stem.", "downsample_layers.0.").replace("head.norm.", "norm.")
        key = key.replace("head.fc.", "head.").replace("mlp.fc", "pwconv")
        key = re.sub(r"stages\.(\d)\.downsample", r"downsample_layers.\1", key)
        renamed[key.replace(".blocks.", ".").replace("conv_dw", "dwconv")] = tensor
    assert not renamed.keys() <= ours.keys()
    server.files[f"timm/{name}", "model.safetensors"] = save(renamed)
    fetch(tmp_path / "w.safetensors", model=f"timm:{name}")
    model, _, _ = load_weights(tmp_path / "w.safetensors")
    assert all(torch.equal(model.state_dict()[key], tensor) for key, tensor in ours.items())


def test_any_other_file_of_the_hub_is_a_source(server, tmp_path):
    name, source = "micro_convnext_tiny_dcls", "hf://me/mine/best.safetensors"
    model = zoo.build(zoo.find(name))
    state = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    server.files["me/mine", "best.safetensors"] = save(state)
    fetch(tmp_path / "w.safetensors", "--source", source, model=name)
    found, _, notes = load_weights(tmp_path / "w.safetensors")
    assert (notes["source"], notes["revision"]) == (source, COMMIT)
    assert all(torch.equal(found.state_dict()[key], tensor) for key, tensor in state.items())


ANSWERS = [
    (401, "answered 401 Unauthorized", "HF_TOKEN"),
    (403, "answered 403 Forbidden", "accept its terms"),
    (404, "answered 404 Not Found", "checkpoint: {url: ...}"),
    (429, "answered 429 Too Many Requests", "wait some minutes"),
    (500, "answered 500 Internal Server Error", "HF_ENDPOINT"),
]


@pytest.mark.parametrize("status, told, remedy", ANSWERS, ids=[str(a[0]) for a in ANSWERS])
def test_an_answer_that_is_no_file_is_told(server, tmp_path, status, told, remedy):
    server.status = status
    with pytest.raises(UserError) as caught:
        fetch(tmp_path / "w.safetensors")
    said = str(caught.value)
    assert SOURCE in said and told in said and remedy in said and said.count("\n") < 4
    assert not (tmp_path / "w.safetensors").exists()
    assert not list((tmp_path / "snapshots" / "cache").rglob("*.safetensors"))


def test_a_hub_that_does_not_answer_is_told(server, monkeypatch, tmp_path):
    nobody = HubServer()
    nobody.address = "http://127.0.0.1:9"
    nobody.used(monkeypatch, tmp_path / "snapshots" / "cache")
    with pytest.raises(UserError, match="127.0.0.1:9 does not answer.*refused") as caught:
        fetch(tmp_path / "w.safetensors")
    assert "HF_ENDPOINT" in str(caught.value) and "HF_HOME" in str(caught.value)


def test_without_a_network_the_cache_serves(server, monkeypatch, tmp_path):
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="HF_HUB_OFFLINE is set, and the cache .* no such file"):
        fetch(tmp_path / "w.safetensors")
    assert server.requests == []
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", False)
    fetch(tmp_path / "w.safetensors")
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", True)
    fetch(tmp_path / "again.safetensors")
    assert len(server.requests) == 2


def test_a_download_that_breaks_off_leaves_no_weights(server, tmp_path):
    server.cut_after = 1000
    with pytest.raises(UserError, match="hf://timm/test_resnet"):
        fetch(tmp_path / "w.safetensors")
    assert list(tmp_path.glob("*.safetensors")) == []
    assert not list((tmp_path / "snapshots" / "cache").rglob("model.safetensors"))
    server.cut_after = None
    fetch(tmp_path / "w.safetensors")
    assert load_weights(tmp_path / "w.safetensors")[2]["revision"] == COMMIT


class Harmful:
    def __reduce__(self):
        return print, ("a pickle ran",)


def zipped():
    stream = io.BytesIO()
    torch.save({"weight": torch.zeros(3)}, stream)
    assert zipfile.is_zipfile(stream)
    return stream.getvalue()


@pytest.mark.parametrize("content", [pickle.dumps(Harmful()), zipped(), b""])
def test_nothing_but_safetensors_is_opened(server, tmp_path, capfd, content):
    server.files[REPOSITORY, "model.safetensors"] = content
    for call in (
        lambda: fetch(tmp_path / "w.safetensors"),
        lambda: download_checkpoint.main(["--source", SOURCE, "--output", str(tmp_path / "c")]),
    ):
        with pytest.raises(UserError, match="it is no safetensors file"):
            call()
    assert "a pickle ran" not in "".join(capfd.readouterr())
    assert not (tmp_path / "c").exists()


def test_a_file_of_another_network_does_not_fit(server, tmp_path):
    server.files[REPOSITORY, "model.safetensors"] = weights_of("test_vit")
    with pytest.raises(UserError, match=f"{SOURCE} does not fit this network"):
        fetch(tmp_path / "w.safetensors")


@pytest.mark.parametrize(
    "source, good",
    [
        ("hf://timm/resnet50.a1_in1k/model.safetensors", True),
        ("hf://me/x@0123abc/some/weights.safetensors", True),
        ("hf://timm/resnet50.a1_in1k/pytorch_model.bin", False),
        ("hf://resnet50/model.safetensors", False),
        ("hf://", False),
    ],
)
def test_an_address_on_the_hub(source, good, tmp_path):
    assert local_path(source) is None
    assert (hub_file(source) is not None) == good
    assert (url_problem(source) is None) == good
    if not good:
        with pytest.raises(UserError, match="is no file of the hub; .* only safetensors"):
            fetch(tmp_path / "w.safetensors", "--source", source)


@pytest.mark.parametrize(
    "name, told",
    [
        ("resnet50.a1_in1", "no weights called 'resnet50.a1_in1'; did you mean resnet50.a1_in1k"),
        ("resnet5", "no weights called 'resnet5'"),
        ("gcvit_tiny.in1k", "no repository of the hub .*`checkpoint: {url: ...}`"),
        ("vit_base_patch16_224.dino", "vit_base_patch16_224.dino: no classifier"),
        ("nest_tiny_jx.goog_in1k", "nest_tiny_jx.goog_in1k: its last feature map is not found"),
    ],
)
def test_what_cannot_be_fetched_is_said(name, told, tmp_path):
    with pytest.raises(UserError, match=told):
        fetch(tmp_path / "w.safetensors", model=f"timm:{name}")


def test_other_networks_need_a_source(tmp_path):
    with pytest.raises(UserError, match="only plain networks of timm"):
        fetch(tmp_path / "w.safetensors", model="convnext_tiny")


def test_the_list_of_weights_is_that_of_the_pinned_timm(root):
    listing = runpy.run_path(str(root / "envs" / "list_timm_models.py"))
    kept = [row._asdict() | {"default": int(row.default)} for row in timm_weights.listed().values()]
    reasons = {row["name"].partition(".")[0]: row.pop("no_map") for row in kept}
    assert kept == listing["weights"](), "run: python envs/list_timm_models.py"
    some = ["test_resnet", "test_vit", "nest_tiny_jx", "legacy_xception", "vgg11", "mixer_b16_224"]
    assert {name: listing["missing_map"](name) for name in some} == {
        name: reasons[name] for name in some
    }


def test_the_default_tag_is_timms():
    for name in ("resnet50", "convnext_tiny", "vit_base_patch16_224"):
        assert timm_weights.find(name).name == f"{name}.{timm.get_pretrained_cfg(name).tag}"


def test_patterns_choose_weights():
    names = [row.name for row in timm_weights.matching(["resnet18*.a?_in1k", "!*.a3_*"])]
    assert names == ["resnet18.a1_in1k", "resnet18.a2_in1k"]
    with pytest.raises(UserError, match=r"no weights of timm match 'resnet5.a1\*'; did you mean"):
        timm_weights.matching(["resnet18.*", "resnet5.a1*"])
