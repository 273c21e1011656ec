"""The installable package: its wheel holds everything, and each script is a command."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile

import numpy as np
import pytest
import yaml
from human_alignment.common import commands
from PIL import Image


@pytest.fixture(scope="module")
def metadata(root):
    return tomllib.loads((root / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def wheel(root, tmp_path_factory):
    """Built without network, in a copy: a build leaves folders beside its sources."""
    folder = tmp_path_factory.mktemp("source")
    shutil.copytree(
        root / "workflow_scripts",
        folder / "workflow_scripts",
        ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"),
    )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(root / name, folder)
    uv("build", "--wheel", "--no-build-isolation", "--python", sys.executable, folder)
    (found,) = (folder / "dist").glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The folder with the installed package and its commands."""
    folder = tmp_path_factory.mktemp("installed")
    uv("pip", "install", "--no-deps", "--target", folder, "--python", sys.executable, wheel)
    return folder


def uv(*arguments):
    command = [sys.executable, "-m", "uv", *arguments, "--offline", "--quiet"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def command(installed, work, name, *arguments):
    """Run an installed command in another folder, with none of the checkout on the path."""
    return subprocess.run(
        [installed / "bin" / f"human-alignment-{name}", *map(str, arguments)],
        cwd=work,
        env=os.environ | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
    )


def test_the_wheel_holds_every_file_of_the_package_and_every_script(root, wheel):
    scripts = root / "workflow_scripts"
    ours = [*scripts.glob("*.py"), *(scripts / "human_alignment").rglob("*")]
    wanted = {
        str(path.relative_to(scripts))
        if path.parent != scripts
        else f"human_alignment_scripts/{path.name}"
        for path in ours
        if path.is_file() and path.parent.name != "__pycache__"
    }
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert packed == wanted


def test_each_script_is_a_command(root, metadata):
    names = {path.stem for path in (root / "workflow_scripts").glob("*.py")}
    assert metadata["project"]["scripts"] == {
        f"human-alignment-{name.replace('_', '-')}": f"{commands.__name__}:{name}" for name in names
    }


def test_a_command_says_how_it_is_used(installed, tmp_path):
    done = command(installed, tmp_path, "score-alignment", "--help")
    assert done.returncode == 0, done.stderr
    assert "usage: human-alignment-score-alignment" in done.stdout


def test_a_command_writes_what_the_script_writes(installed, tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "maps").mkdir()
    for name in ("one", "two"):
        Image.new("RGB", (40, 30), "teal").save(tmp_path / "pictures" / f"{name}.png")
        np.save(tmp_path / "maps" / f"{name}.npy", np.eye(30, 40))
    done = command(
        *(installed, tmp_path, "prepare-folder", "--images", "pictures", "--maps", "maps"),
        *("--output", "mine.h5"),
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "mine.h5").stat().st_size > 0


def test_a_command_with_data_files_ends_on_bad_input_in_one_line(installed, tmp_path):
    """The name of the network is looked up in networks.yaml and timm_models.txt."""
    done = command(
        *(installed, tmp_path, "fetch-checkpoint", "--model", "timm:resnet5O"),
        *("--output", "weights.safetensors"),
    )
    assert done.returncode != 0
    assert "resnet50" in done.stderr and "Traceback" not in done.stderr


def test_only_scripts_are_commands():
    with pytest.raises(AttributeError, match="no script 'no_such_script'"):
        commands.no_such_script  # noqa: B018


def test_the_version_is_that_of_the_citation(root, metadata):
    citation = yaml.safe_load((root / "CITATION.cff").read_text())
    assert citation["version"] == metadata["project"]["version"]


@pytest.mark.parametrize("name", ["human_alignment", "workflow"])
def test_dependencies_are_those_of_the_environments(root, metadata, name):
    lines = (root / "envs" / f"{name}.in").read_text().splitlines()
    names = [re.split("[=<>]", line)[0] for line in lines if line and not line.startswith("#")]
    project = metadata["project"]
    extra = project["optional-dependencies"]
    found = project["dependencies"] if name == "human_alignment" else extra[name]
    assert [re.split("[=<>]", line)[0] for line in found] == names
    assert not any(re.search(r"://|@", line) for line in found)
