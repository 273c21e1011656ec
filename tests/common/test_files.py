import os
import signal
import stat
import subprocess
import sys

import pytest
import torch
from human_alignment.common.files import remove_leftovers, write_json, written_whole
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


KILLED = """
import os, signal, sys
from human_alignment.common.files import written_whole
with written_whole(sys.argv[1]) as partial:
    partial.write_text("torn")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_writer_left_goes_with_the_next_one(tmp_path, root):
    path = tmp_path / "a.b.txt"
    environment = os.environ | {"PYTHONPATH": str(root / "workflow_scripts")}
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", KILLED, str(path)], env=environment)
        assert done.returncode == -signal.SIGKILL
        assert [file.suffixes[-2:] for file in tmp_path.iterdir()] == [[".partial", ".txt"]]
    write_json(path, "whole")
    assert list(tmp_path.iterdir()) == [path]


FULL = """
import resource, sys
from human_alignment.common.cli import run
from human_alignment.common.hdf5 import new_hdf5
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
def main():
    with new_hdf5(sys.argv[1], libver="latest") as file:
        data = file.create_dataset("x", (0,), "f8", maxshape=(None,), chunks=(100,))
        for end in range(1000, 100_001, 1000):
            data.resize((end,))
            data[end - 1000 :] = end
run(main)
"""


def test_a_full_disk_ends_hdf5_with_one_line(tmp_path, root):
    """A limit on the size of files stands for the full disk; HDF5 is closed in order."""
    environment = os.environ | {"PYTHONPATH": str(root / "workflow_scripts")}
    path = tmp_path / "a.h5"
    command = [sys.executable, "-c", FULL, str(path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == f"error: [Errno 27] File too large: {str(path)!r}\n"
    assert list(tmp_path.iterdir()) == []


def test_temporary_files_of_other_outputs_stay(tmp_path):
    """Those of outputs with a similar name, and received bytes of a download."""
    others = [".a.b.12.partial.txt", ".ab.12.partial.txt", ".a.12.partial.csv"]
    others += [".a.txt.partial", ".a.txt.partial.json", ".a.12.partial.txt.partial", ".a.chunks"]
    for name in (*others, ".a.12.partial.txt", ".a.34.partial.txt"):
        (tmp_path / name).touch()
    remove_leftovers(tmp_path / "a.txt")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(others)
