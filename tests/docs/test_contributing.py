"""What CONTRIBUTING says of the tree, of the rooms and of how to add things is so."""

import importlib.util
import re
from pathlib import Path

import pytest
import yaml


@pytest.fixture(scope="module")
def text(root):
    return (root / "CONTRIBUTING.md").read_text()


@pytest.fixture(scope="module")
def tree(text):
    """Names of the tree, with what it says of each."""
    block = re.search(r"## The tree\n\n```\n(.*?)```", text, re.S)[1]
    return dict(re.findall(r"^ *(\S+) +(\S.*)$", block, re.M))


def test_the_tree_is_the_real_one(root, tree):
    names = [name for name in tree if name != "human_alignment/"]
    for name in names:
        assert (root / name).is_dir() if name.endswith("/") else (root / name).is_file(), name
    assert (root / "workflow_scripts" / "human_alignment").is_dir()
    ignored = (root / ".gitignore").read_text().replace("/", "").split()
    folders = {path.name for path in root.iterdir() if path.is_dir() and path.name[0] != "."}
    assert {name for name in folders if not any(map(Path(name).match, ignored))} == {
        name.strip("/") for name in names if name.endswith("/")
    }


def test_the_rooms_import_as_it_says(root, text):
    spec = importlib.util.spec_from_file_location("rooms", root / "tests/workflow/test_rooms.py")
    rooms = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(rooms)
    table = text.split("| room | imports from |")[1].split("\n\n")[0]
    said = {
        cells[0]: set(cells[1:])
        for cells in (re.findall(r"`(\w+)`", line) for line in table.splitlines())
        if cells
    }
    assert said == rooms.ROOMS
    sentence = re.search(r"`common`, (.*?) import no torch", text)[0]
    assert set(re.findall(r"`(\w+)`", sentence)) == set(rooms.NO_TORCH)


def test_every_path_exists(root, text):
    found = set(re.findall(r"`((?:\w[\w.-]*/)+[\w.-]*)`", text))
    assert len(found) > 30
    for path in found:
        assert (root / path).exists(), path
    for profile in re.search(r"how Snakemake runs: (.*)", text)[1].split(", "):
        assert (root / "profiles" / profile / "config.yaml").is_file()


@pytest.mark.parametrize(
    "name, file",
    [
        ("EXPLAINERS", "heatmaps/explainers.py"),
        ("ATTRIBUTIONS", "heatmaps/attributions.py"),
        ("FURTHER_NAMES", "scores/summary.py"),
        ("FAMILIES", "networks/zoo.py"),
        ("DataWriter", "data/data_file.py"),
        ("_measure", "scores/measures.py"),
        ("written_whole", "common/files.py"),
        ("UserError", "common/cli.py"),
    ],
)
def test_every_name_is_defined_where_it_says(root, text, name, file):
    path = f"workflow_scripts/human_alignment/{file}"
    items = re.split(r"\n(?=\d\. |\n)", text)
    assert any(re.search(rf"`@?{name}`", item) and f"`{path}`" in item for item in items)
    source = (root / path).read_text()
    assert re.search(rf"^(def|class) {name}\b|^{name}\b.* =", source, re.M)


def test_a_rule_has_what_it_says(root, text):
    """Of each rule: the directives that are asked for, and the script of its name."""
    asked = re.search(r"with `log`, (.*?), and the digest", re.sub(r"\s+", " ", text))[0]
    words = set(re.findall(r"`(\w+)`", asked))
    assert {"log", "benchmark", "conda", "threads", "mem_mb", "runtime"} == words
    rules = 0
    for file in (root / "rules").glob("*.smk"):
        found = re.findall(r"^rule (\w+):\n(.*?)(?=^\S|\Z)", file.read_text(), re.M | re.S)
        for name, body in found:
            rules += 1
            for word in words - {"mem_mb"}:
                assert re.search(rf"^ +{word}(:|=)", body, re.M), f"{file.name}, {name}: {word}"
            assert "resources:" in body
            assert "script=script(" in body
    assert rules > 30


def test_the_example_of_a_data_set_writes_through_the_writer(root):
    assert "DataWriter(" in (root / "workflow_scripts/prepare_folder.py").read_text()


def test_the_make_targets_are_there(root, text):
    targets = re.findall(r"^(\w[\w-]*):", (root / "Makefile").read_text(), re.M)
    for target in re.findall(r"\bmake ([a-z-]+)", text):
        assert target in targets
    assert yaml.safe_load((root / "mkdocs.yml").read_text())["strict"] is True
