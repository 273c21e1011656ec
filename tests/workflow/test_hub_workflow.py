"""A network with timm's own weights in the workflow, from a hub on this machine.

The library of the hub reads its address on import: no warm Python for jobs that ask the hub.
"""

import pytest
from hub_server import COMMIT, HubServer
from human_alignment.networks.weights import load_weights
from workflow_copy import Workflow

NAME = "test_resnet.r160_in1k"
SOURCE = f"hf://timm/{NAME}/model.safetensors"
TABLE = "results/demo/tables/table1.md"
WEIGHTS = f"results/demo/weights/{NAME}/published.safetensors"


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with HubServer.of(NAME) as server:
        for name, value in server.environment(tmp_path / "huggingface").items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture
def workflow(root, study, tmp_path):
    """The small study with this one network, which knows no digits: its prediction is explained."""
    made = Workflow(root, tmp_path / "w")
    changed = {"models": {}, "timm_models": ["test_resnet.*"], "figures": {}}
    made.write({**study, **changed, "protocol": {"target": "prediction"}})
    return made


def test_a_study_of_timms_own_weights(workflow, hub):
    done = workflow.snakemake(WEIGHTS, warm_jobs=False)
    assert done.returncode == 0, done.stdout + done.stderr
    done = workflow.snakemake(TABLE)
    assert done.returncode == 0, done.stdout + done.stderr
    notes = load_weights(workflow.work / WEIGHTS)[2]
    assert (notes["source"], notes["revision"]) == (SOURCE, COMMIT)
    assert [method for method, *_ in hub.requests] == ["HEAD", "GET"]
    table = (workflow.work / TABLE).read_text()
    assert NAME in table and "not measured" in table
    assert workflow.planned(TABLE) == {}
    edited = workflow.repository / "workflow_scripts" / "convert_checkpoint.py"
    edited.write_text(edited.read_text() + "\nEDITED = 1\n")
    hub.status = 500
    again = workflow.snakemake(WEIGHTS, warm_jobs=False)
    assert again.returncode == 0, again.stdout + again.stderr
    assert len(hub.requests) == 2


def test_what_the_hub_does_not_have_is_asked_for_once(workflow, hub):
    hub.files.clear()
    done = workflow.snakemake(WEIGHTS, "--retries", "2", "--show-failed-logs", warm_jobs=False)
    said = done.stdout + done.stderr
    assert done.returncode != 0 and "Trying to restart" not in said
    assert f"{SOURCE}: the hub at {hub.address} answered 404 Not Found" in said
    assert len(hub.requests) == 1
    assert not (workflow.work / f"results/demo/checkpoints/{NAME}").is_symlink()


def test_what_cannot_be_explained_is_listed_before_any_job(workflow, study, hub):
    patterns = ["nest_*_jx.*", "test_resnet.*", "convnext_tiny.*_in1k"]
    workflow.write({**study, "models": {}, "timm_models": patterns, "figures": {}})
    done = workflow.snakemake("--dry-run", warm_jobs=False)
    said = done.stdout + done.stderr
    assert done.returncode == 1 and said.count("\n") < 25 and "Traceback" not in said
    for told in ("last feature map is not found", "other classes than the 10 of the data"):
        assert told in said
    assert hub.requests == []
