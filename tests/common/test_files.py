import os
import stat

import pytest
import torch
from human_alignment.common.files import write_json, written_whole
from human_alignment.common.hdf5 import new_hdf5
from safetensors.torch import save_file


@pytest.mark.parametrize("mask", [0o022, 0o002, 0o077])
def test_files_are_readable_by_others_as_the_umask_says(tmp_path, mask):
    """safetensors creates its files for the user alone."""
    before = os.umask(mask)
    try:
        with written_whole(tmp_path / "a.safetensors") as partial:
            save_file({"x": torch.zeros(1)}, partial)
        write_json(tmp_path / "a.json", {})
        with new_hdf5(tmp_path / "a.h5") as file:
            file["x"] = 1
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {0o666 & ~mask}


def test_an_error_leaves_the_older_file_and_no_other(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), written_whole(path) as partial:
        partial.write_text("new")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
