"""The workflow as a module of another Snakefile, which has a rule and keys of its own."""

import copy

import pandas as pd
import pytest
import yaml
from workflow_copy import HOSTILE, Workflow

OUTER = """
configfile: "outer.yaml"


module alignment:
    snakefile:
        config["where"]
    config:
        config["alignment"]


use rule * from alignment as ha_*


rule order:
    default_target: True
    input:
        rules.ha_make_table1.output.csv,
        rules.ha_all.input,
    output:
        config["order"],
    run:
        import pandas

        pandas.read_csv(input[0]).sort_values("grad_cam").to_csv(output[0])
"""


def within(workflow, study, folder):
    """Another workflow with a Snakefile and a config of its own; it works where `workflow` does.

    folder: to hold its Snakefile and what its own rule writes.
    """
    outer = copy.copy(workflow)
    outer.repository = folder
    (folder / "Snakefile").write_text(OUTER)
    given = {"alignment": study, "where": str(workflow.repository / "Snakefile")}
    given |= {"order": str(folder / "order.csv"), "name of my own": 1}
    (outer.work / "outer.yaml").write_text(yaml.safe_dump(given))
    return outer


@pytest.fixture(scope="module")
def unmade(root, study, tmp_path_factory):
    """The workflow of a study that nothing is made of yet, and another that uses it as a module."""
    workflow = Workflow(root, tmp_path_factory.mktemp("inner") / HOSTILE)
    workflow.write(study)
    return workflow, within(workflow, study, tmp_path_factory.mktemp("outer"))


@pytest.fixture
def outer(workflow, study, tmp_path):
    """Another workflow in the folder of the study that has been made."""
    yield within(workflow, study, tmp_path)
    (workflow.work / "outer.yaml").unlink()


def test_the_other_workflow_plans_every_rule_and_its_own(unmade):
    inner, outer = unmade
    jobs = {f"ha_{name}": count for name, count in inner.planned().items()}
    assert len(jobs) > 30
    assert outer.planned(config=False) == jobs | {"order": 1}


def test_a_job_runs_where_the_other_workflow_works(unmade):
    _, outer = unmade
    file = "results/demo/data/digits.h5"
    done = outer.snakemake(file, config=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (outer.work / file).is_file()
    assert (outer.work / "logs" / "demo" / "prepare_digits.log").stat().st_size > 0


def test_results_that_are_there_are_used_and_table_1_is_read(outer):
    assert outer.planned(config=False) == {"order": 1}
    done = outer.snakemake(config=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(pd.read_csv(outer.repository / "order.csv")["model"]) == {"convnext_tiny"}


def test_captions_of_the_report_are_found(outer):
    report = outer.repository / "report.html"
    done = outer.snakemake("ha_all", "--report", str(report), config=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "of the study <em>demo</em>" in report.read_text()


def test_a_mistake_in_the_modules_config_is_told_in_its_place(unmade, study):
    inner, outer = unmade
    within(inner, study | {"stdy": "x"}, outer.repository)
    done = outer.snakemake("--dry-run", config=False)
    within(inner, study, outer.repository)
    assert done.returncode != 0
    assert "unknown key 'stdy' (did you mean 'study'?)" in done.stdout + done.stderr
