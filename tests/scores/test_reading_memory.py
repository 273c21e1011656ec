"""Memory of reading what a run left: a study has hundreds of runs with 50,000 images."""

import gc
import tracemalloc

import numpy as np
import pytest
from human_alignment.scores.comparisons import StudyRho
from human_alignment.scores.control_file import (
    ControlFile,
    ControlSource,
    read_controls,
    write_controls,
)
from human_alignment.scores.controls import KINDS, Controls
from human_alignment.scores.protocol import RELEASED
from human_alignment.scores.score_file import (
    ScoreFile,
    Scores,
    ScoreSource,
    read_scores,
    write_scores,
)
from human_alignment.scores.spearman import NONFINITE_HEATMAP, OK

COUNT, EXPLAINERS, CUTOFFS = 20_000, ["grad_cam", "rise"], [0.5, 1.0]
SOURCE = dict(
    model="net", dcls=False, parameters=7, weights_digest="w", data_digest="d",
    explainers=EXPLAINERS, images=COUNT, data_images=COUNT, sampled=False, human_ceiling=0.65753,
    protocol=RELEASED,
)  # fmt: skip


def scores():
    """Scores of which one has a status with a long name."""
    rho, status = np.linspace(-1, 1, COUNT), np.full(COUNT, OK, "<U32")
    rho[7], status[7] = np.nan, NONFINITE_HEATMAP
    return Scores(rho, status)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A score file, and a file of controls."""
    folder = tmp_path_factory.mktemp("scores") / "net"
    folder.mkdir()
    paths = folder / "seed0.parquet", folder / "seed0.controls.h5"
    ids, labels = [f"{i:06d}" for i in range(COUNT)], np.zeros(COUNT, int)
    write_scores(
        paths[0], ScoreSource(**SOURCE), ids, labels, {name: scores() for name in EXPLAINERS}
    )
    controls = Controls(
        {name: {kind: scores() for kind in KINDS} for name in EXPLAINERS},
        {name: {cutoff: scores() for cutoff in CUTOFFS} for name in EXPLAINERS},
        {name: (np.full(3, 0.2), COUNT) for name in EXPLAINERS},
    )
    source = ControlSource(**SOURCE, smoothed=EXPLAINERS, cutoffs=CUTOFFS, seed=0)
    rows = ControlFile(source, controls, np.ones(COUNT), np.arange(COUNT))
    write_controls(paths[1], rows)
    return paths


def peak_of(read, path):
    """Bytes at most while a file is read, those of numpy and Python."""
    read(path)  # imports what it needs
    gc.collect()
    tracemalloc.start()
    try:
        found = read(path)
        return found, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_score_file_takes_at_most_200_bytes_a_row(files):
    found, peak = peak_of(read_scores, files[0])
    assert [one.status[7] for one in found.scores.values()] == [NONFINITE_HEATMAP] * 2
    assert peak < 200 * COUNT * 2


def test_controls_take_at_most_32_bytes_for_each_rho(files):
    found, peak = peak_of(read_controls, files[1])
    assert found.controls.smooth["rise"][0.5].status[7] == NONFINITE_HEATMAP
    assert peak < 32 * COUNT * 8  # eight rho of each record


def test_of_the_first_scores_only_their_origin_is_held(files):
    study = StudyRho([files[0]])
    assert set(study.compared("net")) == set(EXPLAINERS)
    gc.collect()
    assert not [one for one in gc.get_objects() if type(one) is ScoreFile]
