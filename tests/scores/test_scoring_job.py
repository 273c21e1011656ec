"""What a scoring job costs beside its correlations: a study has hundreds of such jobs."""

import json
import subprocess
import sys

import numpy as np
import pytest
from human_alignment.data.data_file import DataFile

HEAVY = ("matplotlib", "pandas", "scipy", "timm", "torch")
JOB = """
import json, resource, sys
import score_alignment

def pages():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

score_alignment.main(sys.argv[1:])
before = pages()
score_alignment.main(sys.argv[1:])
print(json.dumps({"modules": list(sys.modules), "pages": pages() - before}))
"""
IMAGES = 64


@pytest.fixture(scope="module")
def job(root, tmp_path_factory):
    """The modules of a scoring job, and the pages of memory that it asked the system for."""
    folder = tmp_path_factory.mktemp("job")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(root / "benchmarks")
        from bench_scores import make_data, make_heatmaps
    random = np.random.default_rng(0)
    make_data(folder / "data.h5", IMAGES, random)
    with DataFile(folder / "data.h5") as data:
        make_heatmaps(folder / "heatmaps.h5", data, "crop", random)
    names = {"--data": "data.h5", "--heatmaps": "heatmaps.h5", "--output": "scores.parquet"}
    files = [part for flag, name in names.items() for part in (flag, str(folder / name))]
    command = [sys.executable, "-c", JOB, *files]
    scripts = root / "workflow_scripts"
    done = subprocess.run(command, cwd=scripts, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def test_a_scoring_job_imports_nothing_that_it_does_not_need(job):
    assert "h5py" in job["modules"]
    assert not set(HEAVY) & set(job["modules"])


def test_a_scoring_job_uses_the_memory_of_one_map_for_the_next(job):
    """A map of 224 x 224 has 49 pages; several arrays of that size are made for each."""
    assert job["pages"] < 20 * IMAGES
