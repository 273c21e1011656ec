"""Lint and format of everything, with the tools' own judgement."""

import subprocess
import sys

import pytest
import warm_python

RULES = ["Snakefile", "rules"]


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["snakefmt", "--check", *RULES],
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_formatted_and_linted(root, command):
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=root, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("study", ["config.yaml", "profiles/demo/study.yaml"])
def test_snakemake_lint(root, study):
    command = [warm_python.program(), "-m", "snakemake", "--lint", "--configfile", study]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_mark_of_a_merge_is_left(root):
    marked = subprocess.run(
        ["git", "grep", "--line-number", "-E", "^(<{7}|>{7}|={7}$)"],
        cwd=root, capture_output=True, text=True,
    )  # fmt: skip
    assert (marked.returncode, marked.stdout) == (1, ""), marked.stderr  # 1: nothing was found
