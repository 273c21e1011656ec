# Functions only: what a study consists of, and what makes a job run again.

import hashlib
import json
import sys
import time
from collections import namedtuple
from modulefinder import ModuleFinder
from os.path import relpath
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError

SCRIPTS = Path(workflow.basedir) / "workflow_scripts"
STARTED = time.time()
sys.path.insert(0, str(SCRIPTS))

from human_alignment.common.cli import UserError
from human_alignment.common.geometry import canonical
from human_alignment.study.closing import closing_lines, listed
from human_alignment.study.config import check_config, check_folders
from human_alignment.common.picture_files import find_pictures
from human_alignment.scores.protocol import Protocol

Run = namedtuple("Run", "model run")  # run: `published`, or `seed0`, `seed1`, ...


def script(name):
    """A script's path. As a Path, not a string, a moved checkout makes no job run again."""
    return SCRIPTS / name


def growing(amount):
    """A resource whose need is an estimate: `amount`, twice that on the second attempt, ..."""
    return lambda wildcards, attempt: amount * attempt


def code_digest(name, templates=()):
    """Hash of a script, every module of ours that it imports, and the templates it fills.

    Snakemake does not look into scripts that a shell command calls: as a parameter of each rule
    this makes a job run again when its code was edited, and not on a touch or a fresh clone.
    """
    finder = ModuleFinder(path=[str(SCRIPTS)])  # parses, never executes
    finder.run_script(str(SCRIPTS / name))
    files = sorted(m.__file__ for m in finder.modules.values() if m.__file__)
    files.extend(SCRIPTS / "human_alignment" / "outcome" / "templates" / name for name in templates)
    return hashlib.sha256(b"".join(Path(f).read_bytes() for f in files)).hexdigest()[:12]


def as_json(value):
    """One string with sorted keys: Snakemake compares parameters as a set without names."""
    return json.dumps(value, sort_keys=True)


def checked_study(config):
    """Check the whole config, fill in defaults, and return the study's name."""
    schema = Path(workflow.basedir) / "schemas" / "config.schema.yaml"
    try:
        check_config(config, yaml.safe_load(schema.read_text()))
        protocol(config)
        check_sources(config)
    except UserError as error:
        raise WorkflowError(str(error)) from None
    return config["study"]


def check_sources(config):
    """Local paths of the config exist; URLs are left to the download.

    Raises UserError naming the key of each path that does not, or a folder without pictures.
    """
    named = {f"imagenet.{part}": path for part, path in config["imagenet"].items()}
    named["figures.pictures"] = config["figures"]["pictures"]
    if config["data"] == "clickme":
        named["clickme.source"] = config["clickme"]["source"]
    for model, entry in config["models"].items():
        named[f"models.{model}.checkpoint.url"] = entry.get("checkpoint", {}).get("url")
    missing = [
        f"{key}: {path} does not exist"
        for key, path in named.items()
        if path and "://" not in path and not Path(path).exists()
    ]
    if missing:
        raise UserError("the config names what is not there:\n  " + "\n  ".join(missing[:10]))
    check_folders(**config["imagenet"])
    if any(run.run != "published" for run in runs(config)) and not training_data(config):
        raise UserError("a model has `source: train`; name the images as `imagenet.train`")
    picture_files(config)
    if config["partial"] and not summaries(config):
        raise UserError("partial: no run of the study has scores yet; run it without first")


def runs(config):
    """A row for each network and training seed of the study."""
    found = []
    for model, entry in config["models"].items():
        if entry["source"] == "published":
            found.append(Run(model, "published"))
        else:
            found += [Run(model, f"seed{seed}") for seed in entry["train"]["seeds"]]
    return found


def protocol(config):
    """The study's scoring protocol."""
    settings = dict(config["protocol"])
    return Protocol.from_config(settings.pop("preset"), settings)


def architecture(model):
    """Name of a model's network in the zoo."""
    entry = config["models"][model]
    if "timm" in entry:
        layer = entry.get("feature_layer")
        return f"timm:{entry['timm']}" + (f"@{layer}" if layer else "")
    name = entry.get("architecture", model.removesuffix("_dcls"))
    return name + ("_dcls" if model.endswith("_dcls") else "")


def dcls(model):
    """DCLS settings of a model's entry, as JSON; empty where the zoo's own hold."""
    return as_json(config["models"][model].get("dcls", {}))


def recipe(model):
    """Training settings of a model, as JSON."""
    train = config["models"][model].get("train", {})
    return as_json(config["recipes"].get(train.get("recipe"), {}))


def checkpoint(model):
    """Where a model's published weights are, and their digest if known."""
    return config["models"][model].get("checkpoint", {"url": "", "sha256": None})


def data_file(kind=""):
    """The study's data file, or with `.train` its training file."""
    return f"results/{config['study']}/data/{config['data']}{kind}.h5"


def own_images(config, kind=""):
    """Labelled images that come with the study's data set."""
    return data_file(kind) if config["data"] == "digits" else None


def training_data(config):
    """What networks are trained on: the folder that the config names, or the study's own images."""
    return config["imagenet"]["train"] or own_images(config, ".train") or []


def top1_images(config):
    """What top-1 is measured on: the folder that the config names, or the study's own images."""
    return config["imagenet"]["val"] or own_images(config)


def ranks(config):
    """Resources of a training: graphics cards of all nodes together, nodes, tasks, memory of each.

    Resources and not parameters: where a training runs is no reason to train again. Of several
    nodes, `mpi` has SLURM's plugin leave the one task a node to the script's own srun.
    """
    gpus, nodes = config["train"]["gpus"], config["train"]["nodes"]
    each = 8000 if config["imagenet"]["train"] else 2000  # a folder has loader processes
    found = {"gpu": gpus * nodes, "nodes": nodes, "mem_mb": growing(each * max(1, gpus))}
    return found if nodes == 1 else found | {"mpi": "srun", "tasks": nodes, "tasks_per_gpu": 0}


def first_run(model):
    """The run that stands for a model where only one can be shown."""
    return next((r for r in runs(config) if r.model == model), None)


def clickme(config):
    """Settings of the ClickMe shards; their rules stand idle in a study of other data."""
    return config.get("clickme", {"source": "", "split": "val", "shards": 0, "on_bad_record": ""})


def records_flag(config):
    """How many records the shards must hold together, if the config says."""
    records = clickme(config).get("records")
    return f"--records {records}" if records else ""


def shard_source(shard):
    """URL or path of a ClickMe shard."""
    source, split = clickme(config)["source"], clickme(config)["split"]
    return f"{source}/{split}/{split}-{shard}.tfrecords"


def digits_flags(config):
    """Command-line flags of the embedded data set, in a fixed order."""
    names = ("seed", "train_images", "test_images")
    flags = {f"--{name.replace('_', '-')}": config["digits"][name] for name in names}
    return " ".join(f"{flag} {value}" for flag, value in flags.items())


def heatmap_file(run, geometry=None):
    """Heatmaps of a run, under the study's protocol or another geometry."""
    suffix = "" if geometry in (None, protocol(config).geometry) else f".{geometry}"
    return f"results/{config['study']}/heatmaps/{run.model}/{run.run}{suffix}.h5"


def made(files):
    """All files; of a study with `partial` only those that exist."""
    return [file for file in files if not config["partial"] or Path(file).exists()]


def whole_note(config):
    """The study's note; with `partial` it also names the runs that have no scores."""
    scores = Path("results") / config["study"] / "scores"
    names = [f"{r.model}/{r.run}" for r in runs(config)]
    missing = [name for name in names if not (scores / f"{name}.csv").exists()]
    if not config["partial"] or not missing:
        return config["note"]
    return f"{config['note']} Missing, for want of scores: {listed(missing)}.".strip()


def run_files(stage, ending, model=None):
    """Files of all runs, or of the run that stands for a model; see `made`."""
    shown = runs(config) if model is None else filter(None, [first_run(model)])
    return made(f"results/{config['study']}/{stage}/{r.model}/{r.run}{ending}" for r in shown)


def parts(config):
    """What stands behind a run in its score files: nothing, and the explainers of a sample."""
    return ["", ".attributions"] if config["attributions"]["explainers"] else [""]


def score_label(config):
    """What a score is, for an axis."""
    ceiling = protocol(config).human_ceiling
    return f"mean Spearman ρ / human ceiling {ceiling:g}" if ceiling else "mean Spearman ρ"


def is_swept(config):
    """Whether the study has the maps whose threshold is swept."""
    return "threshold_grad_cam" in config["extract"]["explainers"]


def figure1_explainer(config):
    """The paper's, or what the study has in its place."""
    return "threshold_grad_cam" if is_swept(config) else config["extract"]["explainers"][0]


def sensitivity_heatmaps(config, run):
    """Heatmap files of a run that its sensitivity to the protocol needs, by geometry."""
    fixed = config["protocol"].get("geometry")
    wanted = [canonical(fixed or "crop")]
    if config["sensitivity"]["geometry"] and not fixed:
        wanted.append("full")
    return [heatmap_file(run, geometry) for geometry in wanted]


def paper_protocol_scores(config):
    """Scores under the protocol `paper`, if the study measures them."""
    file = f"results/{config['study']}/scores/paper_protocol.csv"
    return [file] if config["sensitivity"]["geometry"] else []


def score_files(config, ending=".csv"):
    """Scores per image of all runs."""
    return [file for part in parts(config) for file in run_files("scores", f"{part}{ending}")]


def summaries(config):
    """Score summaries of all runs."""
    return score_files(config, ".json")


def accuracies(config):
    """Top-1 files of all runs; none when there is nothing to measure top-1 on."""
    if top1_images(config) is None:
        return []
    return run_files("weights", ".top1.json")


def dcls_weights(config):
    """Weights of the networks with DCLS, of the run that stands for each, in the paper's order."""
    models = [m for m, entry in config["models"].items() if m.endswith("_dcls") or "dcls" in entry]
    return [file for model in models for file in run_files("weights", ".safetensors", model)]


def curve_files(config):
    """Learning curves of all trained runs."""
    trained = {run.model for run in runs(config) if run.run != "published"}
    found = run_files("weights", ".curve.csv")
    return [file for file in found if Path(file).parent.name in trained]


def figure1_files(stage, ending):
    """Files of the model of Figure 1: with DCLS, then plain, as the paper's rows go."""
    name = config["figures"]["overlay_model"]
    scored = [m for m in (f"{name}_dcls", name) if run_files("scores", ".csv", m)]
    return [file for model in scored for file in run_files(stage, ending, model)]


def picture_files(config):
    """Pictures of one's own for Figures 5, 6, ..., if the config names a folder."""
    folder = config["figures"]["pictures"]
    return list(map(str, find_pictures(folder))) if folder else []


def methods_numbers(config):
    """Numbers of the figures that show both methods: 5, 6, ..."""
    return range(5, 5 + len(config["figures"]["methods_models"]))


def methods_model(number):
    """The network of Figure 5, 6, ..."""
    return config["figures"]["methods_models"][int(number) - 5]


def methods_images():
    """Data file of the images of Figures 5, 6, ..."""
    return f"results/{STUDY}/data/pictures.h5" if config["figures"]["pictures"] else data_file()


def methods_heatmaps(model):
    """Heatmaps of those images: the run that stands for a network; none if the study lacks it."""
    if not config["figures"]["pictures"]:
        return run_files("heatmaps", ".h5", model)
    weights = run_files("weights", ".safetensors", model)
    return [f"results/{STUDY}/pictures/{model}/{Path(file).stem}.h5" for file in weights]


def gallery_heatmaps(config):
    """Heatmaps behind the score files, in their order."""
    scored = [Path(file) for file in score_files(config)]
    return [f"results/{STUDY}/heatmaps/{s.parent.name}/{s.stem}.h5" for s in scored]


def shown(file, category, title, kind, caption):
    """A file of the report, listed under its title; caption: name of a file in report/."""
    labels = {"result": title, "format": kind}
    return report(file, category=category, caption=f"../report/{caption}.rst", labels=labels)


def figure(name, title, caption=None, category="Figures"):
    """The two files of a figure, each shown in the report."""
    kinds = {"png": "image (PNG)", "pdf": "vector (PDF)"}
    return [
        shown(f"results/{STUDY}/figures/{name}.{ending}", category, title, kind, caption or name)
        for ending, kind in kinds.items()
    ]


def closing(state):
    """What the run made, where and how long, and what it left out: a few lines to print."""
    names = [f"{r.model}/{r.run}" for r in runs(config)]
    return "\n".join(closing_lines(config["study"], names, state, STARTED))


# new in outcome


def paper_numbers(config, name):
    """A file of the paper's numbers; none where the networks are not the paper's.

    The path is relative, so that a moved checkout makes no job run again.
    """
    file = Path(workflow.basedir) / "resources" / f"paper_{name}.csv"
    return [relpath(file)] if config["tables"]["compare_paper"] else []


# new in scores


def protocol_json(config, preset=None):
    """All fields of the study's protocol, or of a preset with what the config changes, as JSON."""
    preset = preset or config["protocol"]["preset"]
    changes = {key: value for key, value in config["protocol"].items() if key != "preset"}
    return as_json(Protocol.from_config(preset, changes).as_dict())
