"""What the README quotes is what the code prints, and its graph has the rules of the workflow."""

import itertools
import re
import shlex
import subprocess
import sys
from pathlib import Path

import convert_checkpoint
import download_checkpoint
import explain_image
import prepare_folder
import pytest
import timm
import torch
import yaml
from human_alignment.common.cli import UserError, run
from human_alignment.study.config import checked_study
from human_alignment.study.locks import LOCKS, lock_note
from misbehaving_server import MisbehavingServer, Reply
from PIL import Image

STORES = {"data", "weights", "heatmaps", "scores", "tables"}  # cylinders of the graph


@pytest.fixture(scope="module")
def text(root):
    return (root / "README.md").read_text()


@pytest.fixture(scope="module")
def quoted(text):
    """Messages of the section of troubleshooting."""
    section = re.search(r"^## Troubleshooting\n(.*?)^## ", text, re.M | re.S)[1]
    return re.findall(r"^```\n(.*?)\n```$", section, re.M | re.S)


@pytest.fixture
def work(tmp_path, monkeypatch):
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def printed(capsys):
    """What a script prints at its end on bad input."""

    def end(main, *arguments):
        with pytest.raises(SystemExit):
            run(lambda: main(list(arguments)))
        lines = capsys.readouterr().err.splitlines()
        first = next(place for place, line in enumerate(lines) if line.startswith("error: "))
        return "\n".join(lines[first:])

    return end


def converted(path):
    """The flags that convert a checkpoint of ResNet50."""
    return (
        *("--model", "resnet50", "--checkpoint", str(path)),
        *("--source", str(path), "--output", "weights.safetensors"),
    )


def test_every_error_has_a_test(quoted):
    assert len(quoted) == 10 == len(set(quoted))


def test_a_locked_folder(quoted, work):
    (work / LOCKS).mkdir(parents=True)
    (work / LOCKS / "0.input.lock").touch()
    typed = shlex.split("--cores all --profile profiles/demo")
    assert lock_note(typed, work) in quoted


@pytest.mark.parametrize(
    "changes",
    [
        {
            "extract": {"explainer": ["grad_cam"]},
            "models": {"resnet50": {"checkpoint": {"url": "a"}}},
        },
        {"models": {"resnet50": {"checkpoint": {"url": "weights/resnet50.pth"}}}},
        {"timm_models": ["resnet50"]},
        {"timm_models": ["convnext_tiny.*in22k"], "data": "clickme"},
    ],
    ids=["key", "path", "pattern", "classes"],
)
def test_a_config(quoted, work, root, changes):
    config = {"study": "mine", "data": "digits"} | changes
    for entry in config.setdefault("models", {}).values():
        entry["source"] = "published"
    schema = yaml.safe_load((root / "schemas" / "config.schema.yaml").read_text())
    with pytest.raises(UserError) as refused:
        checked_study(config, schema)
    assert str(refused.value) in quoted


def test_a_network_without_weights(quoted, work, printed):
    Image.new("RGB", (30, 20)).save("photo.jpg")
    flags = ("--model", "convnext_tiny", "--output", "overlay.png")
    assert printed(explain_image.main, "photo.jpg", *flags) in quoted


def test_an_address_of_a_page(quoted, work, printed):
    with MisbehavingServer(Reply(b"<p>Log in</p>", content_type="text/html")) as server:
        flags = ("--source", f"{server.address}/resnet50.pth", "--output", "resnet50.pth")
        said = printed(download_checkpoint.main, *flags)
    assert said.replace(server.address, "https://example.org") in quoted


def test_a_checkpoint_of_other_classes(quoted, work, printed):
    state = timm.create_model("resnet50", num_classes=10).state_dict()
    torch.save(state, "resnet50.pth")
    assert printed(convert_checkpoint.main, *converted("resnet50.pth")) in quoted


def test_a_checkpoint_that_holds_a_model(quoted, work, printed):
    torch.save(timm.create_model("resnet18"), "net.pth")
    assert printed(convert_checkpoint.main, *converted("net.pth")) in quoted


def test_pictures_and_maps_of_other_names(quoted, work, printed):
    for name in ("pictures/cat.jpg", "pictures/dog.jpg", "maps/cat.png", "maps/dog_map.png"):
        Path(name).parent.mkdir(exist_ok=True)
        Image.new("L", (30, 20)).save(name)
    flags = ("--images", "pictures", "--maps", "maps", "--output", "mine.h5")
    assert printed(prepare_folder.main, *flags) in quoted


@pytest.fixture(scope="module")
def arrows(text):
    """Arrows of the graph, as pairs of names."""
    graph = re.search(r"```mermaid\n.*?\n(.*?)```", text, re.S)[1]
    found = set()
    for line in re.sub(r"-\. .*? \.->", "-->", re.sub(r"\[\(.*?\)\]", "", graph)).splitlines():
        steps = [re.findall(r"\w+", step) for step in line.split("-->")]
        for before, behind in itertools.pairwise(steps):
            found |= set(itertools.product(before, behind))
    return found


def test_the_graph_has_every_rule_and_no_other(root, arrows):
    files = "".join(path.read_text() for path in (root / "rules").glob("*.smk"))
    rules = re.findall(r"^rule (\w+):|^use rule \w+ as (\w+) with:", files, re.M)
    named = set(itertools.chain(*arrows)) - STORES
    assert named == {one or other for one, other in rules}


def test_the_graph_has_the_arrows_of_the_embedded_study(root, tmp_path, arrows):
    command = [sys.executable, "-m", "snakemake", "--profile", "profiles/demo", "--rulegraph"]
    command += ["--cores", "1", "--directory", str(tmp_path)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    names = dict(re.findall(r'(\d+)\[label = "(\w+)"', done.stdout))
    real = {(names[one], names[two]) for one, two in re.findall(r"(\d+) -> (\d+)", done.stdout)}
    assert len(real) > 80, done.stderr
    into = {store: {one for one, two in arrows if two == store} for store in STORES}
    drawn = {(one, two) for name, two in arrows for one in into.get(name) or {name}}
    # `all` and `show_table` read what others write; the README says what reads the data file.
    kept = {(one, two) for one, two in real if two not in ("all", "show_table")}
    assert {(one, two) for one, two in kept - drawn if one != "prepare_digits"} == set()


def test_pictures_are_small_and_there(root, text):
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert {"docs/gallery.png", "docs/table1.png"} <= set(pictures)
    assert all((root / path).stat().st_size < 500_000 for path in pictures)


def test_the_pictures_are_taken_from_results(root, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(root / "docs")
    import draw_demo

    for name, colour in (("gallery.html", "red"), ("tables/table1.html", "blue")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"<body style='background: {colour}'>")
    (tmp_path / "figures").mkdir()
    Image.new("RGB", (20, 10)).save(tmp_path / "figures" / "figure1.png")
    draw_demo.main(["--results", str(tmp_path), "--output", str(tmp_path)])
    taken = {
        name: Image.open(tmp_path / f"{name}.png") for name in ("gallery", "table1", "figure1")
    }
    assert taken["gallery"].getpixel((500, 250)) == (255, 0, 0)
    assert taken["table1"].getpixel((500, 250)) == (0, 0, 255)
    assert [picture.width for picture in taken.values()] == [1000, 1000, 20]
