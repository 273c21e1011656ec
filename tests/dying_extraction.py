"""Extract heatmaps, and be killed at a given write or rename of a file.

    python dying_extraction.py LAST FLAGS_OF_EXTRACT_HEATMAPS...

The process kills itself before its LAST-th write. A chunk is of few batches, so that many chunks
need not have many.
"""

import itertools
import os
import signal
import sys
from pathlib import Path

import h5py

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow_scripts"))

import extract_heatmaps

BATCHES_PER_CHUNK = 4


def dying(function, events, last):
    def call(*args, **options):
        if next(events) == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **options)

    return call


if __name__ == "__main__":
    extract_heatmaps.BATCHES_PER_CHUNK = BATCHES_PER_CHUNK
    about = itertools.count(1), int(sys.argv[1])
    h5py.Group.create_dataset = dying(h5py.Group.create_dataset, *about)
    os.replace = dying(os.replace, *about)
    extract_heatmaps.main(sys.argv[2:])
