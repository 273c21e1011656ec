"""Graphics cards of a workstation: what jobs ask for, and what the profile shares out."""

import re

import yaml

CARD = "#!/bin/sh\necho 'GPU 0: NVIDIA H100 (UUID: GPU-1)'\n"
ON_A_CARD = {"extract_heatmaps", "extract_attributions", "evaluate_top1"}


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


def test_the_profile_of_a_workstation_shares_out_one_card(workflow):
    profile = workflow.repository / "profiles" / "workstation"
    one_job = ("--forcerun", "plot_samples", "--until", "plot_samples")
    done = workflow.snakemake("--profile", str(profile), *one_job)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Provided resources: gpu=1" in done.stdout + done.stderr
    assert workflow.planned() == {}


def test_every_rule_on_a_card_has_one_in_the_profile_of_a_cluster(root):
    profile = yaml.safe_load((root / "profiles" / "slurm" / "config.yaml").read_text())
    with_card = {rule for rule, needs in profile["set-resources"].items() if needs.get("gpu")}
    text = "".join(path.read_text() for path in (root / "rules").glob("*.smk"))
    blocks = re.split(r"\nrule ", text)
    assert with_card == {b.split(":")[0] for b in blocks if "gpu=study.gpus_of_a_job" in b}
