"""A study that is killed again and again ends with the results of one that was left alone.

`make test-faults` runs this; it takes minutes. The same command is started until all kills have
been made, and once more to its end. Each kill comes at a random time; what was finished before it
stays. A study that is complete before all kills were made loses the files of one stage and
of those after it.
"""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import h5py
import pandas as pd
import pytest
from workflow_copy import Workflow

SEED = 0
KILLS = ["whole run", "SIGTERM", "one job"] * 7
MODEL = "convnext_tiny_dcls"
TARGETS = ["tables/table1.csv", "tables/claims.csv", "figures/positions.png"]
TARGETS = [f"results/demo/{name}" for name in TARGETS]
STAGES = ["weights", "heatmaps", "scores", "tables"]
MEASURED = ["seconds", "images_per_second"]  # columns of a learning curve that differ every time


@pytest.fixture(scope="module")
def small(study):
    """The reduced study, with one network and no more than one explainer."""
    study = {**study, "models": {MODEL: study["models"][MODEL]}, "measures": []}
    study["figures"] = {"overlay_model": MODEL, "overlay_images": 2}
    study["digits"] = study["digits"] | {"train_images": 60, "test_images": 20}
    study["sensitivity"], study["attributions"] = {"geometry": False}, {}
    return study


def made(root: Path, folder: Path, study: dict) -> Workflow:
    folder.mkdir()
    workflow = Workflow(root, folder)
    workflow.write(study)
    return workflow


def content(path: Path):
    """What must be the same: bytes, or what a file of measured times or of HDF5 holds else."""
    if path.name.endswith(".curve.csv"):
        return pd.read_csv(path).drop(columns=MEASURED).to_csv()
    if path.suffix != ".h5":
        return path.read_bytes()
    with h5py.File(path) as file:
        values = {
            name: (file[name].dtype, file[name].shape, file[name][:].tobytes()) for name in file
        }
        return values, {name: str(value) for name, value in file.attrs.items()}


def contents(workflow: Workflow) -> dict:
    """The content of every file of the results by name, hidden ones too."""
    results = workflow.work / "results"
    files = (path for path in results.rglob("*") if path.is_file())
    return {str(path.relative_to(results)): content(path) for path in files}


def killed(workflow: Workflow, run: subprocess.Popen, kind: str, chance: random.Random) -> bool:
    """Kill a run, or a job of it; False if there was nothing left to kill."""
    if kind == "whole run":
        os.killpg(run.pid, signal.SIGKILL)
    elif kind == "SIGTERM":
        os.kill(run.pid, signal.SIGTERM)
    else:
        while not (found := workflow.processes()):
            if run.poll() is not None:
                return False
            time.sleep(0.02)
        with contextlib.suppress(ProcessLookupError):  # it ended by itself just now
            os.kill(chance.choice(found), signal.SIGKILL)
    return True


def test_kills_change_no_result(root, small, tmp_path):
    alone = made(root, tmp_path / "alone", small)
    begin = time.monotonic()
    done = alone.snakemake(*TARGETS, warm=False)  # as long as those that are killed
    length = time.monotonic() - begin
    assert done.returncode == 0, done.stdout + done.stderr
    chance = random.Random(SEED)
    kinds = chance.sample(KILLS, len(KILLS))
    swept = made(root, tmp_path / "swept", small)
    while kinds:
        run = swept.start(*TARGETS, process_group=0)
        moment = chance.uniform(0, 0.45 * length)
        with contextlib.suppress(subprocess.TimeoutExpired):
            run.communicate(timeout=moment)
        if run.returncode is None and killed(swept, run, kinds[-1], chance):
            kind = kinds.pop()
            output, error = run.communicate()
            print(f"{kind} after {moment:.1f} s: exit code {run.returncode}")
            if kind == "whole run":
                assert swept.snakemake(*TARGETS, "--unlock").returncode == 0
        elif run.returncode == 0:
            lost = STAGES[chance.randrange(len(STAGES)) :]
            print(f"complete; removed: {', '.join(lost)}")
            for stage in lost:
                shutil.rmtree(swept.work / "results/demo" / stage)
    done = swept.snakemake(*TARGETS, warm=False)
    assert done.returncode == 0, done.stdout + done.stderr
    expected, found = contents(alone), contents(swept)
    assert found.keys() == expected.keys()
    assert [name for name in expected if found[name] != expected[name]] == []
    print(f"{len(KILLS)} kills in {time.monotonic() - begin:.0f} s, a run takes {length:.0f} s")
