"""Runs that are killed, met by a second one, or out of disk: the next run goes on, nothing is lost.

Each kill hits in the middle of a job's work.
"""

import copy
import os
import re
import resource
import shlex
import shutil
import signal
import threading
import time
from pathlib import Path

import h5py
import pytest
from misbehaving_server import MisbehavingServer, Reply
from workflow_copy import Workflow

MODEL = "convnext_tiny"
DATA, LOG = "results/demo/data/digits.h5", "logs/demo/prepare_digits.log"


def wait_until(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def hidden(workflow):
    return list((workflow.work / "results").rglob(".*"))


def started(workflow, *arguments):
    """A run in a process group of its own whose first job works."""
    (workflow.work / LOG).unlink(missing_ok=True)
    process = workflow.start(DATA, *arguments, process_group=0)
    wait_until(lambda: (workflow.work / LOG).exists() or process.poll() is not None)
    assert process.poll() is None
    return process


@pytest.fixture
def slow(root, study, tmp_path):
    """A study whose data take some seconds to make."""
    workflow = Workflow(root, tmp_path)
    workflow.write({**study, "digits": study["digits"] | {"train_images": 2000}})
    return workflow


def test_two_runs_at_once(slow):
    """The second is told that the folder is locked; the first ends as if alone."""
    first = started(slow)
    second = slow.snakemake(DATA)
    output, error = first.communicate()
    assert first.returncode == 0, output + error
    assert second.returncode != 0
    text = second.stdout + second.stderr
    assert "note: this folder is locked" in text and "Traceback" not in text
    assert slow.planned(DATA) == {}


def test_after_a_kill_the_messages_say_what_to_type(slow):
    first = started(slow)
    wait_until(lambda: hidden(slow))
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    assert hidden(slow) != []
    text = slow.snakemake(DATA).stderr
    command = shlex.split(re.search(r"^  snakemake (.* --unlock)$", text, re.M)[1])
    assert {DATA, str(slow.config_file)} < set(command)
    unlocked = slow.snakemake(DATA, "--unlock")
    assert unlocked.returncode == 0 and "note:" not in unlocked.stderr
    done = slow.snakemake(DATA)
    assert done.returncode == 0, done.stdout + done.stderr
    assert hidden(slow) == []


def limited():
    """No file of this process may be larger than 300 kB, as if the disk were full by then."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))


def test_a_full_disk_is_told_with_the_files_name(root, study, tmp_path):
    workflow = Workflow(root, tmp_path)
    workflow.write(study)
    with workflow.start(DATA, warm=False, preexec_fn=limited) as process:
        output, error = process.communicate()
    assert process.returncode != 0
    assert re.search(r"^error: .*File too large: .*digits.*h5", output + error, re.M)
    assert "Traceback" not in output + error
    assert [path for path in (workflow.work / "results").rglob("*") if path.is_file()] == []
    done = workflow.snakemake(DATA)
    assert done.returncode == 0, done.stdout + done.stderr


def killing(workflow, script, sign):
    """Kill a script's process once `sign` is there, or it is; the thread that waits for that.

    A short job that starts quickly may end between two looks: such jobs are run by Python itself.
    """

    def kill():
        while not sign():
            time.sleep(0.02)
        while not (found := workflow.processes(script)):
            time.sleep(0.1)
        os.kill(found[0], signal.SIGKILL)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    return thread


def same(one: Path, other: Path) -> bool:
    """Whether two files hold the same: HDF5 by content, others by bytes."""
    if one.suffix != ".h5":
        return one.read_bytes() == other.read_bytes()
    with h5py.File(one) as a, h5py.File(other) as b:
        return a.keys() == b.keys() and all(
            a[name][:].tobytes() == b[name][:].tobytes() for name in a
        )


def test_killed_jobs_are_tried_again(workflow, tmp_path):
    """One training, extraction and scoring is killed each; the results are the same."""
    other = copy.copy(workflow)
    other.work = tmp_path / "work"
    shutil.copytree(workflow.work, other.work)
    results, logs = other.work / "results/demo", other.work / "logs/demo"
    for folder in (results / "weights", results / "heatmaps", results / "scores"):
        shutil.rmtree(folder / MODEL)
    log = logs / f"train_model/{MODEL}.seed0.log"
    log.unlink()
    chunks = results / f"heatmaps/{MODEL}/.seed0.chunks"
    killers = [
        killing(other, "train_model.py", lambda: log.exists() and "step 1 " in log.read_text()),
        killing(other, "extract_heatmaps.py", chunks.is_dir),
        killing(other, "score_alignment.py", (results / f"heatmaps/{MODEL}/seed0.h5").exists),
    ]
    wanted = f"results/demo/scores/{MODEL}/seed0.parquet"
    done = other.snakemake(wanted, "--retries", "1", warm_jobs=False)  # see `killing`
    text = done.stdout + done.stderr
    assert done.returncode == 0, text
    assert [killer for killer in killers if killer.is_alive()] == []
    assert text.count("Trying to restart job") == 3
    assert hidden(other) == []
    made = ["weights/{}/seed0.safetensors", "heatmaps/{}/seed0.h5", "scores/{}/seed0.parquet"]
    for name in [path.format(MODEL) for path in made]:
        assert same(results / name, workflow.work / "results/demo" / name), name


def test_a_killed_download_and_conversion_go_on(root, study, contents, tmp_path, monkeypatch):
    """They are tried once, so the next run has to go on."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    workflow = Workflow(root, tmp_path)
    downloaded = f"results/demo/checkpoints/{MODEL}_dcls"
    received = workflow.work / f"results/demo/checkpoints/.{MODEL}_dcls.partial"
    weights = f"results/demo/weights/{MODEL}_dcls/published.safetensors"
    entry = {"source": "published", "architecture": "micro_convnext_tiny"}
    slow, quick = Reply(contents[0], seconds_per_chunk=0.1), Reply(contents[0])
    with MisbehavingServer(slow, quick) as server:
        models = {f"{MODEL}_dcls": entry | {"checkpoint": {"url": server.url}}}
        workflow.write({**study, "models": models})
        kill = killing(
            workflow,
            "download_checkpoint.py",
            lambda: received.exists() and received.stat().st_size > 100_000,
        )
        assert workflow.snakemake(weights).returncode != 0
        assert not kill.is_alive() and received.stat().st_size > 100_000
        kill = killing(workflow, "convert_checkpoint.py", (workflow.work / downloaded).exists)
        assert workflow.snakemake(weights, warm_jobs=False).returncode != 0
        assert not kill.is_alive()
        assert hidden(workflow) == []
        assert workflow.planned(weights) == {"convert_checkpoint": 1}
        done = workflow.snakemake(weights)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Range" in server.requests[1].headers and len(server.requests) == 2
    assert (workflow.work / downloaded).read_bytes() == contents[0]
    assert hidden(workflow) == []
