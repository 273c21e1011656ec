"""What make would run: the environment with and without graphics cards."""

import re
import subprocess
import sys

import pytest


@pytest.fixture
def made(root, tmp_path):
    """Runs make, without running its commands, in a copy that has no environment."""
    (tmp_path / "Makefile").write_text((root / "Makefile").read_text())
    (tmp_path / "envs").mkdir()
    for path in (root / "envs").glob("*.yaml"):
        (tmp_path / "envs" / path.name).write_text(path.read_text())

    def make(*arguments):
        command = ["make", "-n", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    make.folder = tmp_path
    return make


def pins_of(done, folder):
    """The pins that the printed command would write."""
    (command,) = re.findall(r"^(sed .*) > \S+/pins\.txt$", done.stdout, re.M)
    found = subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, text=True)
    return set(found.stdout.split())


def test_the_environment_for_cpus_is_beside_the_other_and_lacks_what_cards_need(made):
    usual, cpu = made("env"), made("env", "TORCH=cpu")
    assert usual.returncode == cpu.returncode == 0
    every, fewer = pins_of(usual, made.folder), pins_of(cpu, made.folder)
    left_out = {pin.split("==")[0] for pin in every - fewer}
    assert fewer < every
    assert {"triton", "cuda-toolkit", "nvidia-cudnn-cu13"} <= left_out
    assert all(re.match(r"(cuda|nvidia)-|triton$", name) for name in left_out)
    assert any(pin.startswith("torch==") for pin in fewer)
    (install,) = re.findall(r"^\S*uv pip install .*$", cpu.stdout, re.M)
    assert "--torch-backend=cpu" in install.split() and ".venv-cpu/pins.txt" in install
    assert not re.search(r"\.venv(?!-cpu)\b", cpu.stdout)
    assert "--torch-backend" not in usual.stdout and ".venv-cpu" not in usual.stdout


def test_other_targets_run_in_the_environment_that_is_named(made):
    assert f'PATH="{made.folder}/.venv-cpu/bin:' in made("demo", "TORCH=cpu").stdout
    assert f'PATH="{made.folder}/.venv/bin:' in made("demo").stdout


def test_another_word_is_refused(made):
    done = made("env", "TORCH=cuda")
    assert done.returncode != 0
    assert "TORCH is cuda; allowed: cpu" in done.stderr


def test_uv_knows_the_option():
    help_text = subprocess.run(
        [sys.executable, "-m", "uv", "pip", "install", "--help"], capture_output=True, text=True
    )
    assert re.search(r"--torch-backend", help_text.stdout)


def test_the_documentation_is_written_anew_and_built_strictly(made):
    commands = made("docs").stdout
    assert re.search(r"python docs/configuration\.py\n.*mkdocs build --strict", commands)
