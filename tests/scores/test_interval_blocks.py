"""Intervals of many rows at once: as those of single rows, whatever values a row lacks."""

import numpy as np
import pytest
from human_alignment.scores import bootstrap
from human_alignment.scores.bootstrap import add_intervals, bootstrap_interval, bootstrap_intervals

SETTINGS = {"resamples": 300, "seed": 1}


def singly(rows):
    """Intervals of rows one by one, each of the values that it has."""
    return [bootstrap_interval(row[~np.isnan(row)], **SETTINGS) for row in rows]


def assert_equal(found, known, count):
    """Equal to rounding; of 1,000 values or more, which enter as float32, to 1e-5 of the width."""
    found, known = np.asarray(found), np.asarray(known)
    allowed = 1e-12 + (1e-5 * np.ptp(known, axis=-1, keepdims=True) if count >= 1000 else 0)
    assert (np.abs(found - known) <= allowed).all()


def with_gaps(rows, count, share, seed=0):
    """Rows of values of which a share is missing, other ones in each row."""
    random = np.random.default_rng(seed)
    values = random.gamma(2, size=(rows, count))
    values[random.random(values.shape) < share] = np.nan
    return values


@pytest.mark.parametrize("count", [2, 5, 15, 16, 60, 3000])
def test_intervals_of_rows_are_those_of_single_rows(count):
    values = np.random.default_rng(count).normal(size=(3, count))
    values[2] = 0.25  # equal values have no width
    assert_equal(bootstrap_intervals(values, **SETTINGS), singly(values), count)


def test_intervals_of_values_with_ties_do_not_hang_on_rounding():
    """Of 18 values of two kinds many resamples have the very mean of the values."""
    values = np.array([[0.5, 0.3] * 9, [1, 0] * 9, [0.1, 0.2] * 9])
    found = bootstrap_intervals(values, **SETTINGS)
    np.testing.assert_allclose(found, singly(values), rtol=0, atol=1e-12)
    for divisor in (0.65753, 0.8, 3):
        again = bootstrap_intervals(values / divisor, **SETTINGS) * divisor
        np.testing.assert_allclose(again, found, rtol=0, atol=1e-12)


@pytest.mark.parametrize("count", [8, 40, 900])
def test_few_values_have_the_interval_that_they_have_alone(count):
    values = with_gaps(5, count, 0.3)
    values[4] = np.where(np.isnan(values[4]), np.nan, 0.5)
    complete = np.random.default_rng(1).normal(size=(1, count))
    values = np.concatenate([values, complete])
    found = bootstrap_intervals(values, **SETTINGS)
    np.testing.assert_allclose(found, singly(values), rtol=0, atol=1e-12)


def test_many_values_with_gaps_have_nearly_the_interval_that_they_have_alone():
    values = with_gaps(4, 4000, 0.4)
    complete = np.random.default_rng(1).normal(size=(2, 4000))
    settings = {"resamples": 4000, "seed": 1}
    found = bootstrap_intervals(np.concatenate([values, complete]), **settings)
    for row, ends in zip(values, found[:4], strict=True):
        alone = np.array(bootstrap_interval(row[~np.isnan(row)], **settings))
        assert np.abs(ends - alone).max() < 0.05 * np.ptp(alone)
        assert (ends != alone).all()  # drawn from other places
    known = [bootstrap_interval(row, **settings) for row in complete]
    assert_equal(found[4:], known, 4000)


def test_rows_do_not_depend_on_the_rows_beside_them():
    values = np.concatenate([with_gaps(3, 1500, 0.1), with_gaps(3, 1500, 0.6), np.ones((1, 1500))])
    found = bootstrap_intervals(values, **SETTINGS)
    each = [bootstrap_intervals(row[None], **SETTINGS)[0] for row in values]
    assert_equal(found, each, 1500)


@pytest.mark.parametrize("row", [[0.5], [np.nan, 0.5], [np.nan] * 20, []])
def test_fewer_than_two_values_have_no_interval(row):
    assert np.isnan(bootstrap_intervals(np.array([row], float))).all()
    (found,) = add_intervals([({"n": 1}, {("a", "b"): np.array(row, float)})], **SETTINGS)
    assert found == {"n": 1, "a": None, "b": None}


def test_infinite_values_are_refused():
    for value in (np.inf, -np.inf):
        with pytest.raises(ValueError, match="infinite"):
            bootstrap_intervals(np.array([[0.0, np.nan, value]]))


def test_intervals_with_gaps_hold_the_mean_as_often_as_they_say():
    """Simulated: skewed values, of which each row lacks other ones; few and many of them."""
    for count, share in ((150, 0.3), (1500, 0.2)):
        values = with_gaps(1000, count, share, seed=count)
        ends = np.concatenate(
            [
                bootstrap_intervals(part, resamples=600, seed=seed)
                for seed, part in enumerate(np.split(values, 20))
            ]
        )
        held = (ends[:, 0] <= 2) & (ends[:, 1] >= 2)  # 2 is the mean of the distribution
        assert 0.93 <= held.mean() <= 0.97


def rows_of_a_table():
    """Rows with means over 30, 2,000 and no values, of which some have two."""
    random = np.random.default_rng(5)
    for place in range(12):
        values = random.normal(size=(2, (30, 2000)[place % 2]))
        values[random.random(values.shape) < 0.1 * (place % 3)] = np.nan
        ends = {("low", "high"): values[0]}
        if place % 4 == 0:
            ends[("score_low", "score_high")] = values[1]
        if place == 7:
            ends = {}
        yield {"place": place, "low": None, "high": None}, ends


def test_blocks_of_rows_give_what_all_rows_at_once_give(monkeypatch):
    found = list(add_intervals(rows_of_a_table(), **SETTINGS))
    assert [row["place"] for row in found] == list(range(12))
    assert list(found[0]) == ["place", "low", "high", "score_low", "score_high"]
    assert found[7] == {"place": 7, "low": None, "high": None}
    assert all(row["low"] < row["high"] for row in found if row["place"] != 7)
    for name, size in (("_BLOCK", 100), ("_KEPT", 1), ("_PRODUCT", 5000), ("_SHEET", 3)):
        monkeypatch.setattr(bootstrap, name, size)
        again = list(add_intervals(rows_of_a_table(), **SETTINGS))
        assert [list(row) for row in again] == [list(row) for row in found]
        for one, other in zip(found, again, strict=True):
            ends = [name for name in one if name != "place" and one[name] is not None]
            assert [one[name] is None for name in one] == [other[name] is None for name in one]
            for low, high in zip(ends[::2], ends[1::2], strict=True):
                pair = [[table[low], table[high]] for table in (other, one)]
                assert_equal(*pair, count=2000 if one["place"] % 2 else 30)


def test_rows_are_taken_one_block_after_the_other(monkeypatch):
    """Memory does not grow with the rows: they leave before all have come."""
    monkeypatch.setattr(bootstrap, "_BLOCK", 100)
    taken = []

    def rows():
        for row, ends in rows_of_a_table():
            taken.append(row["place"])
            yield row, ends

    assert next(add_intervals(rows(), **SETTINGS))["place"] == 0
    assert len(taken) < 4


def test_values_are_by_row_and_name_not_by_their_place():
    random = np.random.default_rng(3)
    values = random.normal(size=(3, 50)) + np.array([[0], [10], [20]])
    rows = [({}, {("a", "b"): values[0], ("c", "d"): values[2]}), ({}, {("a", "b"): values[1]})]
    first, second = add_intervals(rows, **SETTINGS)
    ends = [[first["a"], first["b"]], [second["a"], second["b"]], [first["c"], first["d"]]]
    np.testing.assert_allclose(ends, singly(values), rtol=0, atol=1e-12)
