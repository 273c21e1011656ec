"""A damaged heatmap file is told, or gives what was written: never another exception or result."""

import shutil

import damage
import h5py
import numpy as np
import pytest
import score_alignment
import small_study
from damage import hdf5_damage, repeatable, replaced
from human_alignment.common.cli import UserError
from human_alignment.common.hdf5 import seal
from human_alignment.data.data_file import DataFile
from human_alignment.heatmaps.heatmap_file import COLUMNS, HeatmapFile, HeatmapWriter, join
from hypothesis import given, settings
from hypothesis import strategies as st

EXPLAINERS = ["grad_cam", "threshold_grad_cam"]
ATTRIBUTES = ["model", "dcls", "parameters", "weights_digest", "data_digest", "geometry", "target",
              "explainers", "versions", "images", "first", "nonfinite"]  # fmt: skip


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A data file, and heatmaps of its images with one map that is not finite."""
    folder = tmp_path_factory.mktemp("sound")
    small_study.write_data(folder / "data.h5", 12)
    with DataFile(folder / "data.h5") as data:
        small_study.write_heatmaps(folder / "odd" / "seed0.h5", data, "odd", "released")
    return folder


@pytest.fixture
def path(sound, tmp_path):
    """A copy of the heatmap file that a test may damage."""
    return shutil.copy(sound / "odd" / "seed0.h5", tmp_path / "seed0.h5")


def attribute(name, value):
    return lambda file: file.attrs.__setitem__(name, value)


def row(values):
    return lambda file: file.create_dataset("row", data=np.array(values, "i4"))


FAULTS = {
    "maps_short": (replaced("grad_cam", lambda v: v[:7]), r"grad_cam is float32 \(7, 7, 7\)"),
    "maps_2d": (replaced("grad_cam", lambda v: v[:, 0]), r"grad_cam is float32 \(12, 7\); exp"),
    "maps_double": (replaced("grad_cam", np.float64), "grad_cam is float64"),
    "maps_other": (replaced("grad_cam", lambda v: v[:, 1:]), r"is float32 \(12, 7, 7\); exp"),
    "no_maps": (lambda file: file.__delitem__("grad_cam"), "the dataset grad_cam is missing"),
    "labels_short": (replaced("label", lambda v: v[:5]), r"label is int32 \(5,\)"),
    "labels_float": (replaced("label", np.float32), "label is float32"),
    "labels_negative": (replaced("label", lambda v: v - 9), "a label below -1"),
    "predicted_negative": (replaced("predicted", lambda v: v - 9), "a predicted class below 0"),
    "row_beyond": (row(range(1, 13)), "rows do not rise within the 12 of the data file"),
    "row_negative": (row(range(-1, 11)), "rows do not rise within the 12"),
    "row_falling": (row(range(12)[::-1]), "rows do not rise within the 12"),
    "first_beyond": (attribute("first", 5), "rows do not rise within the 12"),
    "first_negative": (attribute("first", -1), "first is -1"),
    "ids_text": (replaced("image_id", lambda v: np.arange(12)), "image_id is int64"),
    "geometry": (attribute("geometry", "wide"), "geometry is 'wide'; allowed: crop or full"),
    "target": (attribute("target", "truth"), "target is 'truth'; allowed: label or prediction"),
    "explainers_junk": (attribute("explainers", "rise"), "explainers is 'rise'; allowed: a list"),
    "explainers_unknown": (attribute("explainers", ["rise"]), "unknown dataset 'grad_cam'"),
    "explainers_column": (attribute("explainers", ["label"]), "are no names of their own"),
    "dcls": (attribute("dcls", "no"), "dcls is 'no'; allowed: true or false"),
    "layers_unknown": (attribute("layers", ["behind"]), "layers is .*; allowed: a list of .*bef"),
    "layers_none": (attribute("layers", []), "layers is"),
    "layers_unnamed": (
        lambda file: file.copy("grad_cam", "grad_cam.behind_norm"),
        "unknown dataset 'grad_cam.behind_norm'",
    ),
    "layers_absent": (
        lambda file: file.attrs.update({"layers": ["before_norm", "behind_norm"], "norm": True}),
        "the dataset grad_cam.behind_norm is missing",
    ),
    "norm": (attribute("norm", "no"), "norm is 'no'; allowed: true or false"),
    "parameters": (attribute("parameters", -7), "parameters is -7"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_file_with_a_fault_is_refused_when_opened(path, name):
    act, message = FAULTS[name]
    with h5py.File(path, "a") as file:
        act(file)
    seal(path)  # so that the fault itself is found
    with pytest.raises(UserError, match=message) as caught:
        HeatmapFile(path)
    text = str(caught.value)
    assert str(path) in text and "extract again" in text and "\n" not in text
    h5py.File(path, "a").close()  # although the error still is there, nothing holds the file


def test_changed_maps_are_not_read(path):
    with h5py.File(path, "a") as file:
        file["grad_cam"][:] = file["grad_cam"][:][::-1]
    with pytest.raises(UserError, match="seed0.h5 is not a complete heatmap file .*digest differs"):
        HeatmapFile(path)


def test_a_damaged_part_is_named_when_parts_are_joined(path, tmp_path):
    damaged = shutil.copy(path, tmp_path / "damaged.h5")
    with h5py.File(damaged, "a") as file:
        file["grad_cam"][0, 0, 0] += 1
    with pytest.raises(UserError, match="damaged.h5 is not a complete heatmap file"):
        join([path, damaged], tmp_path / "joined.h5")
    assert not (tmp_path / "joined.h5").exists()


def test_a_damaged_note_of_an_interrupted_extraction_starts_it_anew(tmp_path):
    header = {"model": "toy"}
    HeatmapWriter(tmp_path / "a.h5", header, rows=(0, 8), chunk=4)
    note = tmp_path / ".a.chunks" / "header.json"
    sound = note.read_text()
    note.write_text(sound[:20])
    again = HeatmapWriter(tmp_path / "a.h5", header, rows=(0, 8), chunk=4)
    assert note.read_text() == sound and len(list(again.missing())) == 2


def everything(path):
    """All that a heatmap file gives."""
    with HeatmapFile(path) as file:
        fields = ("model", "dcls", "parameters", "weights_digest", "data_digest", "geometry",
                  "target", "explainers", "versions", "images", "first", "image_ids", "labels",
                  "predicted", "rows", "sampled")  # fmt: skip
        found = [getattr(file, name) for name in fields]
        return [*found, *(file.maps(name, 0, len(file)) for name in file.explainers)]


def score(folder):
    """What the scoring script makes of a folder's data file and heatmaps."""
    output = folder / "scores" / "odd" / "seed0.csv"
    score_alignment.main(
        ["--data", str(folder / "data.h5"), "--heatmaps", str(folder / "odd" / "seed0.h5")]
        + ["--output", str(output)]
    )
    return [path.read_bytes() for path in sorted(output.parent.iterdir())]


@settings(repeatable, max_examples=250)
@given(data=st.data())
def test_bytes_damaged_at_random(sound, path, data):
    content = (sound / "odd" / "seed0.h5").read_bytes()
    with open(path, "wb") as stream:
        stream.write(data.draw(damage.bytes_damaged(content)))
    expected = everything(sound / "odd" / "seed0.h5")
    damage.told_or_same("heatmaps, bytes", lambda: everything(path), expected)


@settings(repeatable, max_examples=150)
@given(data=st.data())
def test_datasets_and_attributes_damaged_at_random(sound, path, data):
    shutil.copy(sound / "odd" / "seed0.h5", path)
    _, act = data.draw(hdf5_damage([*sorted(COLUMNS.keys() - {"row"}), *EXPLAINERS], ATTRIBUTES))
    with h5py.File(path, "a") as file:
        act(file)
    kind, expected = "heatmaps, changed", everything(sound / "odd" / "seed0.h5")
    if data.draw(st.integers(0, 3)):
        seal(path)
        kind, expected = "heatmaps, changed and sealed again", damage.ANY
    damage.told_or_same(kind, lambda: everything(path), expected)


@settings(repeatable, max_examples=60)
@given(data=st.data())
def test_scoring_damaged_heatmaps(sound, tmp_path, data):
    folder = shutil.copytree(sound, tmp_path / "work", dirs_exist_ok=True)
    content = (sound / "odd" / "seed0.h5").read_bytes()
    (folder / "odd" / "seed0.h5").write_bytes(data.draw(damage.bytes_damaged(content)))
    damage.told_or_same("heatmaps, scored", lambda: score(folder), score(sound))
