"""What weights and scores were made from, and which runs are not what the config says now."""

import copy
import hashlib
import json
import os

import numpy as np
import pytest
from human_alignment.study.config import check_config
from human_alignment.study.made_from import (
    is_unchanged,
    json_file,
    weights_as_wanted,
    weights_notes,
)
from human_alignment.study.study import Study
from human_alignment.training.recipe import Recipe
from safetensors.numpy import save_file

URL = "https://example.org/mine.pth"


def write_weights(path, spec, **notes):
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"human_alignment": json.dumps({"spec": spec, **notes})}
    save_file({"w": np.zeros(3, np.float32)}, path, metadata)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_notes_are_read_from_the_header_alone(tmp_path):
    write_weights(tmp_path / "w.safetensors", {"family": "convnext"}, source=URL)
    found = weights_notes(tmp_path / "w.safetensors")
    assert found == {"spec": {"family": "convnext"}, "source": URL}
    whole = (tmp_path / "w.safetensors").read_bytes()
    for content in (b"", whole[:20], b"\xff" * 40, b"\x02" + b"\0" * 7 + b"[]"):
        (tmp_path / "w.safetensors").write_bytes(content)
        assert weights_notes(tmp_path / "w.safetensors") == {}
    assert weights_notes(tmp_path / "none") == {}


def test_a_file_is_the_same_if_older_or_of_the_same_digest(tmp_path):
    path, made = tmp_path / "a", tmp_path / "b"
    path.write_text("one")
    made.write_text("made of one")
    digest = hashlib.sha256(b"one").hexdigest()
    assert is_unchanged(path, made, digest) and is_unchanged(path, made, "older: not looked at")
    later = made.stat().st_mtime + 10
    os.utime(path, (later, later))  # touched
    assert is_unchanged(path, made, digest)
    path.write_text("two")
    os.utime(path, (later, later))
    assert not is_unchanged(path, made, digest)
    assert not is_unchanged(path, made, None)
    path.unlink()
    assert not is_unchanged(path, made, digest)


def test_what_a_job_fills_in_is_not_compared(tmp_path):
    record = {"family": "timm", "num_classes": 1000, "transform": None}
    path = tmp_path / "w.safetensors"
    write_weights(path, record | {"num_classes": 10, "transform": {"crop": 224}}, source=URL)
    assert weights_as_wanted(path, record, {"source": URL, "seed": 3})
    assert not weights_as_wanted(path, record, {"source": URL + "2"})
    assert not weights_as_wanted(path, record | {"family": "resnet"}, {"source": URL})
    assert not weights_as_wanted(tmp_path / "none", record, {})


def test_json_that_is_no_object_is_empty(tmp_path):
    for text in ("[1]", '{"a', ""):
        (tmp_path / "a.json").write_text(text)
        assert json_file(tmp_path / "a.json") == {}


@pytest.fixture
def scored(configs, schema, tmp_path, monkeypatch):
    """A study of one trained and two published networks, with the files of their scores."""
    monkeypatch.chdir(tmp_path)
    config = copy.deepcopy(configs["demo"])
    config["attributions"]["explainers"] = []
    local = tmp_path / "mine.pth"
    local.write_bytes(b"a checkpoint")
    config["models"] = {
        "convnext_tiny": config["models"]["convnext_tiny"],
        "mine": {"architecture": "micro_resnet50", "checkpoint": {"url": str(local)}},
        "theirs": {"architecture": "micro_resnet50", "checkpoint": {"url": URL}},
    }
    for name in ("mine", "theirs"):
        config["models"][name]["source"] = "published"
    config["figures"] = {}
    check_config(config, schema)
    study = Study(config)
    for run in study.runs:
        notes = {"recipe": Recipe.from_dict(config["recipes"]["digits"]).model_dump(mode="json")}
        notes |= {"seed": 0}
        if run.run == "published":
            notes = {"source": study.checkpoint(run.model)["url"]}
            notes |= {"sha256": hashlib.sha256(b"a checkpoint").hexdigest()}
        weights = tmp_path / run.file("demo", "weights", ".safetensors")
        digest = write_weights(weights, study.network(run.model).as_dict(), **notes)
        source = {"weights_digest": digest, "explainers": study.explainers}
        source |= {"protocol": study.protocol.as_dict()}
        texts = {"heatmaps/.h5": "", "scores/.parquet": ""}
        for name, text in {**texts, "scores/.source.json": json.dumps(source)}.items():
            path = tmp_path / run.file("demo", *name.split("/"))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return config


def runs_in_tables(config):
    study = Study(config | {"partial": True})
    files = study.score_files()
    heatmaps = [file.replace("scores", "heatmaps").replace(".parquet", ".h5") for file in files]
    assert study.scored_heatmaps() == heatmaps
    return [file.split("/")[3] for file in files], study.note


def test_a_study_without_any_file_has_no_scores(scored, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert len(Study(scored).stale_runs()) == 3
    assert runs_in_tables(scored)[0] == []
    assert len(Study(scored).score_files()) == 3  # a whole study asks for all


def test_a_study_as_scored_is_current(scored):
    assert Study(scored).stale_runs() == []
    names, note = runs_in_tables(scored)
    assert names == ["convnext_tiny", "mine", "theirs"] and "Without scores" not in note


def test_secrets_of_an_address_are_no_difference(scored, tmp_path):
    """Neither a new token in the config, nor an old one in the notes of an earlier version."""
    scored["models"]["theirs"]["checkpoint"]["url"] = (
        "https://u:s3cr3t@example.org/a.pth?key=s3cr3t"
    )
    study = Study(scored)
    assert "theirs/published" in study.stale_runs()
    (run,) = study.runs_of("theirs")
    digest = hashlib.sha256(b"a checkpoint").hexdigest()
    for source in (
        "https://***@example.org/a.pth?key=***",
        "https://old@example.org/a.pth?key=old",
    ):
        weights = tmp_path / run.file("demo", "weights", ".safetensors")
        record = study.network("theirs").as_dict()
        written = write_weights(weights, record, source=source, sha256=digest)
        made_from = tmp_path / run.file("demo", "scores", ".source.json")
        made_from.write_text(
            json.dumps(json.loads(made_from.read_text()) | {"weights_digest": written})
        )
        assert Study(scored).stale_runs() == []


def other_url(config, folder):
    config["models"]["theirs"]["checkpoint"]["url"] = "https://example.org/another.pth"


def other_digest(config, folder):
    config["models"]["theirs"]["checkpoint"]["sha256"] = "0" * 64


def other_record(config, folder):
    config["models"]["theirs"]["architecture"] = "micro_convnext_tiny"


def weights_gone(config, folder):
    (folder / "results/demo/weights/theirs/published.safetensors").unlink()


def heatmaps_gone(config, folder):
    (folder / "results/demo/heatmaps/theirs/published.h5").unlink()


def other_weights(config, folder):
    path = folder / "results/demo/weights/theirs/published.safetensors"
    save_file({"w": np.ones(3, np.float32)}, path, {"human_alignment": json.dumps(notes_of(path))})
    os.utime(path, (path.stat().st_mtime + 10,) * 2)


def notes_of(path):
    return weights_notes(path)


@pytest.mark.parametrize(
    "change", [other_url, other_digest, other_record, weights_gone, heatmaps_gone, other_weights]
)
def test_scores_of_a_network_that_did_not_come_back_are_stale(scored, tmp_path, change):
    change(scored, tmp_path)
    assert Study(scored).stale_runs() == ["theirs/published"]
    names, note = runs_in_tables(scored)
    assert names == ["convnext_tiny", "mine"]
    assert note.endswith("Without scores: theirs/published.")


def test_an_overwritten_checkpoint_makes_its_scores_stale(scored, tmp_path):
    local = tmp_path / "mine.pth"
    local.write_bytes(b"another one!")
    os.utime(local, (local.stat().st_mtime + 10,) * 2)
    assert Study(scored).stale_runs() == ["mine/published"]
    local.write_bytes(b"a checkpoint")  # newer, and the same
    os.utime(local, (local.stat().st_mtime + 10,) * 2)
    assert Study(scored).stale_runs() == []


def test_another_recipe_makes_scores_stale(scored):
    scored["recipes"]["digits"]["steps"] = 7
    assert Study(scored).stale_runs() == ["convnext_tiny/seed0"]
    assert runs_in_tables(scored)[0] == ["mine", "theirs"]


def test_scores_under_another_protocol_do_not_count_but_are_made_again(scored):
    scored["protocol"]["threshold"] = 0.5
    assert len(Study(scored).stale_runs()) == 3
    assert runs_in_tables(scored)[0] == ["convnext_tiny", "mine", "theirs"]
