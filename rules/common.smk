# Functions only, and only those that need Snakemake. What a study consists of is in
# workflow_scripts/human_alignment/study.

import gc
import sys
import time
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

# Of this file and not `workflow.basedir`, which is another's where this workflow is its module.
ROOT = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parent
SCRIPTS = ROOT / "workflow_scripts"
# Snakemake formats the path of an environment: braces of the checkout's own path are doubled.
ENVIRONMENT = str(ROOT / "envs" / "human_alignment.yaml").replace("{", "{{").replace("}", "}}")
STARTED = time.time()
# Python looks for garbage each time that some hundred objects are new. What Snakemake reads and the
# graph of jobs are many objects and no garbage: to look for it took a twelfth of a dry run.
gc.set_threshold(100_000)
sys.path.insert(0, str(SCRIPTS))

from human_alignment.common.cli import UserError
from human_alignment.common.sources import masked
from human_alignment.common.yaml_files import read_yaml
from human_alignment.study.closing import closing_lines
from human_alignment.study.code import code_digest
from human_alignment.study.config import checked_study
from human_alignment.study.config_file import check_config_file
from human_alignment.study.locks import lock_note
from human_alignment.study.signals import cause_of_stop, note_signals
from human_alignment.study.study import Study, as_json, flags
from human_alignment.study.terminal import shorten


def check_files(paths):
    """Check the text of config files; of equal keys, for one, Snakemake keeps the last."""
    try:
        for path in paths:
            check_config_file(path)
    except UserError as error:
        raise WorkflowError(str(error)) from None


def loaded_study(config):
    """The study that the config describes; a mistake in it ends here, before any job."""
    schema = ROOT / "schemas" / "config.schema.yaml"
    try:
        return checked_study(config, read_yaml(schema))
    except UserError as error:
        raise WorkflowError(str(error)) from None


def script(name):
    """A script's path. As a Path, not a string, a moved checkout makes no job run again."""
    return SCRIPTS / name


def code(name, page=(), files=()):
    """Digest of a script's code, of the templates of the page that it writes, and of our files
    that it reads.

    As a parameter it makes a job run again after an edit.
    """
    return code_digest(SCRIPTS, name, [*(f"outcome/templates/{file}" for file in page), *files])


def literal(text):
    """A text of the user as a parameter: Snakemake replaces {names} in strings, but not in what
    functions return.
    """
    return lambda wildcards: text


def growing(amount):
    """A resource whose need is an estimate: `amount`, twice that on the second attempt, ..."""
    return lambda wildcards, attempt: amount * attempt


def images(path):
    """Images as an input: a data file of ours, and nothing for the user's folder.

    A folder counts by its `study.images_digest`, a parameter, and never by its time.
    """
    return [path] if path in (study.data_file(), study.data_file(".train")) else []


def ranks(config):
    """Resources of a training: graphics cards of all nodes together, nodes, tasks, memory of each.

    Resources and not parameters: where a training runs is no reason to train again. Of several
    nodes, `mpi` has SLURM's plugin leave the one task a node to the script's own srun.
    """
    gpus, nodes = config["train"]["gpus"], config["train"]["nodes"]
    each = 8000 if config["imagenet"]["train"] else 2000  # a folder has loader processes
    found = {"gpu": gpus * nodes, "nodes": nodes, "mem_mb": growing(each * max(1, gpus))}
    return found if nodes == 1 else found | {"mpi": "srun", "tasks": nodes, "tasks_per_gpu": 0}


def paper_numbers(name):
    """A file of the paper's numbers, as a parameter; none where the networks are not the paper's.

    It is a Path for the reason that a script is one. As an input it would be a string, and a name
    in braces in the checkout's own path a wildcard.
    """
    file = ROOT / "resources" / f"paper_{name}.csv"
    return [file] if config["tables"]["compare_paper"] else []


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


def applicable(name, output):
    """The output of a rule; nothing if this figure or page cannot apply to the study."""
    return [] if name in study.not_made else output


def closing(state):
    """What the run produced, where and how long, and what it left out: a few lines to print."""
    now = Study(config)  # which has not looked at any file yet
    runs = list(map(str, now.runs))
    about = {"stale": now.stale_runs(), "parts": now.parts, "not_made": now.not_made}
    return "\n".join(closing_lines(now.name, runs, state, STARTED, **about))
