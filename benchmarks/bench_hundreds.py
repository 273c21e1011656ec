"""Time, memory and size of the tables, figures and pages of a study of hundreds of networks.

    python benchmarks/bench_hundreds.py --folder study --output hundreds.csv

Makes in a folder what a cluster would have left there: a data file, and of every network of timm's
in the study the scores, controls, sweep, sensitivity, measures and top-1, with made-up values;
heatmaps of the networks that the gallery shows. Files that no table reads are empty. Then runs
Snakemake on two cores: a dry run, the whole rest of the study, a dry run after it, and the report.
A folder that is there is used again, without its tables and pages.
"""

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "workflow_scripts"))

from human_alignment.common.cli import progress, run
from human_alignment.common.files import written_whole
from human_alignment.common.paths import SUFFIX
from human_alignment.data.data_file import DataFile, DataWriter
from human_alignment.data.digits import encode
from human_alignment.heatmaps.heatmap_file import HeatmapWriter
from human_alignment.networks import timm_weights
from human_alignment.scores.control_file import ControlFile, ControlSource, write_controls
from human_alignment.scores.controls import KINDS, Controls
from human_alignment.scores.human_agreement import KINDS as CEILINGS
from human_alignment.scores.protocol import PAPER, RELEASED
from human_alignment.scores.protocol_variants import BASE, SWEPT, changed_protocols, sweep_protocols
from human_alignment.scores.reference_file import (
    CENTRE,
    References,
    ReferenceSource,
    write_references,
)
from human_alignment.scores.references import RATIOS
from human_alignment.scores.score_file import Scores, ScoreSource, write_scores
from human_alignment.scores.spearman import CONSTANT_HEATMAP, CONSTANT_HUMAN_MAP, OK
from human_alignment.scores.variant_file import VariantSource, write_variants

STUDY = "hundreds"
EXPLAINERS = ["grad_cam", "threshold_grad_cam"]
THRESHOLDS = [round(0.05 * step, 2) for step in range(20)]
CUTOFFS = [0.5, 1.0, 2.0]
CLASSES = 1000


def networks(count: int) -> list[str]:
    """The first names of timm's list that a study of ImageNet's classes can have."""
    every = timm_weights.listed().values()
    return [one.name for one in every if one.problem(classes=CLASSES) is None][:count]


def write_config(folder: Path, names: list[str]) -> None:
    """The paper's config with other networks, and a folder of top-1 images that holds none."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    config |= {"study": STUDY, "models": {}, "timm_models": names}
    config["imagenet"]["val"] = str(folder / "val")
    config["figures"] |= {"overlay_model": None, "methods_models": []}
    for place in range(CLASSES):
        picture = folder / "val" / f"n{place:08d}" / "0.jpg"
        picture.parent.mkdir(parents=True, exist_ok=True)
        picture.touch()
    (folder / "hundreds.yaml").write_text(yaml.safe_dump(config))


def write_data(path: Path, images: int) -> None:
    """Human maps of one blob each, at 64 x 64 as ClickMe's, and pictures of one colour."""
    random, steps = np.random.default_rng(0), np.arange(64)
    about = dict(dataset="made up", description="for a benchmark", num_classes=CLASSES)
    about |= {"image_size": 224, "human_ceiling": 0.65753}
    with (
        DataWriter(path, **about) as writer,
        progress(None, images, "images", "image") as bar,
    ):
        for place in range(images):
            row, column, width = random.uniform((15, 15, 5), (48, 48, 12))
            human = np.exp(-((steps - row) ** 2)[:, None] / width**2 - (steps - column) ** 2 / 90)
            colour = [place % 251, place // 251 % 251, place // 63001]
            picture = encode(np.full((16, 16, 3), colour, np.uint8))
            writer.append(picture, place % CLASSES, f"{place:06d}", human.astype(np.float32))
            bar.update()


class Made:
    """Values of one network: every rho goes with how easy the image is."""

    def __init__(self, easy: np.ndarray, number: int):
        self.random = np.random.default_rng(number)
        self.mean = self.random.uniform(0.1, 0.5)
        self.easy = easy
        self.status = np.full(len(easy), OK, dtype="U32")
        self.status[:30] = CONSTANT_HUMAN_MAP  # the same images in every network
        self.status[self.random.integers(30, len(easy), 20)] = CONSTANT_HEATMAP

    def scores(self, shift: float = 0) -> Scores:
        """Rho of all images."""
        rho = self.mean + shift + self.easy + self.random.normal(0, 0.15, len(self.easy))
        return Scores(np.where(self.status == OK, rho.clip(-1, 1), np.nan), self.status)


def write_references_file(path: Path, data: DataFile, easy: np.ndarray) -> None:
    """References as score_references.py leaves them."""
    made = Made(easy, 999_999)
    source = ReferenceSource(
        data_digest=data.digest,
        image_size=data.image_size,
        human_ceiling=data.human_ceiling,
        references=[CENTRE, "mean_human_map", "edges", "contrast"],
        protocol=RELEASED,
        ratios=[RATIOS[0]] * 5,
    )
    scores = {name: made.scores() for name in source.references}
    unknown = {kind: np.full(len(data), np.nan) for kind in CEILINGS}
    ratio = np.full(len(data), float(RATIOS[0]))
    write_references(path, References(source, scores, ratio, data.groups, unknown))


def write_network(folder: Path, name: str, number: int, with_heatmaps: bool) -> None:
    """All stored files of one network. Those that no table reads are empty: weights, and heatmaps
    that are not shown.
    """
    with DataFile(folder / "data" / "clickme.h5") as data:
        ids, labels, digest, count = data.image_ids, data.labels, data.digest, len(data)
        ceiling = data.human_ceiling
    easy = np.random.default_rng(1).normal(0, 0.2, count)
    made = Made(easy, number)
    about = {"model": name, "dcls": name.endswith(SUFFIX), "parameters": 10**6 * (number + 1)}
    about |= {"weights_digest": f"{number:064d}", "data_digest": digest, "explainers": EXPLAINERS}
    about |= {"images": count, "data_images": count, "sampled": False, "human_ceiling": ceiling}
    scores = {explainer: made.scores() for explainer in EXPLAINERS}
    predicted = np.where(made.random.random(count) < 0.8, labels, (labels + 1) % CLASSES)
    for unread in (
        f"checkpoints/{name}",
        f"weights/{name}/published.safetensors",
        f"heatmaps/{name}/published.h5",
        f"heatmaps/{name}/published.full.h5",
    ):
        (folder / unread).parent.mkdir(parents=True, exist_ok=True)
        (folder / unread).touch()
    top1 = folder / "weights" / name / "published.top1.json"
    accuracy = {"top1": 60 + 50 * made.mean, "top5": 95.0, "n": 50_000}
    top1.write_text(json.dumps(accuracy | {"parameters": about["parameters"]}))
    if with_heatmaps:
        write_heatmaps(folder / "heatmaps" / name / "published.h5", about, ids, labels, predicted)

    path = folder / "scores" / name / "published"
    source = ScoreSource(**about, protocol=RELEASED)
    write_scores(f"{path}.parquet", source, ids, labels, scores, predicted)

    protocols = sweep_protocols(RELEASED, THRESHOLDS)
    swept = {SWEPT: {key: made.scores(0.01 * place) for place, key in enumerate(protocols)}}
    source = VariantSource(**about | {"explainers": [SWEPT]}, protocols=protocols)
    write_variants(f"{path}.sweep.h5", source, swept)

    changed = changed_protocols(RELEASED, PAPER, geometry=True, ceiling=True, layer=True)
    protocols = {BASE: RELEASED, **changed}
    found = {
        one: {key: scores[one] if key == BASE else made.scores() for key in protocols}
        for one in EXPLAINERS
    }
    write_variants(f"{path}.sensitivity.h5", VariantSource(**about, protocols=protocols), found)

    source = ControlSource(**about, protocol=RELEASED, smoothed=EXPLAINERS, cutoffs=CUTOFFS, seed=0)
    controls = Controls(
        {one: {kind: made.scores(-0.1) for kind in KINDS} for one in EXPLAINERS},
        {one: {cutoff: made.scores(-0.05) for cutoff in CUTOFFS} for one in EXPLAINERS},
        {one: (np.full(8, 0.125), count) for one in EXPLAINERS},
    )
    ratio = np.full(count, float(RATIOS[0]))
    write_controls(f"{path}.controls.h5", ControlFile(source, controls, ratio, np.arange(count)))

    columns = {"image_id": ids, "label": labels}
    tables = [
        pd.DataFrame(columns).assign(
            explainer=one, status=scores[one].status, pearson=scores[one].rho, image=range(count)
        )
        for one in EXPLAINERS
    ]
    pd.concat(tables).to_parquet(f"{path}.measures.parquet", index=False)


def write_heatmaps(path: Path, about: dict, ids: list[str], labels, predicted) -> None:
    """Heatmaps as extract_heatmaps.py leaves them."""
    count, random = len(ids), np.random.default_rng(0)
    kept = ("model", "dcls", "parameters", "weights_digest", "data_digest", "explainers")
    header = {name: about[name] for name in kept}
    header |= {"geometry": "crop", "target": "label", "images": count, "versions": "none"}
    columns = {name: random.random((count, 7, 7), np.float32) for name in EXPLAINERS}
    columns |= {"label": labels, "predicted": predicted.astype(np.int32), "target": labels}
    columns |= {"target_rank": 0 * labels, "target_logit": np.zeros(count, np.float32)}
    columns |= {"image_id": np.char.encode(ids, "utf-8"), "nonfinite": np.zeros(count, bool)}
    writer = HeatmapWriter(path, header, (0, count), count)
    writer.put(0, columns)
    writer.finish()


def make_study(folder: Path, names: list[str], images: int, shown: int) -> None:
    """All of a study that tables are made from."""
    results = folder / "results" / STUDY
    write_data(results / "data" / "clickme.h5", images)
    write_config(folder, names)
    easy = np.random.default_rng(1).normal(0, 0.2, images)
    with DataFile(results / "data" / "clickme.h5") as data:
        write_references_file(results / "scores" / "references.h5", data, easy)
    with ProcessPoolExecutor(2) as pool, progress(None, len(names), "networks", "network") as bar:
        jobs = [
            pool.submit(write_network, results, name, number, number < shown)
            for number, name in enumerate(names)
        ]
        for job in jobs:
            job.result()
            bar.update()


def remove_outcome(folder: Path) -> None:
    """Remove what Snakemake made in an earlier run."""
    for name in (f"results/{STUDY}/tables", f"results/{STUDY}/figures", "logs", ".snakemake"):
        shutil.rmtree(folder / name, ignore_errors=True)
    results = folder / "results" / STUDY
    for path in [
        *results.glob("*.*"),
        *results.glob("scores/*.csv"),
        *results.glob("scores/*.js*"),
    ]:
        path.unlink()


def snakemake(folder: Path, *arguments: str) -> tuple[float, str]:
    """Run Snakemake on the study: seconds and what it printed."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--configfile", "hundreds.yaml", "--cores", "2", "--workflow-profile", "none"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    start = time.perf_counter()
    done = subprocess.run(
        [*command, *arguments], cwd=folder, env=os.environ | {"PATH": path}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout[-5000:]}")
    return time.perf_counter() - start, done.stdout


def jobs(folder: Path) -> list[list]:
    """Seconds and peak MiB of each job of the study, by Snakemake's benchmark files."""
    rows = []
    for path in sorted((folder / "logs").rglob("*.tsv")):
        with open(path, newline="") as stream:
            (row,) = csv.DictReader(stream, delimiter="\t")
        name = str(path.relative_to(folder / "logs" / STUDY).with_suffix(""))
        rows.append([name, float(row["s"]), float(row["max_rss"])])
    return rows


def main(argv: list[str] | None = None) -> None:
    """Make the study, run what is left of it, print and write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", type=int, default=300)
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--shown", type=int, default=16, help="networks in the gallery")
    parser.add_argument("--folder", type=Path, required=True, help="where the study is or shall be")
    parser.add_argument("--output", required=True, help="table to write (.csv)")
    arguments = parser.parse_args(argv)
    folder = arguments.folder.resolve()
    if not (folder / "hundreds.yaml").exists():
        names = networks(arguments.models)
        make_study(folder, names, arguments.images, arguments.shown)
    remove_outcome(folder)
    rows = []
    for name, flags in {
        "dry run": ["--dry-run", "--quiet"],
        "tables, figures and pages": [],
        "dry run after it": ["--dry-run", "--quiet"],
        "report": ["--report", "report.html"],
    }.items():
        seconds, printed = snakemake(folder, *flags)
        (folder / f"{name}.txt").write_text(printed)
        rows.append([name, seconds, None])
        print(f"{name:40} {seconds:8.1f} s", flush=True)
    found = sorted(jobs(folder), key=lambda row: -row[1])
    for name, seconds, peak in found:
        print(f"{name:40} {seconds:8.1f} s {peak:8.0f} MiB")
    size = (folder / "report.html").stat().st_size / 1e6
    print(f"report: {size:.1f} MB")
    with written_whole(arguments.output) as partial:
        table = pd.DataFrame([*rows, *found], columns=["step", "seconds", "peak_mib"])
        table.assign(report_mb=size, images=arguments.images).round(2).to_csv(partial, index=False)


if __name__ == "__main__":
    run(main)
