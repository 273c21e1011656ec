"""Training as a rule: on an image folder, and through an interruption."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest
import yaml
from human_alignment.networks.weights import read_spec
from human_alignment.training.processes import on_this_node
from small_training import write_folder
from workflow_copy import Workflow


@pytest.fixture
def workflow(root, study, tmp_path):
    """The reduced study, with networks trained on an image folder for sixty steps."""
    workflow = Workflow(root, tmp_path)
    folders = {part: str(write_folder(tmp_path / part)) for part in ("train", "val")}
    recipes = {"folder": {"steps": 60, "batch_size": 16, "learning_rate": 0.004, "mixup": 0.8}}
    entry = {"source": "train", "architecture": "micro_convnext_tiny"}
    entry["train"] = {"recipe": "folder", "seeds": [0]}
    models = {"convnext_tiny_dcls": entry}
    workflow.write({**study, "imagenet": folders, "recipes": recipes, "models": models})
    return workflow


def interrupt_training(workflow: Workflow, log: Path) -> None:
    """Send SIGTERM to the training once its log shows that it learns."""
    while not (log.is_file() and "step 9 " in log.read_text()):
        time.sleep(0.05)
    for process in workflow.processes("train_model.py"):
        os.kill(process, signal.SIGTERM)


def test_a_folder_trained_through_an_interruption(workflow):
    weights = workflow.work / "results/demo/weights/convnext_tiny_dcls/seed0.safetensors"
    log = workflow.work / "logs/demo/train_model/convnext_tiny_dcls.seed0.log"
    killer = threading.Thread(target=interrupt_training, args=(workflow, log), daemon=True)
    killer.start()
    top1 = str(weights.with_name("seed0.top1.json").relative_to(workflow.work))
    done = workflow.snakemake(top1, "--retries", "1")
    killer.join(timeout=1)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Trying to restart job" in done.stdout + done.stderr
    assert "going on after step " in log.read_text()
    assert "step 60 (epoch 40.00)" in log.read_text()
    assert read_spec(weights)[0].num_classes == 3
    assert list(weights.parent.glob(".*.checkpoint")) == []
    study = yaml.safe_load(workflow.config_file.read_text())
    where = {**study, "train": {"gpus": 4, "nodes": 2, "minutes": 3}}
    workflow.write(where)
    assert "train_model" not in workflow.planned(top1)  # another machine is no reason to train


def test_the_sixteen_trainings_ask_a_cluster_for_what_they_need(root, tmp_path):
    workflow = Workflow(root, tmp_path)
    study = yaml.safe_load((root / "config.yaml").read_text())
    for entry in study["models"].values():
        entry["source"] = "train"
    study["imagenet"]["train"] = str(write_folder(tmp_path / "train"))
    workflow.write({**study, "train": {"gpus": 4, "nodes": 2}, "threads": 4})
    profile = str(workflow.repository / "profiles" / "slurm")
    done = workflow.snakemake(
        "--dry-run", "--profile", profile, "--cores", "64", "--printshellcmds"
    )
    text = done.stdout + done.stderr
    assert done.returncode == 0, text
    jobs = [job for job in text.split("\nrule ") if job.startswith("train_model:")]
    assert len(jobs) == 16
    for job in jobs:
        assert "threads: 16" in job and "--threads 16 --workers 16 --gpus 8 --nodes 2" in job
        for need in ("gpu=8", "nodes=2", "tasks=2", "mem_mb=32000", "runtime=1440"):
            assert f" {need}," in job


def test_ranks_share_the_cores_of_their_node(monkeypatch):
    assert on_this_node() == 1
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "8")
    assert on_this_node() == 8
