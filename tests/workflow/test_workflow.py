"""The whole workflow on a reduced study, and what makes its jobs run again.

One study is run once; the tests after it look at dry runs on its results. Each test leaves the
copy of the repository as it found it.
"""

import re

import pandas as pd
import pytest
from workflow_copy import Workflow

CORRELATED = {"score_alignment": 2, "evaluate_measures": 1}
CORRELATED |= {"sweep_threshold": 1, "protocol_sensitivity": 1}
SUMMARISED = {"summarise_scores": 2, "summarise_sweep": 1, "summarise_sensitivity": 1}
CHAIN = {  # jobs of one network
    "train_model": 1,
    "evaluate_top1": 1,
    "extract_heatmaps": 2,
    "extract_attributions": 1,
    **CORRELATED,
    **SUMMARISED,
}
OUTCOME = ["collect_scores", "compare_models", "make_table1", "make_gallery"]
OUTCOME += ["plot_figure2", "plot_figure3", "plot_figure4"]
OUTCOME += ["collect_sweeps", "collect_sensitivity", "collect_measures"]
OUTCOME += ["plot_threshold_sweep", "plot_sensitivity"]
OUTCOME += ["check_claims", "plot_comparisons", "plot_accuracy"]
OUTCOME = dict.fromkeys(OUTCOME, 1) | {"show_table": 5}
LEARNED = {"plot_positions": 1, "plot_curves": 1}
PAGES = {"make_table1": 1, "check_claims": 1, "show_table": 5, "describe_study": 1}
HEATMAPS = {"describe_study": 1}  # what else reads heatmaps or the config


def twice(jobs):
    return {name: 2 * count for name, count in jobs.items()}


def test_the_study_ends_in_table_and_figures(workflow):
    results = workflow.work / "results" / "demo"
    for name in ("figure1", "figure2", "figure3", "figure4", "samples"):
        for ending in (".png", ".pdf"):
            assert (results / "figures" / (name + ending)).stat().st_size > 2000
    table = pd.read_csv(results / "tables" / "table1.csv")
    assert list(table["model"]) == ["convnext_tiny"] * 2
    assert list(table["dcls"]) == [0, 1]
    assert list(table["n_images"]) == [40, 40]
    assert table["top1"].between(0, 100).all()
    scores = pd.read_csv(results / "scores" / "convnext_tiny" / "seed0.csv")
    assert list(scores) == ["image_id", "label", "explainer", "rho", "status"]
    assert len(scores) == 80
    assert (scores["rho"].isna() == (scores["status"] != "ok")).all()


def test_every_job_left_a_log_and_a_timing(workflow):
    logs = workflow.work / "logs" / "demo"
    assert (logs / "train_model" / "convnext_tiny_dcls.seed0.log").is_file()
    timing = pd.read_csv(logs / "train_model" / "convnext_tiny_dcls.seed0.tsv", sep="\t")
    assert timing["s"][0] > 0


def test_a_second_run_has_nothing_to_do(workflow):
    assert workflow.planned() == {}


def test_a_touch_runs_nothing(workflow):
    for path in workflow.repository.rglob("*"):
        path.touch()
    workflow.config_file.touch()
    assert workflow.planned() == {}


def test_a_moved_checkout_runs_nothing(workflow):
    moved = workflow.repository.with_name("moved")
    workflow.repository.rename(moved)
    workflow.repository = moved
    assert workflow.planned() == {}


def test_editing_one_models_entry_runs_its_chain_and_the_tables(workflow, study):
    entry = study["models"]["convnext_tiny_dcls"]
    changed = {**entry, "architecture": "micro_convnext_small"}
    workflow.write({**study, "models": {**study["models"], "convnext_tiny_dcls": changed}})
    planned = workflow.planned()
    workflow.write(study)
    assert planned == CHAIN | OUTCOME | HEATMAPS | LEARNED | {"plot_figure1": 1}


def test_adding_a_seed_runs_that_seed_and_the_tables(workflow, study):
    entry = study["models"]["convnext_tiny"]
    changed = {**entry, "train": {"recipe": "digits", "seeds": [0, 1]}}
    workflow.write({**study, "models": {**study["models"], "convnext_tiny": changed}})
    planned = workflow.planned()
    workflow.write(study)
    assert planned == CHAIN | OUTCOME | HEATMAPS | {"plot_curves": 1}


def test_other_statistics_correlate_nothing_again(workflow, study):
    workflow.write({**study, "statistics": {"resamples": 300}})
    planned = workflow.planned()
    workflow.write(study)
    figure_and_pages = {"make_gallery", "plot_figure1"}  # these read scores of single images
    assert set(SUMMARISED) < set(planned)
    assert not (CORRELATED.keys() | figure_and_pages) & planned.keys()


@pytest.mark.parametrize(
    "name, rules",
    [
        (
            "scores/bootstrap.py",
            twice({"score_alignment": 2, **SUMMARISED}) | OUTCOME | {"plot_figure1": 1},
        ),
        ("training/trainer.py", twice(CHAIN) | OUTCOME | HEATMAPS | LEARNED | {"plot_figure1": 1}),
        ("outcome/claims.py", {"check_claims": 1}),
        ("../plot_figure4.py", {"plot_figure4": 1}),
        ("outcome/training_figures.py", LEARNED),
        ("outcome/gallery.py", {"make_gallery": 1}),
        ("outcome/page_tables.py", PAGES),
        ("outcome/templates/table.css", PAGES),
        ("outcome/templates/gallery.js", {"make_gallery": 1}),
    ],
)
def test_editing_an_imported_module_runs_what_imports_it(workflow, name, rules):
    path = workflow.repository / "workflow_scripts" / "human_alignment" / name
    text = path.read_text()
    path.write_text(text + "\n# edited\n")
    planned = workflow.planned()
    path.write_text(text)
    assert planned == rules


def test_mistakes_are_told_before_any_job(workflow, study):
    workflow.write({**study, "extract": {"explainers": ["grad_kam"]}})
    done = workflow.snakemake("--dry-run")
    workflow.write(study)
    assert done.returncode != 0
    text = done.stdout + done.stderr
    assert "'grad_kam' is not known; allowed: grad_cam, threshold_grad_cam" in text
    assert "Traceback" not in text
    assert len(text.splitlines()) < 15


def test_a_missing_data_path_is_told_before_any_job(workflow, study):
    clickme = {"source": "/no/such/folder", "shards": 2}
    workflow.write({**study, "data": "clickme", "clickme": clickme})
    done = workflow.snakemake("--dry-run")
    workflow.write(study)
    assert done.returncode != 0
    assert "clickme.source: /no/such/folder does not exist" in done.stdout + done.stderr


def test_a_diverging_training_says_so_and_leaves_no_weights(workflow, study):
    recipes = {"digits": study["recipes"]["digits"] | {"learning_rate": 1e30, "clip_norm": 0}}
    workflow.write({**study, "study": "diverging", "recipes": recipes})
    done = workflow.snakemake("results/diverging/weights/convnext_tiny/seed0.safetensors")
    workflow.write(study)
    assert done.returncode != 0
    log = workflow.work / "logs/diverging/train_model/convnext_tiny.seed0.log"
    assert re.search(
        r"training diverged: loss is \S+ at step \d+ .* learning rate", log.read_text()
    )
    assert list((workflow.work / "results/diverging/weights").rglob("*.safetensors")) == []


def test_the_paper_dry_runs_completely_without_network(root, tmp_path):
    workflow = Workflow(root, tmp_path)
    done = workflow.snakemake("--dry-run", "--printshellcmds", config=False)
    text = done.stdout + done.stderr
    assert done.returncode == 0, text
    # Snakemake quotes an empty string as nothing at all; only a list of files may be empty.
    commands = "\n".join(re.findall(r"^Shell command: (.*)", text, re.M))
    assert set(re.findall(r" (--[a-z0-9-]+) +(?=--|2>)", commands)) == {"--top1"}
    for rule, count in {
        "download_clickme": 17,
        "fetch_checkpoint": 16,
        "extract_heatmaps": 32,
        "score_alignment": 16,
        "make_table1": 1,
    }.items():
        assert re.search(rf"^{rule} +{count}$", text, re.M), text
