"""One field of the protocol at a time: differences, and their intervals."""

import numpy as np
import pytest
from human_alignment.scores.bootstrap import add_intervals
from human_alignment.scores.protocol import PAPER, RELEASED
from human_alignment.scores.protocol_variants import ALL, BASE, changed_protocols
from human_alignment.scores.score_file import Scores
from human_alignment.scores.sensitivity import (
    COLUMNS,
    difference,
    sensitivity_rows,
)
from human_alignment.scores.spearman import CONSTANT_HEATMAP, OK
from small_study import compared

SETTINGS = {"resamples": 500, "seed": 0}


def changed(*given):
    """The row of a difference, with its intervals."""
    (found,) = add_intervals([difference(*given)], **SETTINGS)
    return found


def test_difference_of_the_same_images_is_the_paired_difference():
    random = np.random.default_rng(0)
    a, b = random.normal(0.5, 0.1, (2, 300))
    status = np.array([OK] * 300)
    found = changed(Scores(a, status), PAPER, Scores(b, status), PAPER, None)
    paired = compared(a, b, **SETTINGS)
    assert found["difference"] == pytest.approx(paired.difference)
    assert (found["low"], found["high"]) == pytest.approx((paired.low, paired.high))
    assert found["score"] == pytest.approx(a.mean()) and found["n"] == 300
    assert found["score_low"] < a.mean() < found["score_high"]


def test_difference_where_the_protocols_leave_out_different_images():
    """Eight images at 0.5 and two constant maps: zero under one protocol, absent in the other."""
    rho = np.array([0.5] * 8 + [np.nan] * 2)
    scores = Scores(rho, np.array([OK] * 8 + [CONSTANT_HEATMAP] * 2))
    skip = PAPER.changed(constant_maps="skip")
    found = changed(scores, PAPER, scores, skip, None)
    assert found["score"] == pytest.approx(0.4) and found["n"] == 10
    assert found["difference"] == pytest.approx(-0.1)
    assert found["low"] < -0.1 < found["high"] <= 0


def test_nothing_scored_is_no_number():
    nothing = Scores(np.full(5, np.nan), np.array([CONSTANT_HEATMAP] * 5))
    found = changed(nothing, RELEASED, nothing, RELEASED, 0.7)
    assert found["n"] == 0 and found["score"] is None and found["low"] is None


def test_rows_name_each_field_and_its_value():
    variants = changed_protocols(RELEASED, PAPER, geometry=True, ceiling=True)
    protocols = {BASE: RELEASED, **variants}
    scores = Scores(np.linspace(0.1, 0.9, 9), np.array([OK] * 9))
    by_name = {"rise": dict.fromkeys(protocols, scores)}
    rows = list(add_intervals(sensitivity_rows(by_name, protocols, 0.8), **SETTINGS))
    assert [list(row) for row in rows] == [COLUMNS] * 7
    values = {row["field"]: row["value"] for row in rows}
    assert values["divide_by_ceiling"] == "false" and values[ALL] == "paper"
    assert values["geometry"] == "full" and BASE not in values
    assert {row["human_ceiling_before"] for row in rows} == {0.8}
    assert all(row["score_low"] < row["score"] < row["score_high"] for row in rows)
    found = {row["field"]: row["score"] for row in rows}
    assert found["divide_by_ceiling"] == pytest.approx(0.5) == found[ALL]
    assert found["geometry"] == pytest.approx(0.5 / 0.8)
