"""The pinned lists are closed, exact, agree with each other and with what is installed.

Each list is checked against the imports of its own side: what the rules import needs no more than
`envs/workflow.yaml`, what scripts import no more than `envs/human_alignment.yaml`.
"""

import ast
import itertools
import os
import re
import subprocess
import sys
from importlib.metadata import distributions, packages_distributions
from pathlib import Path

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


def pinned_here(root, installed):
    """All pins; of `make env TORCH=cpu` without those that the Makefile leaves out."""
    found = {n: v for name in NAMES for n, v in pins(root, name).items()}
    if not installed["torch"].endswith("+cpu"):
        return found
    left_out = re.search(r"grep -vE '\^(.*)'", (root / "Makefile").read_text())[1]
    kept = {n: v for n, v in found.items() if not re.match(left_out, f"{n}==")}
    return kept | {name: f"{kept[name]}+cpu" for name in ("torch", "torchvision")}


NAMES = ("human_alignment", "workflow", "tests", "docs")


def declared(root, name):
    """Distributions that an `.in` list names."""
    lines = (root / "envs" / f"{name}.in").read_text().splitlines()
    return {normal(re.split("[=<>]", line)[0]) for line in lines if line and line[0] != "#"}


def imported(sources, folder):
    """Distributions, not of the standard library, that Python sources import, through our modules.

    sources: paths of Python or Snakemake files.  folder: holds the scripts and the package.
    """
    ours, names = list(sources), set()
    for path in ours:
        for module in modules(path, folder):
            if module.is_relative_to(folder):
                ours += [module] if module not in ours else []
            else:
                names.add(module.parts[0])
    known = packages_distributions()
    return {normal(known[name][0]) for name in names - set(sys.stdlib_module_names)}


def modules(path, folder):
    """What a file imports: our own files, and dotted names of others as paths."""
    for line in path.read_text().splitlines() if path.suffix != ".py" else []:
        if re.match(r"(from|import) ", line):  # a rule file's own Python begins at the margin
            yield from of_tree(ast.parse(line), path, folder)
    if path.suffix == ".py":
        yield from of_tree(ast.parse(path.read_text()), path, folder)


def of_tree(tree, path, folder):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [(0, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            names = [(node.level, base)] if base else []
            names += [(node.level, f"{base}.{alias.name}".strip(".")) for alias in node.names]
        else:
            continue
        for level, name in names:
            start = path.parents[level - 1] if level else folder
            file = (start / Path(*name.split("."))).with_suffix(".py")
            if file.is_file():
                yield file
            elif not level and not (folder / name.split(".")[0]).is_dir():
                yield Path(*name.split("."))


def test_what_rules_import_is_in_the_environment_that_runs_snakemake(root):
    scripts = root / "workflow_scripts"
    found = imported([root / "Snakefile", *sorted((root / "rules").glob("*.smk"))], scripts)
    assert "snakemake" in found
    assert found <= declared(root, "workflow")


def test_what_scripts_import_is_in_the_environment_of_the_rules(root):
    scripts = root / "workflow_scripts"
    found = imported(sorted(scripts.glob("*.py")), scripts)
    assert {"torch", "pandas"} <= found
    assert "snakemake" not in found
    assert found <= declared(root, "human_alignment")


def test_what_builds_the_documentation_is_in_its_environment(root):
    names = ("pages", "docstrings", "configuration")
    found = imported([root / "docs" / f"{name}.py" for name in names], root / "workflow_scripts")
    assert {"mkdocs", "griffelib", "pyyaml"} <= found
    assert found <= declared(root, "docs")


def test_each_list_is_installed_and_resolved(root):
    """`make env` and `make pins` know every list."""
    names = {path.stem for path in (root / "envs").glob("*.in")}
    assert names == set(NAMES) == {path.stem for path in (root / "envs").glob("*.yaml")}
    makefile = (root / "Makefile").read_text()
    installed = re.search(r"^ENVIRONMENTS = (.*)$", makefile, re.M)[1].split()
    assert {Path(path).stem for path in installed} == names
    resolved = (root / "envs" / "resolve_pins.py").read_text()
    assert all(f'    "{name}": "' in resolved for name in names)


def test_the_environment_that_runs_snakemake_does_so_alone(root, tmp_path):
    listed = [f"{name}=={version}" for name, version in pins(root, "workflow").items()]
    (tmp_path / "pins.txt").write_text("\n".join(listed))
    environment = tmp_path / "environment"
    python = environment / "bin" / "python"
    uv = [sys.executable, "-m", "uv"]
    for command in (
        [*uv, "venv", "--quiet", "--python", sys.executable, environment],
        [*uv, "pip", "install", "--quiet", "--python", python, "-r", tmp_path / "pins.txt"],
    ):
        subprocess.run(list(map(str, command)), check=True, timeout=300)
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    clean["PATH"] = f"{environment / 'bin'}{os.pathsep}{os.environ['PATH']}"
    for study in ([], ["--configfile", root / "profiles" / "demo" / "study.yaml"]):
        command = ["snakemake", "--snakefile", root / "Snakefile", "--directory", tmp_path]
        command += ["--cores", "2", "-n", "--quiet", "rules", *study]
        done = subprocess.run(
            list(map(str, command)), capture_output=True, text=True, env=clean, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("one, other", list(itertools.combinations(NAMES, 2)))
def test_two_lists_agree(root, one, other):
    first, second = pins(root, one), pins(root, other)
    common = first.keys() & second
    assert {n: first[n] for n in common} == {n: second[n] for n in common}


def test_what_is_installed_is_what_is_pinned(root, installed):
    pinned = pinned_here(root, installed)
    assert {name: installed.get(name) for name in pinned} == pinned


def test_nothing_else_is_installed(root, installed):
    assert set(installed) - set(pinned_here(root, installed)) <= {"pip", "setuptools"}


def test_an_environment_for_cpus_has_other_pins(root, installed):
    usual = pinned_here(root, installed | {"torch": "0"})
    cpu = pinned_here(root, installed | {"torch": "0+cpu"})
    assert {"triton", "cuda-toolkit"} <= usual.keys() - cpu.keys()
    assert cpu["torch"] == f"{usual['torch']}+cpu"
    changed = {name for name in cpu if cpu[name] != usual[name]}
    assert changed == {"torch", "torchvision"}


def test_conda_brings_python_and_pip_exactly(root):
    for name in NAMES:
        environment = yaml.safe_load((root / "envs" / f"{name}.yaml").read_text())
        assert environment["channels"][-1] == "nodefaults"
        assert all(
            re.fullmatch(r"(python|pip)=[\d.]+", d) for d in environment["dependencies"][:-1]
        )
