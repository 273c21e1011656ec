"""Shared by all tests: the scripts' folder on the import path, and where reference data lies."""

import atexit
import gc
import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import warm_python
import yaml
from filelock import FileLock
from workflow_copy import HOSTILE, Workflow

os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parents[1]
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")  # the name of one of several processes of tests
gc.disable()  # until all is imported, of which nothing is garbage
sys.path.insert(0, str(ROOT / "workflow_scripts"))


def pytest_configure(config: pytest.Config) -> None:
    """Give several processes of tests one warm Python together."""
    if WORKER:
        atexit.register(os._exit, 0)  # to take apart what was imported would take seconds
    elif config.getoption("numprocesses", None):
        os.environ[warm_python.SHARED] = str(warm_python.program())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of whole runs take longest and begin first: all processes then end at the same time."""
    items.sort(key=lambda item: item.path.parent.name != "workflow")


def pytest_collection_finish() -> None:
    """Tests begin: all is imported, and each of several processes of tests takes one core.

    Scripts take every core that they may. With threads that wait for those of another process they
    would spend five times the tests' work on waiting.
    """
    gc.freeze()  # to look for garbage in what is imported took a tenth of the tests' time
    gc.enable()
    if WORKER:
        os.sched_getaffinity = lambda _: {0}


def pytest_sessionfinish() -> None:
    """What a process that ends by itself does not look for, libraries tell as leaks."""
    if not WORKER:
        gc.unfreeze()


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Small reference data: see tests/reference/README.md for where each file comes from."""
    return ROOT / "tests" / "reference"


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def study(root):
    """The demo's study, reduced: one pair of networks, few images, few steps."""
    config = yaml.safe_load((root / "profiles" / "demo" / "study.yaml").read_text())
    config["digits"] |= {"train_images": 200, "test_images": 40}
    config["recipes"]["digits"] |= {"steps": 8, "batch_size": 16, "windows": [[4, [32]]]}
    names = ("convnext_tiny", "convnext_tiny_dcls")
    config["models"] = {name: config["models"][name] for name in names}
    config["attributions"] |= {"images": 5}
    config["figures"] = {"overlay_model": "convnext_tiny", "overlay_images": 3}
    config["note"] += " {Not} 'for' $(touch hacked) <anything>."
    return config


@pytest.fixture(scope="session")
def workflow(root, study, tmp_path_factory, worker_id):
    """That study, run once for all tests; each leaves it as it found it.

    Checkout and working folder are in a folder of a name that a shell and Snakemake could misread.
    Of several processes of tests the first runs it, and each has a copy of its own.
    """
    own = tmp_path_factory.mktemp("workflow") / HOSTILE
    if worker_id == "master":
        return finished(Workflow(root, own), study)
    shared = tmp_path_factory.getbasetemp().parent / "finished_workflow"
    with FileLock(f"{shared}.lock"):
        if (shared / "workflow").is_file():
            held = pickle.loads((shared / "workflow").read_bytes())
        else:
            held = finished(Workflow(root, shared / HOSTILE), study)
            (shared / "workflow").write_bytes(pickle.dumps(held))
    return held.copied(own)


def finished(workflow, study):
    workflow.write(study)
    done = workflow.snakemake()
    assert done.returncode == 0, done.stdout + done.stderr
    return workflow


@pytest.fixture(scope="session")
def digits_to_train(tmp_path_factory):
    """A training file of forty digits."""
    import prepare_digits  # after the scripts' folder is on the path

    folder = tmp_path_factory.mktemp("digits")
    prepare_digits.main(
        ["--output", str(folder / "d.h5"), "--train-output", str(folder / "t.h5")]
        + ["--train-images", "40", "--test-images", "2"]
    )
    return folder / "t.h5"


@pytest.fixture
def gradient():
    """A picture 80 wide, 40 high: red grows to the right, green downwards."""
    red, green = np.meshgrid(np.linspace(0, 255, 80), np.linspace(0, 255, 40))
    return np.stack([red, green, np.full_like(red, 99)], -1).astype(np.uint8)
