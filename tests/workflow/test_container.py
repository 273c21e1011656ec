"""The container has the pins of the other environments, and jobs run in it where that is asked."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml
from workflow_copy import Workflow

ENGINE = """\
#!/usr/bin/env bash
# Stands for Apptainer: notes how it was called, and runs the command outside of any container.
if [ "$1" = --version ]; then echo "apptainer version 1.3.4"; exit; fi
printf '%s\\n' "$*" >> {notes}
while [ "$1" != human-alignment.sif ]; do shift; done
shift
exec "$@"
"""


@pytest.fixture(scope="module")
def steps(root):
    """Instructions of the Containerfile: the word and what follows it, in their order."""
    text = (root / "Containerfile").read_text().replace("\\\n", "")
    lines = [line for line in text.splitlines() if line and line[0] != "#"]
    return [tuple(line.split(maxsplit=1)) for line in lines]


def test_the_base_has_the_python_of_the_pins(root, steps):
    word, image = steps[0]
    assert word == "FROM"
    pinned = yaml.safe_load((root / "envs" / "human_alignment.yaml").read_text())["dependencies"]
    (python,) = (d.split("=")[1] for d in pinned if str(d).startswith("python="))
    assert re.fullmatch(rf"python:{re.escape(python)}-slim-\w+", image)


def test_what_is_copied_exists_and_is_no_code(root, steps):
    copied = [source for word, rest in steps if word == "COPY" for source in rest.split()[:-1]]
    assert copied == ["envs/human_alignment.yaml", "envs/workflow.yaml"]
    assert all((root / source).is_file() for source in copied)


def test_what_is_installed_are_the_pins_of_these_files(root, steps, tmp_path):
    """The command of the Containerfile itself, with pip left out."""
    (run,) = (rest for word, rest in steps if word == "RUN")
    listed, install = run.split("&&")
    places = [rest.split()[-1] for word, rest in steps if word == "COPY"]
    assert set(re.findall(r"/opt/\S+/", run)) == set(places)
    names = ("human_alignment", "workflow")
    for name in names:
        (tmp_path / f"{name}.yaml").write_text((root / "envs" / f"{name}.yaml").read_text())
    command = listed.replace(places[0], f"{tmp_path}/")
    subprocess.run(["sh", "-e", "-c", command], check=True)
    pinned = {
        pin
        for name in names
        for pin in yaml.safe_load((root / "envs" / f"{name}.yaml").read_text())["dependencies"][-1][
            "pip"
        ]
    }
    assert set((tmp_path / "pins.txt").read_text().split()) == pinned
    assert shlex.split(install)[:4] == ["python", "-m", "pip", "install"]
    assert shlex.split(install)[-2:] == ["-r", f"{places[0]}pins.txt"]


def test_the_documentation_builds_the_file_that_rules_name(root):
    image = re.search(r'^container: "(.*)"$', (root / "Snakefile").read_text(), re.M)[1]
    text = (root / "docs" / "environments.md").read_text()
    assert f"apptainer build {image} docker-archive:" in text
    assert "podman build -t human-alignment ." in text
    assert (root / "Containerfile").is_file()
    assert not re.search(r"\s", image)  # Snakemake refuses it
    assert not Path(image).is_absolute()


def test_jobs_run_in_the_image_where_that_is_asked_for(root, study, tmp_path, monkeypatch):
    engine, notes = tmp_path / "bin" / "apptainer", tmp_path / "notes"
    engine.parent.mkdir()
    engine.write_text(ENGINE.format(notes=notes))
    engine.chmod(0o755)
    monkeypatch.setenv("PATH", f"{engine.parent}{os.pathsep}{os.environ['PATH']}")
    workflow = Workflow(root, tmp_path / "plain")
    workflow.write(study | {"digits": {"train_images": 2, "test_images": 2}})
    target = f"results/{study['study']}/data/digits.h5"
    done = workflow.snakemake(target, "--sdm", "apptainer")
    assert done.returncode == 0, done.stdout + done.stderr
    (called,) = re.findall(r"^exec .* human-alignment\.sif bash -c .*$", notes.read_text(), re.M)
    assert "prepare_digits.py" in called
    assert (workflow.work / target).is_file()
    notes.unlink()
    (workflow.work / target).unlink()
    done = workflow.snakemake(target)
    assert done.returncode == 0 and not notes.exists(), done.stderr
