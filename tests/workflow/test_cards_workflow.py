"""Graphics cards of a workstation: what jobs ask for, and what the profile shares out."""

import re
import subprocess

import pytest
import warm_python
import yaml

CARD = "#!/bin/sh\necho 'GPU 0: NVIDIA H100 (UUID: GPU-1)'\n"
TWO_JOBS = """
rule all:
    input: "one", "two"
rule job:
    output: "{name}"
    resources: gpu=1
    shell:
        "touch {output}.works; for i in $(seq 30); do test $(ls *.works | wc -l) = 2 && break; "
        "sleep 0.05; done; ls *.works | wc -l > {output}; sleep 0.5; rm {output}.works"
"""
ON_A_CARD = {"extract_heatmaps", "extract_attributions"}  # and evaluate_top1, of other images


def asked(workflow):
    """Rules of the study whose jobs ask for a card."""
    done = workflow.snakemake("--dry-run", "--forceall")
    assert done.returncode == 0, done.stdout + done.stderr
    jobs = re.split(r"\n(?:local)?rule ", done.stdout + done.stderr)[1:]
    return {job.split(":")[0] for job in jobs if re.search(r"[ ,]gpu=1\b", job)}


def test_jobs_ask_for_a_card_where_there_is_one_and_none_runs_again(
    workflow, tmp_path, monkeypatch
):
    program = tmp_path / "nvidia-smi"
    program.write_text(CARD)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert asked(workflow) == ON_A_CARD
    assert workflow.planned() == {}


def test_the_config_decides_for_every_machine(workflow, study):
    workflow.write({**study, "gpu": 1})
    found, planned = asked(workflow), workflow.planned()
    workflow.write(study)
    assert found == ON_A_CARD
    assert planned == {"describe_study": 1}  # whose page shows the config


@pytest.mark.parametrize("more, at_once", [([], 1), (["--resources", "gpu=2"], 2)])
def test_the_profile_of_a_workstation_shares_out_its_cards(root, tmp_path, more, at_once):
    """Of two jobs that ask for a card each, and wait for each other for a while."""
    (tmp_path / "Snakefile").write_text(TWO_JOBS)
    command = [str(warm_python.program()), "-m", "snakemake", "--cores", "2"]
    command += ["--directory", str(tmp_path), "--snakefile", str(tmp_path / "Snakefile")]
    command += ["--profile", str(root / "profiles" / "workstation"), *more]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    met = [int((tmp_path / name).read_text()) for name in ("one", "two")]
    assert max(met) == at_once


def test_every_rule_on_a_card_has_one_in_the_profile_of_a_cluster(root):
    profile = yaml.safe_load((root / "profiles" / "slurm" / "config.yaml").read_text())
    with_card = {rule for rule, needs in profile["set-resources"].items() if needs.get("gpu")}
    text = "".join(path.read_text() for path in (root / "rules").glob("*.smk"))
    blocks = re.split(r"\nrule ", text)
    assert with_card == {b.split(":")[0] for b in blocks if "gpu=study.gpus_of_a_job" in b}
