"""The whole workflow on a reduced study, and what makes its jobs run again.

One study is run once; the tests after it look at dry runs on its results. Each test leaves the
copy of the repository as it found it.
"""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from human_alignment.heatmaps.explainers import EXPLAINERS
from human_alignment.heatmaps.heatmap_file import HeatmapFile
from human_alignment.study.closing import PARTIAL
from workflow_copy import Workflow

CORRELATED = {"score_alignment": 2, "evaluate_measures": 1}
CORRELATED |= {"sweep_threshold": 1, "protocol_sensitivity": 1, "score_controls": 1}
COLLECTED = {"collect_scores", "collect_sweeps", "collect_sensitivity", "collect_measures"}
COLLECTED |= {"collect_controls", "compare_models", "stratify_scores"}  # who draw resamples
CHAIN = {  # jobs of one network
    "train_model": 1,
    "extract_heatmaps": 1,
    "extract_attributions": 1,
    **CORRELATED,
}
OUTCOME = ["collect_scores", "compare_models", "make_table1", "make_leaderboard", "make_gallery"]
OUTCOME += ["plot_figure2", "plot_figure3", "plot_figure4"]
OUTCOME += ["collect_sweeps", "collect_sensitivity", "collect_measures"]
OUTCOME += ["plot_threshold_sweep", "plot_sensitivity"]
OUTCOME += ["check_claims", "plot_comparisons", "plot_accuracy"]
OUTCOME += ["stratify_scores", "plot_strata"]
OUTCOME += ["collect_controls", "plot_smoothness"]
OUTCOME = dict.fromkeys(OUTCOME, 1) | {"show_table": 11}
REFERENCES = {"score_references": 1, "summarise_references": 1}
PAIR_FIRST = {"collect_pair": 1, "make_pair_table": 1}  # where the study has more than one pair
LEARNED = {"plot_positions": 1, "plot_curves": 1}
PAGES = {"make_table1": 1, "make_leaderboard": 1, "check_claims": 1, "show_table": 11}
PAGES |= {"describe_study": 1}
HEATMAPS = {"describe_study": 1}  # what else reads what scores are made from, or the config
OVERLAYS = {"plot_figure1": 1, "plot_methods": 1}  # of the first run of each network


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
    scores = pd.read_parquet(results / "scores" / "convnext_tiny" / "seed0.parquet")
    columns = ["image_id", "label", "explainer", "rho", "status"]
    assert list(scores) == [*columns, "image", "predicted"]
    assert len(scores) == 80
    assert (scores["rho"].isna() == (scores["status"] != "ok")).all()
    right = (scores["predicted"] == scores["label"])[:40].mean()
    assert 100 * right == pytest.approx(table["top1"][0], abs=0.01)


def test_scores_are_exported_as_csv_when_asked_for(workflow):
    path = "results/demo/scores/convnext_tiny/seed0{}"
    done = workflow.snakemake(path.format(".csv"))
    assert done.returncode == 0, done.stderr
    exported = pd.read_csv(workflow.work / path.format(".csv"))
    scores = pd.read_parquet(workflow.work / path.format(".parquet"))
    assert list(exported) == ["image_id", "label", "explainer", "rho", "status"]
    for name in ("image_id", "explainer", "status"):
        assert exported[name].tolist() == scores[name].tolist()
    np.testing.assert_array_equal(exported["rho"], scores["rho"])
    assert workflow.planned() == {}
    (workflow.work / path.format(".csv")).unlink()


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


def planned_with(workflow, study, **sections):
    """Jobs that would run if sections of the config were others."""
    workflow.write({**study, **sections})
    planned = workflow.planned()
    workflow.write(study)
    return planned


def models_with(study, **changed):
    return {"models": study["models"] | changed}


def test_editing_one_models_entry_runs_its_chain_and_the_tables(workflow, study):
    entry = study["models"]["convnext_tiny_dcls"] | {"architecture": "micro_convnext_small"}
    planned = planned_with(workflow, study, **models_with(study, convnext_tiny_dcls=entry))
    assert planned == CHAIN | OUTCOME | HEATMAPS | LEARNED | OVERLAYS


def test_adding_a_seed_runs_that_seed_and_the_tables(workflow, study):
    entry = study["models"]["convnext_tiny"] | {"train": {"recipe": "digits", "seeds": [0, 1]}}
    planned = planned_with(workflow, study, **models_with(study, convnext_tiny=entry))
    assert planned == CHAIN | OUTCOME | HEATMAPS | {"plot_curves": 1}


def test_another_recipe_trains_the_networks_that_take_it(workflow, study):
    recipes = {**study["recipes"], "longer": study["recipes"]["digits"] | {"steps": 9}}
    entry = study["models"]["convnext_tiny"] | {"train": {"recipe": "longer", "seeds": [0]}}
    models = models_with(study, convnext_tiny=entry)
    planned = planned_with(workflow, study, recipes=recipes, **models)
    assert planned == CHAIN | OUTCOME | HEATMAPS | {"plot_curves": 1} | OVERLAYS


def test_a_network_added_by_its_record_alone_runs_its_own_chain(workflow, study):
    record = {
        "family": "convnext",
        "arguments": {"depths": [1, 1, 1, 1], "dims": [8, 16, 16, 16], "ls_init_value": 1.0},
        "transform": {"resize": 64, "crop": 64},
        "num_classes": 10,
        "micro": True,
    }
    models = models_with(study, nano=study["models"]["convnext_tiny"] | {"architecture": "nano"})
    planned = planned_with(workflow, study, networks={"nano": record}, **models)
    assert planned == CHAIN | OUTCOME | HEATMAPS | PAIR_FIRST | {"plot_curves": 1}


def test_a_record_in_the_packages_file_of_networks_runs_nothing(workflow):
    path = workflow.repository / "workflow_scripts/human_alignment/networks/networks.yaml"
    text = path.read_text()
    record = "family: convnext, arguments: {}, transform: {resize: 9, crop: 8}"
    path.write_text(f"{text}\nanother: {{{record}}}\n")
    planned = workflow.planned()
    path.write_text(text)
    assert planned == {}


RUN_A_NETWORK = {"train_model", "evaluate_top1", "extract_heatmaps", "extract_attributions"}


@pytest.mark.parametrize(
    "explainers", [["grad_cam"], ["grad_cam", "threshold_grad_cam", "layer_cam"]]
)
def test_an_explainer_added_or_removed_is_a_matter_of_scores(workflow, study, explainers):
    extract = study["extract"] | {"explainers": explainers}
    planned = planned_with(workflow, study, extract=extract)
    for rule in CORRELATED.keys() - {"sweep_threshold"}:  # which reads one explainer
        assert planned[rule] == 2
    assert not (RUN_A_NETWORK | {"sweep_threshold", "score_references"}) & planned.keys()


def test_the_order_of_explainers_runs_nothing(workflow, study):
    extract = study["extract"] | {"explainers": ["threshold_grad_cam", "grad_cam"]}
    assert planned_with(workflow, study, extract=extract) == {}


def test_an_explainer_of_a_sample_is_added_and_removed_alone(workflow, study):
    one = study["attributions"]
    added = planned_with(workflow, study, attributions=one | {"explainers": ["rise", "saliency"]})
    assert (added["extract_attributions"], added["score_alignment"]) == (2, 2)
    assert not (RUN_A_NETWORK - {"extract_attributions"} | {"score_controls"}) & added.keys()
    none = planned_with(workflow, study, attributions=one | {"explainers": []})
    assert none["collect_scores"] == 1
    assert not (RUN_A_NETWORK | CORRELATED.keys()) & none.keys()


def test_masks_are_of_rise_and_make_no_saliency_again(workflow, study):
    attributions = study["attributions"] | {"masks": 9}
    assert planned_with(workflow, study, attributions=attributions) == {"describe_study": 1}


def test_heatmaps_hold_every_explainer_and_pages_show_those_that_are_scored(workflow):
    results = workflow.work / "results" / "demo"
    with HeatmapFile(results / "heatmaps" / "convnext_tiny" / "seed0.h5") as heatmaps:
        assert heatmaps.explainers == sorted(EXPLAINERS)
    summary = pd.read_csv(results / "scores" / "summary.csv")
    assert set(summary["explainer"]) == {"grad_cam", "threshold_grad_cam", "saliency"}
    runs = json.loads((results / "study.json").read_text())["runs"]
    assert {run["explainers"] for run in runs} == {"grad_cam, threshold_grad_cam", "saliency"}
    for page in ("gallery.html", "study.html", "leaderboard.html"):
        shown = (results / page).read_text().split("Config, with defaults")[0]
        assert "eigen_cam" not in shown


def test_another_threshold_scores_the_stored_heatmaps_again(workflow, study):
    planned = planned_with(workflow, study, protocol=study["protocol"] | {"threshold": 0.4})
    assert planned["score_alignment"] == 4
    assert not {name for name in planned if name.startswith(("train", "extract"))}


def test_the_sensitivity_has_the_other_layer_of_networks_with_a_norm(workflow):
    table = pd.read_csv(workflow.work / "results" / "demo" / "tables" / "sensitivity.csv")
    rows = table[table["field"] == "layer"]
    assert set(rows["value"]) == {"behind_norm"} and set(rows["dcls"]) == {0, 1}
    assert (rows["difference"] != 0).all()


def test_the_other_layer_scores_the_stored_heatmaps_again(workflow, study):
    planned = planned_with(workflow, study, protocol=study["protocol"] | {"layer": "behind_norm"})
    assert planned["score_alignment"] == 4
    assert not {name for name in planned if name.startswith(("train", "extract"))}


def test_without_the_other_layer_heatmaps_are_extracted_again_and_nothing_trained(workflow, study):
    planned = planned_with(workflow, study, sensitivity={"layer": False})
    assert planned["extract_heatmaps"] == 2
    assert not {"train_model", "extract_attributions"} & planned.keys()


def test_other_statistics_correlate_nothing_again(workflow, study):
    planned = planned_with(workflow, study, statistics={"resamples": 300})
    figure_and_pages = {"make_gallery", "plot_figure1"}  # these read scores of single images
    assert set(planned) > COLLECTED
    assert not (CORRELATED.keys() | {"score_references"} | figure_and_pages) & planned.keys()


def test_another_cutoff_computes_controls_again_and_scores_nothing(workflow, study):
    planned = planned_with(workflow, study, controls={"cutoffs": [1, 3]})
    assert planned["score_controls"] == 2 and planned["compare_models"] == 1
    assert not {"score_alignment", "score_references", "sweep_threshold"} & planned.keys()


def test_maps_of_another_model_run_the_references_and_what_follows(workflow, study):
    maps = workflow.work / "their maps {x}"
    maps.mkdir()
    np.save(maps / "digit-0.npy", np.eye(9))
    planned = planned_with(workflow, study, references={"maps": {"theirs": str(maps)}})
    shutil.rmtree(maps)
    assert planned["score_references"] == 1 and planned["score_controls"] == 2
    assert not {"score_alignment", "sweep_threshold", "train_model"} & planned.keys()


def test_what_a_score_is_worth_is_in_tables(workflow):
    results = workflow.work / "results" / "demo"
    skill = pd.read_csv(results / "tables" / "skill.csv")
    assert len(skill) == 2 * 2 * 2 and set(skill["reference"]) == {"centre", "other_image"}
    references = pd.read_csv(results / "tables" / "references.csv")["reference"]
    assert list(references)[-2:] == ["other_image:grad_cam", "other_image:threshold_grad_cam"]
    for name in ("references", "skill", "partial", "smoothness"):
        assert (results / "tables" / f"{name}.html").stat().st_size > 1000
    kinds = pd.read_csv(results / "scores" / "comparisons.csv")["comparison"]
    assert "dcls - plain, given the centre" in set(kinds)


def test_another_note_runs_what_shows_it(workflow, study):
    planned = planned_with(workflow, study, note="Another note.")
    assert set(planned) <= {*OUTCOME, *LEARNED, *HEATMAPS, "plot_figure1", "plot_methods"}
    assert not {"collect_scores", "compare_models"} & planned.keys()


def edited(workflow, pattern, edit):
    """Jobs that would run if files of the package, or scripts beside it, were edited."""
    paths = sorted((workflow.repository / "workflow_scripts").rglob(pattern))
    texts = {path: path.read_text() for path in paths}
    assert paths
    for path, text in texts.items():
        path.write_text(edit(text))
    planned = workflow.planned()
    for path, text in texts.items():
        path.write_text(text)
    return planned


def test_comments_docstrings_and_formatting_run_nothing(workflow):
    def edit(text):
        return '"""New."""\n' + re.sub(r"\n\n", "\n\n\n", text) + "\n# edited\n" if text else text

    assert edited(workflow, "*.py", edit) == {}


@pytest.mark.parametrize(
    "pattern, rules",
    [
        (
            "scores/bootstrap.py",
            twice({"score_alignment": 2, "score_controls": 1})
            | {**OUTCOME, **REFERENCES, **HEATMAPS, "plot_figure1": 1},
        ),
        ("training/trainer.py", twice(CHAIN) | OUTCOME | HEATMAPS | LEARNED | OVERLAYS),
        ("outcome/claims.py", {"check_claims": 1}),
        ("plot_figure4.py", {"plot_figure4": 1}),
        ("outcome/training_figures.py", LEARNED),
        ("outcome/gallery.py", {"make_gallery": 1}),
        ("outcome/page_tables.py", PAGES),
        ("common/cli.py", {}),
    ],
)
def test_editing_a_module_runs_what_imports_it(workflow, pattern, rules):
    assert edited(workflow, pattern, lambda text: text + "\nEDITED = 1\n") == rules


@pytest.mark.parametrize(
    "template, rules", [("gallery.js", {"make_gallery": 1}), ("table.css", PAGES)]
)
def test_editing_a_template_runs_what_fills_it(workflow, template, rules):
    found = edited(workflow, f"templates/{template}", lambda text: text + "/* edited */\n")
    assert found == rules


def test_finished_trainings_are_kept_by_one_command(workflow, root):
    """The command of docs/formats.md, after an edit of the code that trains."""
    page = (root / "docs" / "formats.md").read_text()
    command = re.search(r"^snakemake (.*--touch.*)$", page, re.M)[1]
    path = workflow.repository / "workflow_scripts/human_alignment/training/trainer.py"
    text = path.read_text()
    path.write_text(text + "\nEDITED = 1\n")
    assert workflow.planned()["train_model"] == 2
    done = workflow.snakemake(*command.split()[2:])
    planned = workflow.planned()
    path.write_text(text)
    assert done.returncode == 0, done.stderr
    assert "train_model" not in planned
    workflow.snakemake(*command.split()[2:])  # accept the code as it was, for the other tests
    assert workflow.planned() == {}


def test_a_partial_study_is_asked_for_as_the_closing_lines_say(workflow):
    """With --config partial=true, as typed; all runs have scores, so nothing is to be done."""
    words = PARTIAL.split(" makes ")[0].split()
    done = workflow.snakemake("--dry-run", *words)
    text = done.stdout + done.stderr
    assert done.returncode == 0, text
    assert "describe_study" in text and "train_model" not in text  # only the config's page changes


TIMM = {"source": "published", "timm": "efficientnet_b00", "checkpoint": {"url": "file://x"}}


@pytest.mark.parametrize(
    "sections, messages",
    [
        (
            {"extract": {"explainers": ["grad_kam"]}, "attributions": {"explainers": ["rice"]}},
            [
                "'grad_kam' is not known (did you mean 'grad_cam'?); allowed: grad_cam, threshold_",
                "'rice' is not known (did you mean 'rise'?); allowed: saliency, rise",
            ],
        ),
        (
            {"figures": {"overlay_model": "convnext_tyni", "methods_models": ["convnext_bass"]}},
            [
                "overlay_model: the study has no model 'convnext_tyni' (did you mean 'convnext_tin",
                "methods_models: the study has no model 'convnext_bass' (did you mean",
            ],
        ),
        (
            {"models": {"mine": TIMM}},
            ["models.mine.timm: timm has no model called 'efficientnet_b00'; did you mean"],
        ),
        (
            {"imagenet": {"train": "empty", "val": "flat"}},
            [
                "imagenet.train: empty: expected one sub-folder of images per class",
                "imagenet.val: flat holds images such as 1.JPEG in no class folder; expected one",
            ],
        ),
    ],
    ids=["explainers", "figures", "timm", "imagenet"],
)
def test_mistakes_are_told_before_any_job(workflow, study, sections, messages):
    for name in ("empty", "flat"):
        (workflow.work / name).mkdir(exist_ok=True)
    (workflow.work / "flat" / "1.JPEG").touch()
    workflow.write({**study, **sections})
    done = workflow.snakemake("--dry-run")
    workflow.write(study)
    assert done.returncode != 0
    text = done.stdout + done.stderr
    assert [message for message in messages if message not in text] == [], text
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
    recipes = {"digits": study["recipes"]["digits"] | {"learning_rate": 1e6, "clip_norm": 0}}
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
    every = re.findall(r"^Shell command: (.*)", text, re.M)
    pair = [command for command in every if "/tables/pair.csv" in command]  # no other files yet
    commands = "\n".join(command for command in every if command not in pair)
    assert len(pair) == 1
    assert set(re.findall(r" (--[a-z0-9-]+) +(?=--|2>)", commands)) == {"--top1", "--training"}
    assert commands.count("--human-ceiling 0.65753") == 1 and "--ceiling " not in commands
    jobs = re.search(r"jobs: (\d+) for the published", (root / "docs/cluster.md").read_text())[1]
    assert re.search(rf"^total +{jobs}$", text, re.M), text
    for rule, count in {
        "download_clickme": 17,
        "download_checkpoint": 16,
        "convert_checkpoint": 16,
        "extract_heatmaps": 24,  # eight of the networks crop nothing
        "score_alignment": 16,
        "make_table1": 1,
    }.items():
        assert re.search(rf"^{rule} +{count}$", text, re.M), text
