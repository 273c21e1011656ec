"""GitHub runs what `.ci/run` runs, and that is what README and Makefile name."""

import re

import pytest
import yaml

DEBIAN = {"bookworm": "12", "trixie": "13"}


@pytest.fixture(scope="module")
def jobs(root):
    """Jobs of all of GitHub's workflows."""
    found = {}
    for path in (root / ".github" / "workflows").glob("*.yml"):
        found |= yaml.safe_load(path.read_text())["jobs"]
    return found


@pytest.fixture(scope="module")
def targets(root):
    return set(re.findall(r"^(\w[\w-]*):", (root / "Makefile").read_text(), re.M))


def commands(job):
    return [step["run"] for step in job["steps"] if "run" in step]


def test_github_runs_the_script_of_continuous_integration(root, jobs):
    assert commands(jobs["tests"]) == [".ci/run"]
    assert (root / ".ci" / "run").stat().st_mode & 0o111


def test_every_other_command_is_a_target_of_make(jobs, targets):
    others = [line for job in jobs.values() for line in commands(job) if line != ".ci/run"]
    assert others
    for line in others:
        words = line.split()
        assert words[0] == "make" and words[1] in targets


def test_the_script_runs_the_tests_that_the_readme_names(root, targets):
    run = (root / ".ci" / "run").read_text()
    made = re.findall(r"^make (\S+)$", run, re.M)
    assert set(made) == {target for target in targets if target.startswith("test")}
    readme = (root / "README.md").read_text()
    assert all(f"`make {target}`" in readme for target in made)


def test_versions_are_named(root, jobs):
    pinned = yaml.safe_load((root / "envs" / "workflow.yaml").read_text())["dependencies"]
    (python,) = (d.split("=")[1] for d in pinned if str(d).startswith("python="))
    assert jobs
    for job in jobs.values():
        assert job["runs-on"] == "ubuntu-latest"
        tag = job["container"].rpartition(":")[2]
        assert tag.split("-")[0] == python and tag.split("-")[1] in DEBIAN
        for step in job["steps"]:
            assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step.get("uses", "actions/none@v0"))
            assert ("uses" in step) != ("run" in step)


def test_what_is_kept_is_what_make_docs_writes(root, jobs):
    (kept,) = (step["with"]["path"] for step in jobs["docs"]["steps"] if "with" in step)
    assert kept.rstrip("/") == "site"
    assert "site_dir" not in (root / "mkdocs.yml").read_text()  # MkDocs' own default is site/
