"""Lint and format of everything, with the tools' own judgement."""

import re
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
    kinds = {".md", ".py", ".smk", ".yaml", ".yml", ".toml", ".cff", ".in", ".html", ".json"}
    made = ("results", "site")  # like what is hidden, not of the repository; but for .github
    places = [one for one in root.iterdir() if one.name[0] != "." and one.name not in made]
    places.append(root / ".github")
    files = [path for one in places for path in (one.rglob("*") if one.is_dir() else [one])]
    texts = {path: path.read_text() for path in files if path.suffix in kinds}
    assert root / "CHANGELOG.md" in texts
    assert [path for path, text in texts.items() if re.search("^(<{7}|>{7}) ", text, re.M)] == []
