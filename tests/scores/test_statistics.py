import numpy as np
import pytest
from human_alignment.scores import bootstrap
from human_alignment.scores.bootstrap import bootstrap_interval
from human_alignment.scores.statistics import (
    correlate,
    holm,
)
from scipy import stats
from small_study import compared


def test_interval_equals_scipy_for_many_values():
    values = np.random.default_rng(0).lognormal(sigma=1.5, size=1000)
    known = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="BCa", rng=np.random.default_rng(1)
    )
    low, high = known.confidence_interval
    interval = bootstrap_interval(values, resamples=20_000)
    np.testing.assert_allclose(interval, (low, high), rtol=0, atol=0.03 * (high - low))
    # Far enough from the plain percentiles for the test to tell them apart.
    assert high - values.mean() > 1.2 * (values.mean() - low)


def test_interval_is_as_wide_as_students_for_few_normal_values():
    values = stats.norm.ppf((np.arange(12) + 0.5) / 12)
    low, high = bootstrap_interval(values, resamples=20_000)
    expected = stats.t.ppf(0.975, 11) * values.std(ddof=1) / np.sqrt(12)
    assert high == pytest.approx(expected, rel=0.06)
    assert low == pytest.approx(-expected, rel=0.06)


def test_interval_covers_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(2)
    true_mean = 0.8 * stats.norm(0.8, 0.4).expect(np.tanh)
    hits = 0
    for seed in range(1000):  # correlations of a model that looks elsewhere in a fifth of images
        rho = np.where(rng.random(100) < 0.2, 0, np.tanh(rng.normal(0.8, 0.4, 100)))
        low, high = bootstrap_interval(rho, resamples=500, seed=seed)
        hits += low <= true_mean <= high
    assert hits / 1000 >= 0.93


def test_interval_depends_on_the_seed_only_and_not_on_the_chunks(monkeypatch):
    values = np.random.default_rng(3).random(101)
    interval = bootstrap_interval(values, seed=7)
    assert interval != bootstrap_interval(values, seed=8)
    monkeypatch.setattr(bootstrap, "_DRAWS", 500)
    assert interval == bootstrap_interval(values, seed=7)


def test_interval_narrows_with_the_level_and_is_infinite_for_one_value():
    values = np.random.default_rng(4).random(200)
    wide, narrow = (bootstrap_interval(values, level=level) for level in (0.99, 0.5))
    assert wide[0] < narrow[0] < values.mean() < narrow[1] < wide[1]
    assert bootstrap_interval([0.4]) == (-np.inf, np.inf)
    assert bootstrap_interval([0.4, 0.4, 0.4]) == pytest.approx((0.4, 0.4))


@pytest.mark.parametrize("values", [[], [0.1, np.nan], [[0.1], [0.2]]])
def test_no_interval_without_finite_values(values):
    with pytest.raises(ValueError, match="expected finite values"):
        bootstrap_interval(values)


def test_paired_comparison_by_hand():
    a = np.array([0.5, 0.4, 0.3, 0.9, np.nan, 0.2])
    b = np.array([0.2, 0.4, 0.5, 0.1, 0.3, np.nan])
    found = compared(a, b)
    assert (found.n, found.dropped) == (4, 2)
    assert found.difference == pytest.approx(0.225)
    assert found.superiority == (2 + 0.5) / 4
    assert found.p_value == pytest.approx(stats.wilcoxon([0.3, 0, -0.2, 0.8]).pvalue)
    assert (found.low, found.high) == bootstrap_interval((a - b)[:4])


def test_paired_comparison_turns_its_sign_with_the_order():
    a, b = np.random.default_rng(5).random((2, 300))
    forth, back = compared(a + 0.1, b), compared(b, a + 0.1)
    assert forth.difference == -back.difference > 0
    assert forth.superiority == 1 - back.superiority > 0.5
    assert forth.p_value == back.p_value < 0.01
    assert forth.low > 0 > back.high


def test_paired_comparison_of_equal_scores_finds_nothing():
    scores = np.random.default_rng(6).random(50)
    found = compared(scores, scores)
    assert tuple(vars(found).values()) == (50, 0, 0, 0, 0, 1, 0.5)


def test_paired_comparison_needs_an_image_with_both_scores():
    with pytest.raises(ValueError, match="expected finite values"):
        compared([0.1, np.nan], [np.nan, 0.1])
    with pytest.raises(ValueError, match="broadcast"):
        compared([0.1, 0.2, 0.3], [0.1, 0.2])


def test_holm_on_a_textbook_example():
    # Sorted: 0.005 * 4, 0.01 * 3, 0.03 * 2, 0.04 * 1, the last held up by the one before.
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm([0.9, 0.6]), [1, 1])
    assert holm([0.2]).tolist() == [0.2]


def test_holm_rejects_what_the_step_down_procedure_rejects():
    rng = np.random.default_rng(7)
    for _ in range(100):
        p_values = rng.random(8) ** 4
        rejected = np.zeros(8, bool)
        for step, index in enumerate(np.argsort(p_values)):
            if p_values[index] > 0.05 / (8 - step):
                break
            rejected[index] = True
        np.testing.assert_array_equal(holm(p_values) <= 0.05, rejected)


SIZES = np.array([25.6, 28.6, 50.2, 88.6, 26.3, 26.8, 20.6, 30.4])
SCORES = np.array([0.71, 0.73, 0.77, 0.76, 0.56, 0.6, 0.79, 0.77])


def test_pearsons_correlation_and_its_interval_are_scipys():
    found, known = correlate(SIZES, SCORES), stats.pearsonr(SIZES, SCORES)
    assert (found.n, found.value) == (8, pytest.approx(known.statistic, abs=1e-12))
    assert (found.low, found.high) == pytest.approx(known.confidence_interval(0.95), abs=1e-12)


def test_spearmans_interval_is_that_of_bonett_and_wright():
    found = correlate(SIZES, SCORES, "spearman")
    r = stats.spearmanr(SIZES, SCORES).statistic
    half = 1.959963984540054 * np.sqrt((1 + r**2 / 2) / 5)
    ends = np.tanh([np.arctanh(r) - half, np.arctanh(r) + half])
    assert (found.value, found.low, found.high) == pytest.approx((r, *ends), abs=1e-12)


@pytest.mark.parametrize("method", ["pearson", "spearman"])
def test_fewer_than_eight_networks_have_no_interval(method):
    found = correlate(SIZES[:7], SCORES[:7], method)
    assert found.n == 7 and found.value is not None
    assert (found.low, found.high) == (None, None)


@pytest.mark.parametrize("method", ["pearson", "spearman"])
def test_the_interval_holds_the_true_correlation_as_often_as_it_says(method):
    """Simulated: 8 independent networks, both quantities normal, no correlation."""
    random = np.random.default_rng(0)
    held = [
        (found := correlate(*random.normal(size=(2, 8)), method)).low < 0 < found.high
        for _ in range(2000)
    ]
    assert 0.93 <= np.mean(held) <= 0.985


def test_a_correlation_on_a_line():
    found = correlate(np.arange(9), -np.arange(9.0))
    assert tuple(vars(found).values()) == pytest.approx((9, -1, -1, -1))


@pytest.mark.parametrize(
    ("x", "y"), [([], []), ([1], [2]), ([1, 2], [1, 2]), ([1, 2, 3], [0.1, 0.1, 0.1])]
)
@pytest.mark.parametrize("method", ["pearson", "spearman"])
def test_a_correlation_is_undefined_for_fewer_than_three_or_equal_ones(x, y, method):
    assert tuple(vars(correlate(x, y, method)).values()) == (len(x), None, None, None)


def test_a_network_that_lacks_a_quantity_is_left_out():
    found = correlate([*SIZES, np.nan, 3], [*SCORES, 0.5, np.nan])
    assert found == correlate(SIZES, SCORES)


def test_a_correlation_refuses_bad_input():
    with pytest.raises(ValueError, match="broadcast"):
        correlate([1, 2, 3], [1, 2])
    with pytest.raises(ValueError, match="kendall"):
        correlate([1, 2, 3], [1, 2, 4], "kendall")


@pytest.mark.filterwarnings("error")
def test_interval_of_nearly_equal_values_is_narrow_and_silent():
    values = 0.5 + np.array([0, 1, 2, 3] * 5) * 1e-16
    low, high = bootstrap_interval(values)
    assert 0.5 - 1e-12 < low <= high < 0.5 + 1e-12
