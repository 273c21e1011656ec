"""What changes the digest of a script's code, and what does not."""

import shutil
import subprocess
import sys
import time

import pytest
from human_alignment.study import code

FILES = {
    "train.py": '"""Train."""\nfrom human_alignment.a.loop import train\nfrom lib import x\n'
    "\ntrain(1)\n",
    "human_alignment/__init__.py": "",
    "human_alignment/a/__init__.py": "",
    "human_alignment/a/loop.py": "from . import sums\nfrom ..common import cli\n\n\ndef train(n):\n"
    '    """Doc."""\n    return sums.add(n, 1)  # one more\n',
    "human_alignment/a/sums.py": "def add(a, b):\n    return a + b\n",
    "human_alignment/a/other.py": "x = 1\n",
    "human_alignment/common/__init__.py": "",
    "human_alignment/common/cli.py": "def progress():\n    pass\n",
    "human_alignment/outcome/page.html": "<p>",
}


@pytest.fixture
def scripts(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def digest(scripts, templates=()):
    """Of the files as they are now: the caches hold for one start of Snakemake."""
    for cached in (code._facts, code.direct_imports):
        cached.cache_clear()
    return code.code_digest(scripts, "train.py", templates)


def test_the_script_and_what_it_imports_count_and_nothing_else(scripts):
    found = code.imported(scripts, scripts / "train.py")
    names = {path.relative_to(scripts).as_posix() for path in found}
    assert names == {"train.py"} | {
        f"human_alignment/{name}.py" for name in ("a/loop", "a/sums", "common/cli")
    }


@pytest.mark.parametrize(
    "file, old, new",
    [
        ("human_alignment/a/sums.py", "a + b", "a - b"),
        ("human_alignment/a/loop.py", "add(n, 1)", "add(n, 2)"),
        ("human_alignment/a/loop.py", "def train(n)", "def train(n=1)"),
        ("train.py", "train(1)", "train(2)"),
        ("train.py", "train(1)", "train('1')"),
    ],
)
def test_an_edit_of_the_code_changes_the_digest(scripts, file, old, new):
    before = digest(scripts)
    (scripts / file).write_text(FILES[file].replace(old, new))
    assert digest(scripts) != before


@pytest.mark.parametrize(
    "file, old, new",
    [
        ("human_alignment/a/sums.py", "a + b", "(a  +  b)  # the sum"),
        ("human_alignment/a/sums.py", "def add", "\n\n# adds\ndef add"),
        ("human_alignment/a/sums.py", "    return", '    """New."""\n    return'),
        ("human_alignment/a/loop.py", '    """Doc."""\n', ""),
        ("train.py", '"""Train."""', '"""Trains."""'),
        ("train.py", "train(1)\n", 'train(1)\n"""Said of the line above."""\n'),
        ("human_alignment/a/other.py", "x = 1", "x = 2"),
        ("human_alignment/common/cli.py", "pass", "print()"),
        ("human_alignment/a/__init__.py", "", "# empty"),
    ],
)
def test_comments_docstrings_formatting_and_what_is_not_imported_do_not(scripts, file, old, new):
    before = digest(scripts)
    assert old in FILES[file]
    (scripts / file).write_text(FILES[file].replace(old, new, 1))
    assert digest(scripts) == before


def test_templates_count_byte_by_byte(scripts):
    before = digest(scripts, ["outcome/page.html"])
    assert before != digest(scripts)
    (scripts / "human_alignment/outcome/page.html").write_text("<p> ")
    assert digest(scripts, ["outcome/page.html"]) != before


def test_a_missing_script_is_named(scripts):
    with pytest.raises(FileNotFoundError, match="nothing.py"):
        code.code_digest(scripts, "nothing.py")


def kept_beside(scripts):
    return sorted(scripts.rglob("__pycache__/*.syntax"))


def test_what_one_start_has_found_the_next_one_reads(scripts, monkeypatch):
    first = digest(scripts)
    assert len(kept_beside(scripts)) == 4
    monkeypatch.setattr(code, "_add_text", None)  # no tree is walked any more
    assert digest(scripts) == first
    (scripts / "train.py").write_text("import os\n")
    with pytest.raises(TypeError):
        digest(scripts)


@pytest.mark.parametrize("damage", [b"", b"null", b"{}", b"[1]", b'{"of": 1}', b"\xff\x00", None])
def test_what_is_kept_may_be_damaged_or_of_another_file(scripts, damage):
    first = digest(scripts)
    files = kept_beside(scripts)
    contents = [file.read_bytes() for file in files]
    for file, content in zip(files, contents[1:] + contents[:1], strict=True):
        file.write_bytes(content if damage is None else damage)
    assert digest(scripts) == first
    assert [file.read_bytes() for file in files] == contents


def test_who_wants_no_bytecode_beside_the_code_has_nothing_there(scripts, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    digest(scripts)
    assert kept_beside(scripts) == []


def test_a_checkout_that_nobody_can_write_is_read(scripts):
    first = digest(scripts)
    for folder in scripts.rglob("__pycache__"):
        shutil.rmtree(folder)
        folder.write_text("no folder")  # root may write to all folders
    assert digest(scripts) == first


def test_what_draws_or_reports_is_no_part_of_what_trains(root):
    scripts = root / "workflow_scripts"
    rooms = {path.parent.name for path in code.imported(scripts, scripts / "train_model.py")}
    assert rooms == {"workflow_scripts", "common", "data", "networks", "training"}
    names = {path.stem for path in code.imported(scripts, scripts / "train_model.py")}
    assert not names & {"positions", "accuracy", "checkpoints", "explainers"}


def test_the_digests_of_all_scripts_take_seconds_at_most(root):
    """In a process of its own, as Snakemake starts it: no cache is warm."""
    program = (
        "import sys; from pathlib import Path\n"
        "from human_alignment.study.code import code_digest\n"
        "scripts = Path(sys.argv[1])\n"
        "for path in scripts.glob('*.py'): code_digest(scripts, path.name)\n"
    )
    began = time.perf_counter()
    command = [sys.executable, "-c", program, root / "workflow_scripts"]
    environment = {"PYTHONPATH": str(root / "workflow_scripts"), "PATH": ""}
    subprocess.run(list(map(str, command)), check=True, env=environment)
    assert time.perf_counter() - began < 5  # 0.4 s on an idle core; this one may be busy
