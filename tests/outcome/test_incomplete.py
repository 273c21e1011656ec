"""What tables and figures say in the place of what an incomplete study lacks.

The commands are those that a dry run prints, run one after another in this process; data, weights
and heatmaps are made up instead of computed, and figures are laid out but not painted.
"""

import importlib
import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import small_study
import yaml
from drawn_texts import words_of
from human_alignment.common import files
from human_alignment.data.data_file import DataFile
from human_alignment.heatmaps.heatmap_file import HeatmapWriter
from human_alignment.networks import zoo
from human_alignment.networks.dcls import dcls_layers
from human_alignment.networks.records import Network
from human_alignment.networks.weights import RECORD, read_spec
from human_alignment.outcome import style
from matplotlib.figure import Figure
from safetensors.numpy import save_file
from workflow_copy import Workflow

IMAGES = 12
TOP1 = {"convnext_tiny": 81.0, "resnet50_dcls": 79.0, "convnext_tiny_dcls": 82.0}
TOP1 |= {"efficientnet_b0": 77.0, "my_efficientnet": 78.0}


@dataclass
class Job:
    """One job of a dry run."""

    rule: str
    outputs: list[Path]
    command: list[str]


@dataclass
class Study:
    """A workflow whose upstream jobs are faked, and the words of the figures it drew."""

    workflow: Workflow
    words: dict[str, str] = field(default_factory=dict)

    def jobs(self) -> list[Job]:
        """Jobs that a dry run plans, in their order."""
        done = self.workflow.snakemake("--dry-run", "--printshellcmds")
        assert done.returncode == 0, done.stdout + done.stderr
        found = []
        for rule, block in re.findall(
            r"^(?:local)?rule (\w+):\n(.*?)(?=^\[|\Z)", done.stdout + done.stderr, re.M | re.S
        ):
            outputs = re.search(r"^    output: (.*)$", block, re.M)
            command = re.search(r"^Shell command: (.*)$", block, re.M)
            if outputs and command:
                words = shlex.split(re.split(r" 2?> ", command[1])[0])
                found.append(Job(rule, [Path(p) for p in outputs[1].split(", ")], words))
        return found

    def run(self, config: dict) -> list[Job]:
        """Make everything that the config asks for."""
        self.workflow.write(config)
        jobs = self.jobs()
        for job in jobs:
            if fake := FAKES.get(job.rule):
                fake(job)
            else:
                importlib.import_module(Path(job.command[1]).stem).main(job.command[2:])
            assert [path for path in job.outputs if not path.is_file()] == [], job.rule
        return jobs


def option(job: Job, name: str) -> list[str]:
    """Values of an option of a job's command."""
    rest = job.command[job.command.index(name) + 1 :]
    ends = [place for place, word in enumerate(rest) if word.startswith("--")]
    return rest[: ends[0]] if ends else rest


def fake_data(job: Job) -> None:
    for path in job.outputs:
        small_study.write_data(path, IMAGES)


def fake_download(job: Job) -> None:
    for path in job.outputs:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def fake_weights(job: Job) -> None:
    """Weights with positions only, and a learning curve if there is to be one."""
    weights = job.outputs[0]
    weights.parent.mkdir(parents=True, exist_ok=True)
    (text,) = option(job, "--model")
    spec = Network.model_validate_json(text)
    layers = dcls_layers(zoo.build(spec)) if spec.dcls else []
    tensors = {f"{name}.P": np.zeros((2, 3, 1, 5), np.float32) for name in layers}
    save_file(tensors, weights, {RECORD: json.dumps({"spec": spec.as_dict()})})
    for path in job.outputs[1:]:
        columns = ["epoch", "loss", "train_top1", "position_spread"]
        pd.DataFrame([[1.0, 2.0, 50.0, None]], columns=columns).to_csv(path, index=False)


def fake_top1(job: Job) -> None:
    (path,) = job.outputs
    found = {"top1": TOP1[path.parent.name], "top5": 99.5, "n": IMAGES, "parameters": 7}
    path.write_text(json.dumps(found))


def fake_heatmaps(job: Job) -> None:
    """Maps near the human ones; those of the other geometry a little further off."""
    (path,), (data,) = job.outputs, option(job, "--data")
    (geometry,), explainers = option(job, "--geometry"), ["grad_cam", "threshold_grad_cam"]
    maps = small_study.raw_maps("near" if geometry == "crop" else "far", IMAGES)
    with DataFile(data) as images:
        labels, ids, digest = images.labels, images.image_ids, images.digest
    header = {
        "model": path.parent.name,
        "dcls": read_spec(*option(job, "--weights"))[0].dcls is not None,
        "parameters": 20_000_000 + len(path.parent.name),
        "weights_digest": path.parent.name,
        "data_digest": digest,
        "geometry": geometry,
        "target": "label",
        "explainers": explainers,
        "versions": "torch 0",
        "images": IMAGES,
    }
    columns = {name: maps ** (1 + place) for place, name in enumerate(explainers)}
    columns |= {"label": labels, "predicted": labels, "image_id": np.char.encode(ids, "utf-8")}
    columns |= {"target": labels, "target_rank": np.zeros_like(labels)}
    columns |= {"target_logit": np.zeros(IMAGES, np.float32)}
    writer = HeatmapWriter(path, header, rows=(0, IMAGES), chunk=IMAGES)
    writer.put(0, columns | {"nonfinite": np.zeros(IMAGES, bool)})
    writer.finish()


FAKES = {
    "download_clickme": fake_download,
    "prepare_clickme": fake_data,
    "prepare_digits": fake_data,
    "download_checkpoint": fake_download,
    "convert_checkpoint": fake_weights,
    "train_model": fake_weights,
    "evaluate_top1": fake_top1,
    "extract_heatmaps": fake_heatmaps,
}


@pytest.fixture
def incomplete(root, tmp_path, monkeypatch):
    """A study to run in a folder of its own."""
    found = Study(Workflow(root, tmp_path))

    drawn = []

    def savefig(figure, _stream, **_settings):
        figure.draw_without_rendering()
        drawn[:] = [words_of(figure)]

    def written_whole(path):
        found.words[Path(path).stem] = drawn[0]
        return files.written_whole(path)

    monkeypatch.setattr(Figure, "savefig", savefig)
    monkeypatch.setattr(style, "written_whole", written_whole)
    monkeypatch.chdir(found.workflow.work)
    return found


@pytest.fixture
def config(study):
    """The reduced demo, as little to compute as can be."""
    small = {"attributions": {"explainers": []}, "statistics": {"resamples": 100}}
    return {**study, **small, "measures": ["pearson"]}


def trained(network):
    return {
        "source": "train",
        "architecture": f"micro_{network}",
        "train": {"recipe": "digits", "seeds": [0]},
    }


def table(name):
    return Path(f"results/demo/tables/{name}.md").read_text()


def test_the_readmes_network_with_dcls_is_paired_and_shown_as_such(
    incomplete, config, root, tmp_path
):
    text = (root / "README.md").read_text()
    blocks = re.findall(r"```yaml\n(.*?)```", text, re.S)
    (example,) = (block for block in blocks if "plain:" in block)
    models = yaml.safe_load(example)["models"]
    assert list(models) == ["efficientnet_b0", "my_efficientnet"]
    for entry in models.values():
        entry["checkpoint"]["url"] = str(tmp_path / "c.safetensors")
    (tmp_path / "c.safetensors").touch()
    incomplete.run({**config, "models": models, "figures": {}})
    pair = "efficientnet_b0 / my_efficientnet"
    assert pair in incomplete.words["figure2"] and pair in incomplete.words["figure3"]
    assert "my_efficientnet" not in incomplete.words["figure4"]
    assert "my_efficientnet" in incomplete.words["figure1"]
    table = pd.read_csv("results/demo/tables/table1.csv").set_index("network")
    assert table["dcls"].to_dict() == {"efficientnet_b0": 0, "my_efficientnet": 1}
    compared = pd.read_csv("results/demo/scores/comparisons.csv")
    compared = compared[compared["comparison"] == "dcls - plain"]
    assert set(compared["network"]) == {"my_efficientnet"}
    assert not Path("results/demo/tables/claims.md").exists()


def test_one_published_network_without_top1(incomplete, config, root, tmp_path):
    (tmp_path / "c.pth").touch()
    paper = yaml.safe_load((root / "config.yaml").read_text())
    paper["models"] = {
        "convnext_tiny": {"source": "published", "checkpoint": {"url": str(tmp_path / "c.pth")}}
    }
    paper["figures"] = {}
    paper |= {"study": "demo", "statistics": config["statistics"], "measures": ["pearson"]}
    rules = {job.rule for job in incomplete.run(paper)}
    assert not rules & {"plot_curves", "train_model", "evaluate_top1", "plot_accuracy"}
    assert not rules & {"plot_figure2", "plot_positions"}  # which need a network with DCLS
    said = incomplete.words
    assert "(no score with DCLS)" in said["figure3"]
    assert "no trend: fewer than three models" in said["figure4"]
    assert "The study has no pair of this network" in said["figure1"]
    assert "No maps of this network with DCLS." in said["figure5"]
    assert "Strata without a point have no image" in said["strata"]  # all predictions are right
    assert pd.read_csv("results/demo/tables/dcls_by_stratum.csv").empty
    assert not Path("results/demo/tables/dcls_by_stratum.html").exists()
    assert "not measured" in table("table1") and "undecided" in table("claims")


def test_no_network_plain_and_with_dcls_and_one_that_is_missing(incomplete, config):
    models = {"convnext_tiny": trained("convnext_tiny"), "resnet50_dcls": trained("resnet50")}
    config = {**config, "models": models}
    incomplete.run(config)
    said = incomplete.words
    assert "figure2" not in said
    assert "no score" in said["figure3"]
    assert "Threshold-Grad-CAM minus Grad-CAM" in said["comparisons"]
    assert "with DCLS minus without" not in said["comparisons"]
    assert "stage 2" in said["positions"] and "epoch" in said["curves"]
    assert "undecided" in table("claims")
    for folder in ("tables", "figures"):
        for path in Path("results/demo", folder).iterdir():
            path.unlink()
    missing = {"convnext_tiny_dcls": trained("convnext_tiny")}
    jobs = incomplete.run({**config, "models": models | missing, "partial": True})
    assert not {job.rule for job in jobs} & {"train_model", "score_alignment"}
    assert {"make_table1", "plot_figure3", "plot_positions", "plot_curves"} < {j.rule for j in jobs}
    sentence = "Without scores: convnext_tiny_dcls/seed0."
    assert all(sentence in words for name, words in said.items() if name != "samples")
    assert sentence in table("table1") and sentence in table("claims")


def test_partial_without_any_score_is_refused_before_any_job(incomplete, config):
    incomplete.workflow.write({**config, "partial": True})
    done = incomplete.workflow.snakemake("--dry-run")
    assert done.returncode != 0
    assert "partial: no run of the study has scores yet" in done.stdout + done.stderr
