"""Thresholds chosen and judged on different images."""

import numpy as np
import pytest
from human_alignment.scores.protocol import PAPER, RELEASED
from human_alignment.scores.score_file import Scores
from human_alignment.scores.spearman import CONSTANT_HEATMAP, CONSTANT_HUMAN_MAP, OK
from human_alignment.scores.sweeps import COLUMNS, cross_validate, sweep_rows

SETTINGS = {"resamples": 200, "seed": 0}


def scores(rho):
    return Scores(np.asarray(rho, float), np.array([OK] * len(rho)))


def test_the_better_threshold_is_chosen_in_every_fold_and_its_score_is_kept():
    found = cross_validate(
        {0.2: scores([0.1, 0.3] * 10), 0.6: scores([0.5, 0.7] * 10)}, PAPER, None, 5, **SETTINGS
    )
    assert found.best == 0.6 and found.chosen == [0.6] * 5 and found.n == 20
    assert found.score == pytest.approx(0.6)
    assert found.low < 0.6 < found.high


def test_choosing_among_noise_is_worth_nothing():
    """The best of twenty on the same images looks good; judged on other images it is not."""
    random = np.random.default_rng(0)
    noise = {i / 20: scores(random.normal(size=400)) for i in range(20)}
    rows = sweep_rows(noise, PAPER, None, **SETTINGS)
    found = cross_validate(noise, PAPER, None, 5, **SETTINGS)
    assert max(row["score"] for row in rows) > 0.05
    assert found.low < 0 < found.high


def test_constant_maps_enter_as_the_protocol_says():
    status = np.array([OK, OK, OK, OK, CONSTANT_HEATMAP, CONSTANT_HUMAN_MAP])
    one = Scores(np.array([0.5, 0.5, 0.5, 0.5, np.nan, np.nan]), status)
    both = {0.1: one, 0.9: one}
    assert cross_validate(both, PAPER, None, 2, **SETTINGS).score == pytest.approx(0.4)
    released = cross_validate(both, RELEASED, 0.65753, 2, **SETTINGS)
    assert released.n == 4
    assert released.score == pytest.approx(0.5 / 0.65753)


def test_too_few_images_give_no_choice():
    assert (
        cross_validate({0.1: scores([0.5]), 0.2: scores([0.4])}, PAPER, None, 5, **SETTINGS) is None
    )
    nothing = Scores(np.full(9, np.nan), np.array([CONSTANT_HUMAN_MAP] * 9))
    assert cross_validate({0.1: nothing, 0.2: nothing}, PAPER, None, 3, **SETTINGS) is None
    (row,) = sweep_rows({0.1: nothing}, PAPER, None, **SETTINGS)
    assert row["score"] is None and row["n"] == 0


def test_a_ceiling_divides_curve_and_choice_and_is_told():
    both = {0.1: scores([0.5, 0.3] * 9), 0.9: scores([0.2, 0.1] * 9)}
    for protocol, ceiling in ((RELEASED, 0.8), (RELEASED, None), (PAPER, 0.8)):
        rows = sweep_rows(both, protocol, ceiling, **SETTINGS)
        divisor = protocol.divisor(ceiling)
        assert [list(row) for row in rows] == [list(COLUMNS)] * 2
        assert [row["human_ceiling"] for row in rows] == [divisor] * 2
        assert [row["score"] for row in rows] == [row["mean_rho"] / (divisor or 1) for row in rows]
        plain = cross_validate(both, protocol, None, 3, **SETTINGS)
        divided = cross_validate(both, protocol, ceiling, 3, **SETTINGS)
        assert divided.score == plain.score / (divisor or 1)
        assert divided.low == plain.low / (divisor or 1)
