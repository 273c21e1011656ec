"""Memory of the intervals of many means: it is most of what comparing a study's networks takes."""

import tracemalloc

import numpy as np
from human_alignment.scores.bootstrap import add_intervals

COUNT, ROWS, RESAMPLES = 20_000, 150, 2000


def test_intervals_need_a_byte_for_each_count_and_a_few_copies_of_a_block():
    values = np.random.default_rng(0).normal(size=COUNT)
    rows = [({}, {("low", "high"): values}) for _ in range(ROWS)]
    tracemalloc.start()
    try:
        found = list(add_intervals(rows, resamples=RESAMPLES, seed=0))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found) == ROWS and all(row["low"] < row["high"] for row in found)
    assert peak < RESAMPLES * COUNT + 6 * 2**21 * 8
