import numpy as np
import pytest
from human_alignment.scores.bootstrap import add_intervals
from human_alignment.scores.skill import partial_correlation, skill_row
from scipy import stats


def skill(rho, reference, ceiling, **settings):
    """The skill with its interval."""
    return next(add_intervals([skill_row(rho, reference, ceiling)], **settings))


def test_skill_is_the_share_of_the_way_to_the_ceiling():
    found = skill(np.array([0.4, 0.6]), np.array([0.2, 0.4]), 0.7, resamples=100)
    assert (found["n"], found["skill"]) == (2, pytest.approx(0.5))
    assert skill(np.array([0.5]), np.array([0.0]), None) == {
        "n": 1, "skill": 0.5, "low": None, "high": None,
    }  # fmt: skip


def test_an_image_that_lacks_one_is_left_out():
    found = skill(np.array([0.5, np.nan, 0.5]), np.array([0.0, 0.1, np.nan]), 1.0)
    assert found["n"] == 1 and found["skill"] == pytest.approx(0.5)
    assert skill(np.array([np.nan]), np.array([0.3]), 1.0)["skill"] is None


def test_a_reference_at_the_ceiling_leaves_no_skill():
    assert skill(np.array([0.5, 0.6]), np.array([0.7, 0.7]), 0.7)["skill"] is None


def test_the_interval_holds_the_true_skill_as_often_as_it_says():
    """Simulated: rho and the reference's rho go together over images."""
    random = np.random.default_rng(0)
    held = []
    for _ in range(400):
        easy = random.normal(0, 0.15, 200)
        reference = 0.3 + easy + random.normal(0, 0.05, 200)
        rho = 0.45 + 0.8 * easy + random.normal(0, 0.1, 200)
        found = skill(rho, reference, 0.65, resamples=400, seed=1)
        held.append(found["low"] < (0.45 - 0.3) / (0.65 - 0.3) < found["high"])
    assert 0.92 <= np.mean(held) <= 0.98


def test_a_map_of_the_reference_and_noise_has_no_skill():
    random = np.random.default_rng(2)
    reference = random.normal(0.3, 0.1, 500)
    found = skill(reference + random.normal(0, 0.05, 500), reference, 0.65)
    assert found["low"] < 0 < found["high"]


def test_partial_correlation_is_that_of_the_residuals():
    """Of ranks, by regression on the third map's ranks."""
    random = np.random.default_rng(3)
    third = random.normal(size=400)
    one, other = third + random.normal(size=(2, 400))
    ranks = [stats.rankdata(values) for values in (one, other, third)]
    design = np.stack([np.ones(400), ranks[2]], 1)
    left = [r - design @ np.linalg.lstsq(design, r, rcond=None)[0] for r in ranks[:2]]
    pairs = ((one, other), (one, third), (other, third))
    rho = [np.array([stats.spearmanr(*pair).statistic]) for pair in pairs]
    assert partial_correlation(*rho)[0] == pytest.approx(np.corrcoef(*left)[0, 1], abs=1e-12)


def test_partial_correlation_given_the_map_itself_is_undefined():
    one = np.array([0.5, np.nan])
    assert np.isnan(partial_correlation(one, np.array([1.0, 0.2]), np.array([0.5, 0.1]))).all()
