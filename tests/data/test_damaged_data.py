"""A damaged data file is told, or gives what was written: never another exception or result."""

import re
import shutil

import damage
import h5py
import numpy as np
import pytest
import score_alignment
import small_study
from damage import hdf5_damage, repeatable, replaced
from human_alignment.common.cli import UserError
from human_alignment.data.data_file import COLUMNS, LARGEST, About, DataFile, DataWriter
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A small study: a data file, heatmaps and scores."""
    folder = tmp_path_factory.mktemp("sound")
    data = folder / "data.h5"
    small_study.write_data(data, 12, human_ceiling=0.65753)
    with DataFile(data) as found:
        small_study.write_heatmaps(folder / "near" / "seed0.h5", found, "near", "released")
    return folder


@pytest.fixture
def work(sound, tmp_path):
    """A copy of the study that a test may damage."""
    return shutil.copytree(sound, tmp_path / "work")


def change(path, act):
    with h5py.File(path, "a") as file:
        act(file)


def attribute(name, value):
    return lambda file: damage.set_attribute(file, name, value)


def without(name):
    return lambda file: file.__delitem__(name)


FAULTS = {
    "labels_short": (replaced("label", lambda v: v[:10]), "image_id is bytes .12,.; expected"),
    "labels_float": (replaced("label", lambda v: v + 0.5), "label is float64 .*expected int32"),
    "labels_negative": (replaced("label", lambda v: v - 3), "label of image 'image-000' is -3"),
    "labels_high": (replaced("label", lambda v: v + 3), "label of image .* is [456]; allowed: 0"),
    "labels_2d": (replaced("label", lambda v: v[:, None]), r"label is int32 \(12, 1\); exp"),
    "labels_text": (replaced("label", lambda v: v.astype("S2")), "label is bytes"),
    "no_image_bytes": (without("image_bytes"), "the dataset image_bytes is missing"),
    "offsets_falling": (replaced("image_offset", lambda v: v[::-1]), "image_offset does not rise"),
    "offsets_beyond": (replaced("image_offset", lambda v: v * 2), "image_offset does not rise"),
    "offsets_short": (replaced("image_offset", lambda v: v[:-2]), r"image_offset is int64 \(11,\)"),
    "bytes_short": (replaced("image_bytes", lambda v: v[:-9]), "image_offset does not rise"),
    "human_short": (replaced("human_map", lambda v: v[:7]), r"human_map is float32 \(7, 16, 16\)"),
    "human_flat": (replaced("human_map", lambda v: v[:, 0]), r"human_map is float32 \(12, 16\)"),
    "human_double": (replaced("human_map", np.float64), "human_map is float64"),
    "ids_twice": (replaced("image_id", lambda v: v[[0] * 12]), "the digest differs"),
    "box_flat": (lambda f: f.create_dataset("box", data=np.zeros(12, "i2")), r"box is int16"),
    "more": (lambda f: f.create_dataset("other", data=[1]), "unknown dataset 'other'"),
    "size_huge": (attribute("image_size", 10**6), "image_size is 1000000; allowed: .* to 4096"),
    "size_text": (attribute("image_size", "64"), "image_size is '64'"),
    "size_other": (attribute("image_size", 64), "the digest differs"),
    "classes_none": (attribute("num_classes", 0), "num_classes is 0; allowed: a whole number, 1"),
    "skipped_junk": (attribute("skipped", "[{"), "skipped is .*allowed: a list"),
    "skipped_other": (attribute("skipped", "[3]"), "skipped is .*allowed: a list"),
    "ceiling_high": (attribute("human_ceiling", 65.8), "human_ceiling is 65.8; allowed: null, or"),
    "dataset_number": (attribute("dataset", 3), "dataset is 3"),
    "digest_junk": (attribute("digest", "junk"), "the digest differs"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_file_with_a_fault_is_refused_when_opened(work, name):
    act, message = FAULTS[name]
    change(work / "data.h5", act)
    with pytest.raises(UserError, match=message) as caught:
        DataFile(work / "data.h5")
    text = str(caught.value)
    assert str(work / "data.h5") in text and "prepare it again" in text and "\n" not in text
    h5py.File(work / "data.h5", "a").close()  # although the error still is there, nothing holds it


def score(folder):
    """What the scoring script makes of a folder's data file and heatmaps."""
    output = folder / "scores" / "near" / "seed0.csv"
    score_alignment.main(
        ["--data", str(folder / "data.h5"), "--heatmaps", str(folder / "near" / "seed0.h5")]
        + ["--output", str(output)]
    )
    return [path.read_bytes() for path in sorted(output.parent.iterdir())]


def test_reversed_human_maps_are_not_scored(work):
    def act(file):
        file["human_map"][:] = file["human_map"][:][::-1]

    change(work / "data.h5", act)
    message = f"{work / 'data.h5'}, image 'image-000': its human map is not what was written"
    with pytest.raises(UserError, match=re.escape(message)):
        score(work)
    with DataFile(work / "data.h5") as data:
        assert data.images(0, 12)  # an extraction does not read the human maps


def test_human_maps_and_their_digests_in_another_order_are_not_scored(work):
    def act(file):
        for name in ("human_map", "map_digest"):
            file[name][:] = file[name][:][::-1]

    change(work / "data.h5", act)
    with pytest.raises(UserError, match="the digest differs"):
        score(work)


def test_a_changed_image_is_named_when_it_is_read(work):
    def act(file):
        file["image_bytes"][file["image_offset"][7] + 50] ^= 1

    change(work / "data.h5", act)
    assert score(work)  # no image is read
    with DataFile(work / "data.h5") as data:
        assert len(data.images(0, 7)) == 7
        with pytest.raises(
            UserError, match="data.h5, image 'image-007': the image is not what was"
        ):
            data.images(4, 9)


def test_an_image_size_beyond_the_limit_is_not_written(tmp_path):
    with pytest.raises(UserError, match=f"image_size is {LARGEST + 1}; allowed: {LARGEST} pixels"):
        DataWriter(
            tmp_path / "a.h5", dataset="a", description="", num_classes=1, image_size=LARGEST + 1
        )


def everything(path):
    """All that a data file gives."""
    with DataFile(path) as data:
        fields = ("labels", "image_ids", "dataset", "description", "num_classes", "image_size")
        found = [getattr(data, name) for name in (*fields, "digest", "skipped", "human_ceiling")]
        return [*found, data.boxes(), data.images(0, len(data)), data.human_maps(0, len(data))]


@settings(repeatable, max_examples=250)
@given(data=st.data())
def test_bytes_damaged_at_random(sound, tmp_path, data):
    path = tmp_path / "data.h5"
    path.write_bytes(data.draw(damage.bytes_damaged((sound / "data.h5").read_bytes())))
    damage.told_or_same("data file, bytes", lambda: everything(path), everything(sound / "data.h5"))


@settings(repeatable, max_examples=150)
@given(data=st.data())
def test_datasets_and_attributes_damaged_at_random(sound, tmp_path, data):
    path = tmp_path / "data.h5"
    shutil.copy(sound / "data.h5", path)
    names = sorted(COLUMNS.keys() - {"box"})
    checked = sorted(About.model_fields.keys() - {"dataset", "description", "skipped",
                                                       "human_ceiling"})  # fmt: skip
    _, act = data.draw(hdf5_damage(names, checked))
    change(path, act)
    kind = "data file, datasets and attributes"
    damage.told_or_same(kind, lambda: everything(path), everything(sound / "data.h5"))


@settings(repeatable, max_examples=60)
@given(data=st.data())
def test_scoring_a_damaged_data_file(sound, tmp_path, data):
    folder = shutil.copytree(sound, tmp_path / "work", dirs_exist_ok=True)
    content = (sound / "data.h5").read_bytes()
    (folder / "data.h5").write_bytes(data.draw(damage.bytes_damaged(content)))
    damage.told_or_same("data file, scored", lambda: score(folder), score(sound))
