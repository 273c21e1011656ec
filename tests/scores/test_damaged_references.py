"""Damaged files of references are told, or give what was written."""

import shutil

import damage
import h5py
import numpy as np
import pytest
import repeated_study
import score_references
from damage import hdf5_damage, repeatable
from human_alignment.common.cli import UserError
from human_alignment.common.hdf5 import seal
from human_alignment.scores.reference_file import COLUMNS, read_references
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A file of references of six records of four images."""
    folder = tmp_path_factory.mktemp("references")
    maps = repeated_study.smooth(np.random.default_rng(0), 6, 16)
    labels = [0, 1, 0, 1, 0, 1]
    data = repeated_study.write(folder / "d.h5", [0, 1, 2, 3, 0, 1], labels, maps)
    score_references.main(
        ["--data", str(data), "--output", str(folder / "r.csv"), "--rho", str(folder / "r.h5")]
        + ["--summary", str(folder / "r.json")]
    )
    return folder / "r.h5"


def values_read(path):
    found = read_references(path)
    scores = {name: [one.rho, one.status.tolist()] for name, one in found.scores.items()}
    return [found.source.model_dump(), scores, found.ratio, found.groups, found.agreement]


def changed(sound, tmp_path, act):
    """The file after a change, sealed again."""
    path = tmp_path / "r.h5"
    shutil.copy(sound, path)
    with h5py.File(path, "a") as file:
        act(file)
    seal(path)
    return path


def put(name, value):
    def act(file):
        values = file[name][:]
        values[..., 0] = value
        file[name][...] = values

    return act


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (put("rho", 1.5), "a rho does not agree with its status"),
        (put("status", 99), "status 99, where only 7 are known"),
        (put("status", 1), "a rho does not agree with its status"),
        (put("ratio", -1), "a ratio is not above 0"),
        (put("ratio", np.inf), "a ratio is not above 0"),
        (put("others", 1.5), "an agreement of human maps is not from -1 to 1"),
        (put("group", 3), "group does not hold rows of first records"),
        (put("group", -1), "group does not hold rows of first records"),
        (damage.replaced("rho", lambda values: values[:-1]), "rho|status is"),
    ],
)
def test_impossible_values_are_told(sound, tmp_path, act, message):
    with pytest.raises(UserError, match=f"r.h5 is not a complete file of references .*{message}"):
        read_references(changed(sound, tmp_path, act))


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(UserError, match="no.h5 does not exist; score_references.py --rho makes"):
        read_references(tmp_path / "no.h5")


@settings(repeatable, max_examples=100)
@given(data=st.data())
def test_bytes_of_reference_files_damaged_at_random(sound, tmp_path, data):
    path = tmp_path / "r.h5"
    path.write_bytes(data.draw(damage.bytes_damaged(sound.read_bytes())))
    damage.told_or_same("references, bytes", lambda: values_read(path), values_read(sound))


@settings(repeatable, max_examples=100)
@given(data=st.data())
def test_reference_files_damaged_at_random(sound, tmp_path, data):
    _, act = data.draw(hdf5_damage(list(COLUMNS), ["source"]))
    path = changed(sound, tmp_path, act)
    damage.told_or_same("references, sealed again", lambda: values_read(path), damage.ANY)
