"""Studies that lack something: tables and figures are made, or say in their place what is missing.

Each starts from the files of the finished study, in a folder of its own.
"""

import copy
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from misbehaving_server import MisbehavingServer, Reply

PLAIN, DCLS = "convnext_tiny", "convnext_tiny_dcls"
OUTCOME = ["tables/table1.html", "tables/claims.html", "gallery.html", "study.html"]
OUTCOME += ["leaderboard.html", "tables/leaderboard.csv"]
OUTCOME += [
    f"figures/{name}.pdf"
    for name in ("figure1", "figure2", "figure3", "figure4", "figure5", "comparisons", "accuracy")
]
OUTCOME += ["figures/positions.pdf", "figures/curves.pdf", "figures/sensitivity.pdf"]
OUTCOME += ["figures/threshold_sweep.pdf"]
OUTCOME += ["figures/strata.pdf", "tables/strata.html", "tables/dcls_by_stratum.html"]


@pytest.fixture
def finished(workflow, tmp_path):
    """The finished study's files, to change."""
    other = copy.copy(workflow)
    other.work, other.config_file = tmp_path / "work", tmp_path / "study.yaml"
    shutil.copytree(workflow.work, other.work)
    for name in OUTCOME:
        (other.work / "results/demo" / name).unlink()
    return other


@pytest.fixture
def slim(study):
    """The study without what costs most and is not asked about here."""
    return {
        **study,
        "sensitivity": {"geometry": False},
        "attributions": {},
        "measures": [],
    }


def complete(workflow, study, not_made, *arguments):
    """Run to a good end; Table 1 and its claims.

    not_made: names of what cannot apply to the study, which the closing lines must give.
    """
    workflow.write(study)
    done = workflow.snakemake(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    results = workflow.work / "results" / "demo"
    assert {Path(one).stem for one in OUTCOME if not (results / one).is_file()} == not_made
    (named,) = re.findall(r"^  not made  (.*)$", done.stderr, re.M)
    assert set(re.sub(r" \(.*?\)", "", named).replace(";", ",").split(", ")) == not_made
    return pd.read_csv(results / "tables/table1.csv"), (results / "tables/claims.md").read_text()


@pytest.mark.parametrize("name, lacking", [(PLAIN, "positions"), (DCLS, "figure4")])
def test_one_network(finished, slim, name, lacking):
    changed = {**slim, "models": {name: slim["models"][name]}}
    table, claims = complete(finished, changed, {"figure2", "dcls_by_stratum", lacking})
    assert table["dcls"].tolist() == [int(name == DCLS)]
    assert "not tested" in claims  # the networks are small ones
    assert (finished.work / "results/demo/scores/comparisons.csv").stat().st_size > 0


def test_one_explainer_that_is_not_the_papers(finished, study):
    changed = {**study, "extract": study["extract"] | {"explainers": ["layer_cam"]}}
    changed["sensitivity"] = {"geometry": False}
    lacking = {"figure2", "figure3", "figure4", "threshold_sweep"}
    table, _ = complete(finished, changed, lacking)
    assert len(table) == 2


def test_a_network_whose_training_fails(finished, slim):
    models = copy.deepcopy(slim["models"])
    models[DCLS]["train"]["recipe"] = "diverging"
    recipes = slim["recipes"] | {
        "diverging": slim["recipes"]["digits"] | {"learning_rate": 1e6, "clip_norm": 0}
    }
    changed = {**slim, "models": models, "recipes": recipes}
    finished.write(changed)
    done = finished.snakemake("--keep-going")
    assert done.returncode != 0
    assert "Study demo: stopped by failed jobs after" in done.stderr
    assert f"no current scores of {DCLS}/seed0; see logs/demo" in done.stderr
    assert "--config partial=true" in done.stderr
    # The scores of the training before are still there, and stand in no table.
    assert (finished.work / f"results/demo/scores/{DCLS}/seed0.parquet").is_file()
    lacking = {"figure2", "positions", "dcls_by_stratum"}
    table, claims = complete(finished, {**changed, "partial": True}, lacking)
    assert table["model"].tolist() == [PLAIN]
    assert "not tested" in claims  # the networks are small ones


def test_a_network_whose_checkpoint_no_longer_comes(finished, slim, monkeypatch):
    """Its earlier scores are still there, count nowhere, and are named as missing."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    results = finished.work / "results/demo"

    def table1(url, *arguments):
        """Run as far as Table 1; how it ended, and the networks in the table."""
        published = {"source": "published", "architecture": f"micro_{PLAIN}"}
        models = {**slim["models"], PLAIN: published | {"checkpoint": {"url": url}}}
        finished.write({**slim, "models": models})
        done = finished.snakemake("results/demo/tables/table1.csv", *arguments)
        return done, pd.read_csv(results / "tables/table1.csv")["network"].tolist()

    done, networks = table1(str(results / "weights" / PLAIN / "seed0.safetensors"))
    assert done.returncode == 0 and networks == [PLAIN, DCLS], done.stderr
    with MisbehavingServer(Reply(b"", status=404)) as server:
        done, _ = table1(server.url, "--keep-going")
        assert done.returncode != 0
        assert (results / f"scores/{PLAIN}/published.parquet").is_file()
        assert "scored    1 of 2 networks" in done.stderr
        assert f"no current scores of {PLAIN}/published; see logs/demo" in done.stderr
        done, networks = table1(server.url, "--config", "partial=true")
    assert done.returncode == 0 and networks == [DCLS], done.stderr
    assert f"Without scores: {PLAIN}/published." in (results / "tables/table1.md").read_text()
