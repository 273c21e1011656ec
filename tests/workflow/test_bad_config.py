"""Config files that cannot be used: told by a dry run, on one screen, without a traceback."""

import pytest
import yaml
from workflow_copy import Workflow


@pytest.fixture(scope="module")
def fresh(root, study, tmp_path_factory):
    return Workflow(root, tmp_path_factory.mktemp("bad"))


def refused(fresh, *arguments, **more):
    done = fresh.snakemake("--dry-run", "--quiet", "all", *arguments, **more)
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert "Traceback" not in said and said.count("\n") < 25, said
    return said


@pytest.mark.parametrize(
    "text, message",
    [
        ("note: a\nstudy: demo\nnote: b\n", "the key 'note' stands twice, in lines 1 and 3"),
        ("study: demo\ndata: digits\nmodels: {1: {}}\n", "models: the key 1 is no text"),
        ("study: demo\ndata: digits\nmodels: {}\nthreads: 2.0\n", "write 2"),
        ("study: demo\ndata: digits\nmodels: {}\nthreads: .nan\n", "threads: nan is not allowed"),
        ("study: demo\ndata: digits\nmodels: {}\nextract: {shards: 1000000}\n", "<= 1000"),
        ("", "keys at top level"),  # these three are refused by Snakemake itself
        ("- study\n", "keys at top level"),
        ("study: [\n", "not valid JSON or YAML"),
    ],
)
def test_a_config_file_that_is_named(fresh, text, message):
    fresh.config_file.write_text(text)
    assert message in refused(fresh)


@pytest.mark.parametrize(
    "text, message",
    [
        (b"study: a\nstudy: b\n", "the key 'study' stands twice, in lines 1 and 2; keep one"),
        (b"study: caf\xe9\n", "is not UTF-8 (byte 10)"),
        (b"study: [\n", "is no YAML at line 2"),
        (b"", "holds no keys"),
        (b"threads: " + b"9" * 5000, "more than 4,000 digits"),
        (b"study: &a {b: *a}\n", "an anchor that holds itself"),
    ],
)
def test_the_config_file_of_the_repository(fresh, text, message):
    file = fresh.repository / "config.yaml"
    before = file.read_bytes()
    file.write_bytes(text)
    try:
        assert message in refused(fresh, config=False)
    finally:
        file.write_bytes(before)


def test_a_value_on_the_command_line(fresh, study):
    fresh.config_file.write_text(yaml.safe_dump(study))
    assert "threads: 0 is out of range; allowed: >= 1" in refused(fresh, "--config", "threads=0")
    done = fresh.snakemake("--dry-run", "--quiet", "all", "--config", "threads=2", "note=a b")
    assert done.returncode == 0, done.stderr
