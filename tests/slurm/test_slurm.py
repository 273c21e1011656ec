"""A reduced study through profiles/slurm, on a real SLURM: cancelled, requeued, killed, identical.

`make test-slurm` runs this. The networks are trained under the profile as it is (squeue), the rest
is made under sacct.
"""

import copy
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from cluster import Cluster, ends, missing_packages
from human_alignment.common.files import sha256
from PIL import Image

PLAIN, DCLS = "convnext_tiny", "convnext_tiny_dcls"
WEIGHTS = [f"results/demo/weights/{model}/seed0.safetensors" for model in (PLAIN, DCLS)]
HEATMAPS = f"results/demo/heatmaps/{DCLS}/seed0.h5"
TABLE = "results/demo/tables/table1.csv"
# Comments that the plugin gives its jobs.
CANCELLED = f"rule_train_model_wildcards_{PLAIN}_0"
REQUEUED = f"rule_train_model_wildcards_{DCLS}_0"
KILLED = f"rule_extract_heatmaps_wildcards_{PLAIN}_seed0__0"
# Files that show a script at work: a training that has saved its state, an extraction's log.
SAVED = "results/demo/weights/{}/.seed0.*.checkpoint"
BEGUN = f"logs/demo/extract_heatmaps/{PLAIN}.seed0.shard0.log"
COMPARED = ("*.safetensors", "heatmaps/**/*.h5", "scores/**/*.parquet", "scores/**/*.csv")
COMPARED += ("scores/**/*.json", "table1.*")


class Run:
    """A run of Snakemake in a folder of its own."""

    def __init__(self, root: Path, folder: Path, environment: dict, *arguments: str):
        self.folder = folder
        self._log = folder / "snakemake.log"
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(root / "Snakefile")]
        command += ["--directory", str(folder), "--nocolor"]
        command += ["--configfile", str(folder / "study.yaml"), *arguments]
        path = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
        with open(self._log, "a") as log:
            self._process = subprocess.Popen(
                command, env=environment | {"PATH": path}, stdout=log, stderr=log
            )

    def ended(self) -> bool:
        return self._process.poll() is not None

    def finish(self, limit: float = 300) -> None:
        """Wait for a good end. Raises AssertionError, with the logs' ends, at any other."""
        try:
            code = self._process.wait(limit)
        except subprocess.TimeoutExpired:
            self.stop()
            code = f"none in {limit:.0f} s"
        assert code == 0, f"exit code {code}{self.logs()}"

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def logs(self) -> str:
        return ends([self._log, *self.folder.glob("logs/**/*.log")], 40)


class Disturbed:
    """The study on a cluster, with what happened to its jobs."""

    def __init__(self, root: Path, cluster: Cluster, folder: Path):
        self.root, self.cluster, self.folder = root, cluster, folder

    def start(self, *arguments: str) -> Run:
        return Run(
            self.root,
            self.folder,
            self.cluster.environment,
            *("--profile", str(self.root / "profiles" / "slurm")),
            *("--default-resources", "slurm_account=study", "slurm_partition=main", "nodes=1"),
            *("--slurm-init-seconds-before-status-checks", "2", "--latency-wait", "20"),
            *arguments,
        )

    def job(self, run: Run, comment: str, trace: str) -> str:
        """The number of a running job whose script has left a file of this pattern."""
        found: list[str] = []

        def at_work() -> bool:
            assert not run.ended(), f"it ended before {comment} was at work{run.logs()}"
            queue = self.cluster.run("squeue", "--noheader", "--states=R", "--format=%i %k")
            found[:] = [line.split()[0] for line in queue.splitlines() if line.endswith(comment)]
            return bool(found) and any(self.folder.glob(trace))

        self.cluster.wait(f"job {comment} at work", at_work, 120)
        return found[0]

    def make(self) -> None:
        """The networks, one cancelled and one requeued; heatmaps of one of them, their shards as
        one job array; then the table, with a shard of the other one killed.
        """
        command = self.cluster.run
        run = self.start(*WEIGHTS)
        try:
            command("scancel", "--signal=KILL", self.job(run, CANCELLED, SAVED.format(PLAIN)))
            command("scontrol", "requeue", self.job(run, REQUEUED, SAVED.format(DCLS)))
            run.finish()
            run = self.start("--slurm-array-jobs", "extract_heatmaps", HEATMAPS)
            run.finish()
            run = self.start("--slurm-status-command", "sacct", TABLE)
            command("scancel", "--signal=KILL", f"{self.job(run, KILLED, BEGUN)}.0")
            run.finish()
        finally:
            run.stop()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    if missing := missing_packages():
        pytest.exit(
            "SLURM's test needs Debian's packages; these lack here:\n"
            f"  apt-get install --no-install-recommends {' '.join(missing)}",
            returncode=1,
        )
    with Cluster(tmp_path_factory.mktemp("slurm")) as cluster:
        yield cluster


def labelled(folder):
    """A folder of images for top-1: one of each digit's class."""
    random = np.random.default_rng(0)
    for label in range(10):
        path = folder / f"class{label}" / "0.png"
        path.parent.mkdir()
        Image.fromarray(random.integers(0, 256, (64, 64, 3), np.uint8)).save(path)
    return folder


@pytest.fixture(scope="module")
def folders(study, tmp_path_factory):
    """Two folders with the same study: one for the cluster, one for this machine alone."""
    config = copy.deepcopy(study)
    config["digits"] = {"train_images": 100, "test_images": 20}
    config["recipes"]["digits"]["steps"] = 150
    config["extract"] |= {"shards": 2, "batch_size": 5}
    config["attributions"] = {"explainers": []}
    config["sensitivity"] = {"geometry": False}
    config["imagenet"] = {"val": str(labelled(tmp_path_factory.mktemp("val")))}
    made = tmp_path_factory.mktemp("cluster"), tmp_path_factory.mktemp("local")
    for folder in made:
        (folder / "study.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    return made


@pytest.fixture(scope="module")
def history(root, cluster, folders):
    """What accounting says of all jobs, after the study was made on the cluster and here."""
    local = Run(root, folders[1], dict(os.environ), "--cores", "1", TABLE)
    try:
        Disturbed(root, cluster, folders[0]).make()
        local.finish()
    finally:
        local.stop()
    jobs = cluster.accounting()
    for job in jobs:
        print("\n{JobID:4}{State:16}{ReqMem:7}{NodeList:4}{Comment}".format(**job), end="")
    return jobs


def states(history, comment):
    """Number, state and memory of each start of a job, in their order."""
    return [
        (j["JobID"], j["State"].split()[0], j["ReqMem"]) for j in history if j["Comment"] == comment
    ]


def test_results_are_those_of_a_local_run(history, folders):
    digests = [
        {
            str(path.relative_to(folder)): sha256(path)
            for pattern in COMPARED
            for path in (folder / "results").rglob(pattern)
        }
        for folder in folders
    ]
    assert digests[0] == digests[1]
    assert {*WEIGHTS, TABLE} < set(digests[0])


def test_a_cancelled_training_began_anew_with_more_memory(history):
    (first, state, memory), (second, again, more) = states(history, CANCELLED)
    assert (state, again) == ("CANCELLED", "COMPLETED")
    assert int(second) > int(first)
    assert int(more.rstrip("M")) == 2 * int(memory.rstrip("M"))


def test_a_requeued_training_kept_its_number(history):
    (first, state, memory), (second, again, same) = states(history, REQUEUED)
    assert (state, again) == ("REQUEUED", "COMPLETED")
    assert (second, same) == (first, memory)


def test_an_interrupted_training_went_on_where_it_was(history, folders):
    for model in (PLAIN, DCLS):
        log = folders[0] / "logs" / "demo" / "train_model" / f"{model}.seed0.log"
        went_on = re.search(r"going on after step (\d+)", log.read_text())
        assert went_on and 0 < int(went_on[1]) < 150


def test_a_killed_shard_was_extracted_again(history):
    (first, state, _), (second, again, _) = states(history, KILLED)
    assert (state, again) == ("FAILED", "COMPLETED")
    assert int(second) > int(first)


def test_shards_were_tasks_of_one_array(history):
    tasks = [job for job in history if "_" in job["JobID"]]
    assert [job["State"] for job in tasks] == ["COMPLETED", "COMPLETED"]
    first, second = (job["JobID"].split("_") for job in tasks)
    assert (first[0], first[1], second[1]) == (second[0], "1", "2")


def test_jobs_ran_on_both_nodes_and_asked_for_cards(history):
    assert {job["NodeList"] for job in history} >= {"n1", "n2"}
    with_card = {
        job["Comment"].split("_wildcards_")[0]
        for job in history
        if "gres/gpu=1" in job["AllocTRES"]
    }
    assert with_card == {"rule_evaluate_top1", "rule_extract_heatmaps"}


def test_small_jobs_stayed_on_the_login_node(history):
    rules = {job["Comment"].split("_wildcards_")[0].removeprefix("rule_") for job in history}
    assert rules == {
        "prepare_digits",
        "train_model",
        "evaluate_top1",
        "extract_heatmaps",
        "score_alignment",
        "score_references",
        "score_controls",
    }


def test_what_slurm_said_of_the_cancelled_job_is_kept(history, folders):
    (number, _, _), _ = states(history, CANCELLED)
    assert list((folders[0] / "logs" / "slurm").rglob(f"{number}.log"))
