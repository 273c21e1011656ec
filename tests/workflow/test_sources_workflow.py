"""Checkpoints and image folders as inputs: what runs again when they change, what is tried once."""

import hashlib
import os
import re

import pytest
from human_alignment.networks.weights import load_weights
from misbehaving_server import MisbehavingServer, Reply
from small_training import write_folder
from workflow_copy import Workflow

MODEL = "convnext_tiny_dcls"
DOWNLOADED = f"results/demo/checkpoints/{MODEL}"
WEIGHTS = f"results/demo/weights/{MODEL}/published.safetensors"
TRAINED = f"results/demo/weights/{MODEL}/seed0.safetensors"
TOP1 = f"results/demo/weights/{MODEL}/seed0.top1.json"


@pytest.fixture
def workflow(root, tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return Workflow(root, tmp_path)


def publish(workflow, study, url, sha256=None, model=MODEL):
    """The study with one published network."""
    checkpoint = {"url": url} | ({"sha256": sha256} if sha256 else {})
    entry = {"source": "published", "architecture": "micro_convnext_tiny", "checkpoint": checkpoint}
    workflow.write({**study, "models": {model: entry}})


def run(workflow, *arguments):
    done = workflow.snakemake(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr


def failed(workflow, *arguments):
    """What a run says that fails, though it may try three times."""
    done = workflow.snakemake(*arguments, "--retries", "2")
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "Trying to restart" not in said
    return said


def edit(workflow, file):
    path = workflow.repository / "workflow_scripts" / file
    path.write_text(path.read_text() + "\nEDITED = 1\n")


def test_a_checkpoint_is_downloaded_once(workflow, study, contents):
    content, digest = contents[0], hashlib.sha256(contents[0]).hexdigest()
    with MisbehavingServer(Reply(content)) as server:
        publish(workflow, study, server.url)
        run(workflow, WEIGHTS)
        assert workflow.planned(WEIGHTS) == {}
        assert load_weights(workflow.work / WEIGHTS)[2] == {"source": server.url, "sha256": digest}
        edit(workflow, "download_checkpoint.py")
        assert workflow.planned(WEIGHTS) == {}
        edit(workflow, "convert_checkpoint.py")
        assert workflow.planned(WEIGHTS) == {"convert_checkpoint": 1}
        publish(workflow, study, server.url, digest)
        run(workflow, WEIGHTS)
        assert workflow.planned(WEIGHTS) == {}
        publish(workflow, study, server.url, "0" * 64)
        assert f"delete {DOWNLOADED}, to have it downloaded again" in failed(workflow, WEIGHTS)
        assert len(server.requests) == 1
        publish(workflow, study, f"{server.address}/other.bin", digest)
        assert workflow.planned(WEIGHTS) == {"download_checkpoint": 1, "convert_checkpoint": 1}
    assert (workflow.work / DOWNLOADED).read_bytes() == content


@pytest.mark.parametrize("kind", ["./{name}", "file://{folder}/{name}"])
def test_an_overwritten_local_checkpoint_is_converted_again(workflow, study, contents, kind):
    file = workflow.work / "c.pth"
    file.write_bytes(contents[0])
    publish(workflow, study, kind.format(name=file.name, folder=file.parent))
    assert workflow.planned(WEIGHTS) == {"convert_checkpoint": 1}
    run(workflow, WEIGHTS)
    file.touch()
    assert workflow.planned(WEIGHTS) == {}
    file.write_bytes(contents[1])
    assert workflow.planned(WEIGHTS) == {"convert_checkpoint": 1}


@pytest.mark.parametrize("kind", ["{}", "file://{}"])
def test_a_missing_local_checkpoint_is_told_before_any_job(workflow, study, kind):
    publish(workflow, study, kind.format("/no/such/c.pth"))
    path = re.escape(kind.format("/no/such/c.pth"))
    assert re.search(rf"checkpoint\.url: {path} does not exist", failed(workflow, "--dry-run"))


def test_what_cannot_succeed_is_tried_once(workflow, study):
    with MisbehavingServer(Reply(b"gone", status=404)) as server:
        publish(workflow, study, server.url)
        assert "HTTP 404" in failed(workflow, WEIGHTS)
        assert len(server.requests) == 1


def test_a_shard_that_cannot_come_is_tried_once(workflow, study):
    with MisbehavingServer(Reply(b"gone", status=404)) as server:
        clickme = {"source": server.address, "shards": 2}
        publish(workflow, {**study, "data": "clickme", "clickme": clickme}, server.url)
        assert "HTTP 404" in failed(workflow, "results/demo/data/shards/val-1.tfrecords")
        assert len(server.requests) == 1


def test_a_checkpoint_that_does_not_fit_is_converted_once(workflow, study, contents):
    (workflow.work / "c.pth").write_bytes(contents[0])
    publish(workflow, study, "c.pth", model="convnext_tiny")
    assert "checkpoint is of the network with DCLS" in failed(
        workflow, WEIGHTS.replace("_dcls", "")
    )


@pytest.fixture
def trained(workflow, study, tmp_path):
    """A network trained for two steps on an image folder, and its top-1; the two folders."""
    folders = {part: write_folder(tmp_path / part, each=2) for part in ("train", "val")}
    (folders["train"] / "class0" / "notes.txt").write_text("of 2012")
    entry = {"source": "train", "architecture": "micro_convnext_tiny"}
    entry["train"] = {"recipe": "short", "seeds": [0]}
    recipes = {"short": {"steps": 2, "batch_size": 4, "learning_rate": 0.004}}
    named = {part: str(folder) for part, folder in folders.items()}
    models = {MODEL: entry}
    workflow.write({**study, "imagenet": named, "recipes": recipes, "models": models})
    run(workflow, TOP1)
    return folders


def test_image_folders_count_by_their_images(workflow, trained):
    def planned():
        return workflow.planned(TOP1)

    assert planned() == {}
    for folder in trained.values():
        for path in [folder, *folder.rglob("*")]:
            path.touch()
        (folder / "class0" / "notes.txt").write_text("of 2013")
        (folder / "class1" / ".listing").write_text("1.jpg")
    assert planned() == {}
    old = trained["val"] / "class0" / "0.png"
    new = old.with_name("new.PNG")
    new.write_bytes(old.read_bytes())
    os.utime(new, (0, 0))  # a copy that keeps its time
    assert planned() == {"evaluate_top1": 1}
    new.unlink()
    assert planned() == {}
    (trained["train"] / "class2" / "1.jpg").unlink()
    assert planned() == {"train_model": 1, "evaluate_top1": 1}


def test_image_folders_are_read_only_for_jobs_that_need_them(workflow, trained):
    path = workflow.repository / "workflow_scripts/human_alignment/common/class_folders.py"
    broken = 'def images_digest(root):\n    raise RuntimeError(f"reads {root}")\n'
    path.write_text(f"{path.read_text()}\n\n{broken}")
    assert workflow.planned("results/demo/data/digits.h5") == {"prepare_digits": 1}
    done = workflow.snakemake("--dry-run", TRAINED)
    assert f"reads {trained['train']}" in done.stdout + done.stderr
