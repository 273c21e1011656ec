"""A study of pictures and human maps of one's own, from the folders to the tables and the gallery.

Its config has fewer than ten lines.
"""

import json
import re

import numpy as np
import pandas as pd
import pytest
from human_alignment.data.data_file import DataFile
from PIL import Image
from small_study import blob
from workflow_copy import Workflow

COUNT, CLASSES = 50, 10
WANTED = [
    f"results/mine/{file}" for file in ("tables/table1.csv", "tables/strata.csv", "gallery.html")
]
PICTURES = [f"results/mine/figures/{name}.png" for name in ("samples", "figure1", "strata")]
CONFIG = """\
study: mine
data: folder
folder: {{images: pictures, maps: maps, {labels}, image_size: 64, map_size: 16}}
models:
  convnext_tiny_dcls:
    source: published
    architecture: micro_convnext_tiny
    checkpoint: {{url: weights.pth}}
"""


def write_pictures(work):
    """Fifty pictures, wider than high, in two folders; a map of each, the first has two."""
    random = np.random.default_rng(0)
    labels = []
    for number in range(COUNT):
        image_id, place = f"{'ab'[number % 2]}/{number:02d}", random.uniform(0.2, 0.8, 2)
        peak = np.repeat(blob(*place, 48), 2, axis=1)[..., None]
        picture = random.integers(0, 80, (48, 96, 3)) + 170 * peak * random.random(3)
        for folder in ("pictures", "maps"):
            (work / folder / image_id).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture.astype(np.uint8)).save(work / "pictures" / f"{image_id}.png")
        human = (np.repeat(blob(*place, 20), 2, axis=1) * 255).astype(np.uint8)
        names = [f"{image_id}__ann", f"{image_id}__bob"] if number == 0 else [image_id]
        for turn, name in enumerate(names):
            Image.fromarray(np.roll(human, turn, axis=1)).save(work / "maps" / f"{name}.png")
        labels.append((f"{image_id}.png", f"kind {number % CLASSES}"))
    pd.DataFrame(labels, columns=["file", "label"]).to_csv(work / "labels.csv", index=False)
    (work / "classes.txt").write_text("".join(f"kind {one}\n" for one in range(CLASSES)))


@pytest.fixture
def mine(root, contents, tmp_path):
    workflow = Workflow(root, tmp_path)
    write_pictures(workflow.work)
    (workflow.work / "weights.pth").write_bytes(contents[0])
    return workflow


def finished(workflow, labels, *wanted, more=""):
    """Run as far as some files; the folder of results, and what the gallery holds."""
    text = CONFIG.format(labels=labels) + more
    assert text.count("\n") < 10
    workflow.config_file.write_text(text)
    done = workflow.snakemake(*wanted)
    assert done.returncode == 0, done.stdout + done.stderr
    page = (workflow.work / "results/mine/gallery.html").read_text()
    script = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    return workflow.work / "results/mine", json.loads(script[1])


def test_a_study_of_labelled_pictures(mine):
    results, gallery = finished(mine, "labels: labels.csv, class_names: classes.txt", *WANTED)
    with DataFile(results / "data/folder.h5") as data:
        assert (len(data), data.num_classes, data.image_size) == (COUNT + 1, CLASSES, 64)
        assert len(set(data.groups)) == COUNT
    table = pd.read_csv(results / "tables/table1.csv")
    assert table[["model", "n_images"]].values.tolist() == [["convnext_tiny", COUNT]]
    assert table["threshold_grad_cam"].between(-1, 1).all()
    assert gallery["classes"]["3"] == "kind 3 (3)"
    assert {image["id"] for image in gallery["images"]} >= {"a/00__ann", "a/00__bob", "b/01"}
    strata = pd.read_csv(results / "tables/strata.csv")
    assert "kind 0 (0)" in set(strata["stratum"])
    # What is in the folders counts, not when it was written.
    maps, labels = mine.work / "maps/b/01.png", mine.work / "labels.csv"
    maps.touch()
    assert mine.planned(*WANTED) == {}
    Image.open(maps).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(maps)
    assert mine.planned(*WANTED)["prepare_folder"] == 1
    labels.unlink()
    done = mine.snakemake("--dry-run")
    assert "folder.labels: labels.csv does not exist" in done.stdout + done.stderr


def test_a_study_of_pictures_without_labels(mine):
    prediction = "protocol: {target: prediction}\n"
    wanted = [*WANTED, *PICTURES, "results/mine/study.html"]
    results, gallery = finished(mine, "num_classes: 10", *wanted, more=prediction)
    assert gallery["classes"] == {"-1": "no label"}
    strata = pd.read_csv(results / "tables/strata.csv")
    assert set(strata["stratification"]) == {"object_area", "centre_distance"}
