"""Thresholds chosen and judged on different images."""

import numpy as np
import pytest
from human_alignment.scores.bootstrap import add_intervals
from human_alignment.scores.protocol import PAPER, RELEASED
from human_alignment.scores.score_file import Scores
from human_alignment.scores.spearman import CONSTANT_HEATMAP, CONSTANT_HUMAN_MAP, OK
from human_alignment.scores.sweeps import CHOICE, COLUMNS, cross_validate, sweep_rows

SETTINGS = {"resamples": 200, "seed": 0}


def scores(rho):
    return Scores(np.asarray(rho, float), np.array([OK] * len(rho)))


def chosen(by_threshold, protocol, ceiling, folds):
    """The row of the cross-validated choice, with its interval."""
    rows = [cross_validate(by_threshold, protocol, ceiling, folds, SETTINGS["seed"])]
    (found,) = add_intervals(rows, **SETTINGS)
    assert list(found) == list(CHOICE)
    return found


def curve(by_threshold, protocol, ceiling):
    """The rows of the curve, with their intervals."""
    return list(add_intervals(sweep_rows(by_threshold, protocol, ceiling), **SETTINGS))


def test_the_better_threshold_is_chosen_in_every_fold_and_its_score_is_kept():
    both = {0.2: scores([0.1, 0.3] * 10), 0.6: scores([0.5, 0.7] * 10)}
    found = chosen(both, PAPER, None, 5)
    assert found["best"] == 0.6 and found["chosen"] == [0.6] * 5 and found["n"] == 20
    assert found["score"] == pytest.approx(0.6)
    assert found["low"] < 0.6 < found["high"]


def test_choosing_among_noise_is_worth_nothing():
    """The best of twenty on the same images looks good; judged on other images it is not."""
    random = np.random.default_rng(0)
    noise = {i / 20: scores(random.normal(size=400)) for i in range(20)}
    found = chosen(noise, PAPER, None, 5)
    assert max(row["score"] for row in curve(noise, PAPER, None)) > 0.05
    assert found["low"] < 0 < found["high"]


def test_constant_maps_enter_as_the_protocol_says():
    status = np.array([OK, OK, OK, OK, CONSTANT_HEATMAP, CONSTANT_HUMAN_MAP])
    one = Scores(np.array([0.5, 0.5, 0.5, 0.5, np.nan, np.nan]), status)
    both = {0.1: one, 0.9: one}
    assert chosen(both, PAPER, None, 2)["score"] == pytest.approx(0.4)
    released = chosen(both, RELEASED, 0.65753, 2)
    assert released["n"] == 4
    assert released["score"] == pytest.approx(0.5 / 0.65753)


def test_too_few_images_give_no_choice():
    few = {0.1: scores([0.5]), 0.2: scores([0.4])}
    assert set(chosen(few, PAPER, None, 5).values()) == {None}
    nothing = Scores(np.full(9, np.nan), np.array([CONSTANT_HUMAN_MAP] * 9))
    assert set(chosen({0.1: nothing, 0.2: nothing}, PAPER, None, 3).values()) == {None}
    (row,) = curve({0.1: nothing}, PAPER, None)
    assert row["score"] is None and row["n"] == 0 and row["low"] is None


def test_a_ceiling_divides_curve_and_choice_and_is_told():
    both = {0.1: scores([0.5, 0.3] * 9), 0.9: scores([0.2, 0.1] * 9)}
    for protocol, ceiling in ((RELEASED, 0.8), (RELEASED, None), (PAPER, 0.8)):
        rows = curve(both, protocol, ceiling)
        divisor = protocol.divisor(ceiling)
        assert [list(row) for row in rows] == [list(COLUMNS)] * 2
        assert [row["human_ceiling"] for row in rows] == [divisor] * 2
        assert [row["score"] for row in rows] == [row["mean_rho"] / (divisor or 1) for row in rows]
        plain, divided = (chosen(both, protocol, one, 3) for one in (None, ceiling))
        assert divided["score"] == plain["score"] / (divisor or 1)
        assert divided["low"] == pytest.approx(plain["low"] / (divisor or 1), abs=1e-12)
