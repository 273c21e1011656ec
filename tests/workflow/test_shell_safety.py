"""Nothing that a user names is executed by a shell, or taken for a pattern by Snakemake."""

import re
import shlex

import pytest
from PIL import Image
from small_training import write_folder
from workflow_copy import HOSTILE, Workflow

# Numbers of Snakemake's own, and texts whose words `study.flags` has quoted one by one.
UNQUOTED = {"{threads}", "{params.settings}", "{params.label}", "{params.maps}"}
UNQUOTED |= {"{params.explainers}", "{params.own_top1}"}
OF_STUDY = r"study\.(extraction|folder|explainer|attribution|gallery)_"
BY_FLAGS = rf"((lambda wildcards: )?{OF_STUDY}|)flags\b"
BY_FLAGS += r"|LABEL,|literal\(study\.reference_(flags|maps)\)"


def test_every_value_in_a_command_is_quoted(root):
    for path in (root / "rules").glob("*.smk"):
        text = path.read_text()
        commands = re.findall(r'^    shell:\n((?:        ".*"\n?)+)', text, re.M)
        assert len(commands) == text.count("shell:")
        values = set(re.findall(r"\{[^{}]*\}", "".join(commands)))
        assert {value for value in values if not value.endswith(":q}")} <= UNQUOTED, path
        unquoted = re.findall(r"\b(?:settings|label|maps|explainers)=(.*)", text)
        assert [value for value in unquoted if not re.match(BY_FLAGS, value)] == []


def test_a_study_in_a_folder_of_a_hostile_name(workflow):
    assert HOSTILE in str(workflow.work) and HOSTILE in str(workflow.repository)
    assert workflow.planned() == {}
    assert list(workflow.work.parent.rglob("hacked*")) == []
    page = (workflow.work / "results/demo/tables/table1.md").read_text()
    assert "{Not} 'for' $(touch hacked) <anything>." in page


@pytest.fixture
def hostile(root, study, tmp_path):
    """A workflow, and a folder of a hostile name beside it that its config names."""
    workflow, folder = Workflow(root, tmp_path), tmp_path / "{x} <y> $(touch hacked)"
    folder.mkdir()
    return workflow, folder


def test_commands_hold_hostile_names_as_they_are(hostile, study):
    """In a dry run of a study whose every source has such a name."""
    workflow, folder = hostile
    images = {part: str(write_folder(folder / part, each=2)) for part in ("train", "val")}
    (folder / "c.pth").touch()
    picture = folder / "{p}.png"
    Image.new("RGB", (8, 8)).save(picture)
    entry = {"source": "published", "architecture": "micro_convnext_tiny"}
    url = "https://example.org/{a}<b>$(touch${IFS}hacked).pth"
    trained = entry | {"source": "train", "train": {"recipe": "digits", "seeds": [0]}}
    models = {
        "convnext_tiny": entry | {"checkpoint": {"url": f"file://{folder}/c.pth"}},
        "convnext_tiny_dcls": entry | {"checkpoint": {"url": url}},
        "odd": trained,
    }
    sources = {"data": "clickme", "clickme": {"source": str(folder), "shards": 1}}
    sources |= {"imagenet": images, "models": models}
    sources |= {"figures": study["figures"] | {"pictures": str(folder)}}
    workflow.write({**study, **sources})
    done = workflow.snakemake("--dry-run", "--printshellcmds")
    text = done.stdout + done.stderr
    assert done.returncode == 0, text
    commands = map(shlex.split, re.findall(r"^Shell command: (.*)", text, re.M))
    words = [word for command in commands for word in command]
    for name in (f"{folder}/val/val-0.tfrecords", f"file://{folder}/c.pth", url, *images.values()):
        assert name in words
    assert str(picture) in words and study["note"] in "\n".join(words)


def test_pictures_and_maps_of_ones_own_behind_hostile_names(hostile, study):
    workflow, folder = hostile
    name, wanted = "{p} $(touch hacked)", "results/demo/data/folder.h5"
    for part in ("images", "maps"):
        (folder / part).mkdir()
        Image.new("L", (8, 8), 9).save(folder / part / f"{name}.png")
    named = {part: str(folder / part) for part in ("images", "maps")} | {"labels": "folders"}
    published = {"source": "published", "checkpoint": {"url": "https://example.org/c.pth"}}
    models = {"convnext_tiny": published}
    workflow.write({**study, "data": "folder", "folder": named, "models": models})
    done = workflow.snakemake(wanted, "--show-failed-logs")
    assert done.returncode != 0
    assert f"without a label: 1, {name}" in done.stdout + done.stderr
    for part in ("images", "maps"):
        (folder / part / "7").mkdir()
        (folder / part / f"{name}.png").rename(folder / part / "7" / f"{name}.png")
    done = workflow.snakemake(wanted)
    assert done.returncode == 0, done.stdout + done.stderr
    assert workflow.planned(wanted) == {}
    assert list(workflow.work.parent.rglob("hacked*")) == []


def test_hostile_names_are_read_and_watched(hostile, study, contents):
    """A checkpoint, a picture, and images behind such names are used, and noticed when changed."""
    workflow, folder = hostile
    checkpoint, picture = folder / "c.pth", folder / "{p}.png"
    checkpoint.write_bytes(contents[0])
    Image.new("RGB", (8, 8)).save(picture)
    images = write_folder(folder / "val", each=2)
    entry = {"source": "published", "architecture": "micro_convnext_tiny"}
    models = {"convnext_tiny_dcls": entry | {"checkpoint": {"url": str(checkpoint)}}}
    figures = {"figures": {"pictures": str(folder)}}
    workflow.write({**study, "models": models, "imagenet": {"val": str(images)}, **figures})
    prefix = "results/demo/weights/convnext_tiny_dcls/published"
    wanted = (f"{prefix}.safetensors", "results/demo/data/pictures.h5")
    done = workflow.snakemake(*wanted)
    assert done.returncode == 0, done.stdout + done.stderr
    assert checkpoint.read_bytes() == contents[0]
    assert workflow.planned(*wanted) == {}
    checkpoint.write_bytes(contents[1])
    Image.new("RGB", (8, 9)).save(picture)
    assert workflow.planned(*wanted) == {"convert_checkpoint": 1, "prepare_pictures": 1}
    assert list(workflow.work.parent.rglob("hacked*")) == []
