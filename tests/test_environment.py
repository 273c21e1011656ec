"""The pinned lists are closed, exact, agree with each other and with what is installed."""

import re
from importlib.metadata import distributions

import pytest
import yaml


def pins(root, name):
    """Versions by normalised name, from an environment file."""
    environment = yaml.safe_load((root / "envs" / f"{name}.yaml").read_text())
    listed = environment["dependencies"][-1]["pip"]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", pin) for pin in listed)
    return {normal(pin.split("==")[0]): pin.split("==")[1] for pin in listed}


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def installed():
    return {normal(d.metadata["Name"]): d.version for d in distributions()}


def test_both_lists_agree(root):
    rules, workflow = pins(root, "human_alignment"), pins(root, "workflow")
    assert {n: workflow[n] for n in rules.keys() & workflow} == {
        n: rules[n] for n in rules.keys() & workflow
    }


def test_what_is_installed_is_what_is_pinned(root, installed):
    pinned = pins(root, "human_alignment") | pins(root, "workflow")
    assert {name: installed.get(name) for name in pinned} == pinned


def test_nothing_else_is_installed(root, installed):
    pinned = pins(root, "human_alignment") | pins(root, "workflow")
    assert set(installed) - set(pinned) <= {"pip", "setuptools"}


def test_conda_brings_python_and_pip_exactly(root):
    for name in ("human_alignment", "workflow"):
        environment = yaml.safe_load((root / "envs" / f"{name}.yaml").read_text())
        assert environment["channels"][-1] == "nodefaults"
        assert all(
            re.fullmatch(r"(python|pip)=[\d.]+", d) for d in environment["dependencies"][:-1]
        )
