"""Damaged files of controls are told, or give what was written."""

import shutil

import damage
import h5py
import numpy as np
import pytest
import score_controls
import score_references
import small_study
from damage import hdf5_damage, repeatable
from human_alignment.common.cli import UserError
from human_alignment.common.hdf5 import seal
from human_alignment.scores.control_file import COLUMNS, read_controls
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A file of controls of nine images."""
    folder = tmp_path_factory.mktemp("controls")
    study = small_study.make(folder, 9)
    data = ["--data", str(study.data)]
    score_references.main(
        [*data, "--output", str(folder / "r.csv"), "--summary", str(folder / "r.json")]
        + ["--rho", str(folder / "r.h5")]
    )
    score_controls.main(
        [*data, "--heatmaps", str(study.heatmaps[2]), "--references", str(folder / "r.h5")]
        + ["--output", str(folder / "c.h5")]
    )
    return folder / "c.h5"


def values_read(path):
    found = read_controls(path)
    tables = (found.controls.scores, found.controls.smooth)
    scores = [
        [one.rho, one.status.tolist()]
        for table in tables
        for by_key in table.values()
        for one in by_key.values()
    ]
    return [found.source.model_dump(), scores, found.controls.spectra, found.ratio, found.rows]


def changed(sound, tmp_path, act):
    """The file after a change, sealed again."""
    path = tmp_path / "c.h5"
    shutil.copy(sound, path)
    with h5py.File(path, "a") as file:
        act(file)
    seal(path)
    return path


def put(name, value):
    def act(file):
        values = file[name][:]
        values[..., -1] = value
        file[name][...] = values

    return act


def less(*names):
    def act(file):
        for name in names:
            damage.replaced(name, lambda values: values[:1])(file)

    return act


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (put("rho", -2), "a rho does not agree with its status"),
        (put("smooth_rho", np.nan), "a rho does not agree with its status"),
        (put("smooth_status", 200), "status 200, where only 7 are known"),
        (put("spectrum", 1.5), "a share of the spectrum is not from 0 to 1"),
        (put("spectrum_n", 99), "a share of the spectrum is not from 0 to 1, or its count"),
        (put("spectrum_n", 0), "a share of the spectrum is not from 0 to 1, or its count"),
        (put("ratio", 0), "a ratio is not above 0"),
        (put("row", 3), "its rows do not rise"),
        (put("row", 99), "its rows do not rise within the 9 of the data file"),
        (less("rho", "status", "spectrum", "spectrum_n"), "rho has the shape"),
        (less("smooth_rho", "smooth_status"), "smooth_rho has the shape"),
    ],
)
def test_impossible_values_are_told(sound, tmp_path, act, message):
    with pytest.raises(UserError, match=f"c.h5 is not a complete file of controls .*{message}"):
        read_controls(changed(sound, tmp_path, act))


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(UserError, match="no.h5 does not exist; score_controls.py makes it"):
        read_controls(tmp_path / "no.h5")


@settings(repeatable, max_examples=100)
@given(data=st.data())
def test_bytes_of_control_files_damaged_at_random(sound, tmp_path, data):
    path = tmp_path / "c.h5"
    path.write_bytes(data.draw(damage.bytes_damaged(sound.read_bytes())))
    damage.told_or_same("controls, bytes", lambda: values_read(path), values_read(sound))


@settings(repeatable, max_examples=100)
@given(data=st.data())
def test_control_files_damaged_at_random(sound, tmp_path, data):
    _, act = data.draw(hdf5_damage(list(COLUMNS), ["source"]))
    path = changed(sound, tmp_path, act)
    damage.told_or_same("controls, sealed again", lambda: values_read(path), damage.ANY)
