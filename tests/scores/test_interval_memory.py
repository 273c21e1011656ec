"""Memory of the intervals of many means: it is most of what comparing a study's networks takes."""

import tracemalloc

import numpy as np
import pytest
from human_alignment.scores import bootstrap
from human_alignment.scores.bootstrap import add_intervals

COUNT, ROWS, RESAMPLES = 20_000, 150, 2000


@pytest.mark.parametrize("block", [2**23, 2**20])
def test_intervals_need_four_bytes_for_each_value_of_a_block(block, monkeypatch):
    """And what counts the resamples. Rows come one by one: nobody else holds their values."""
    monkeypatch.setattr(bootstrap, "_BLOCK", block)
    random = np.random.default_rng(0)
    rows = (({}, {("low", "high"): random.normal(size=COUNT)}) for _ in range(ROWS))
    tracemalloc.start()
    try:
        found = list(add_intervals(rows, resamples=RESAMPLES, seed=0))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found) == ROWS and all(row["low"] < row["high"] for row in found)
    assert peak < 4 * min(block, ROWS * COUNT) + 20 * 2**20
