import warnings

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
import torch
from human_alignment.scores.spearman import correlate, correlate_ranks, correlate_several, rank
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats


def scipy_rho(a, b):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.ConstantInputWarning)
        return stats.spearmanr(a, b).statistic


def rho_of(a, b):
    return correlate(rank(a[None]), b[None])[0][0]


def maps_of(dtype, elements):
    """Two maps of equal length."""
    return st.integers(2, 60).flatmap(
        lambda pixels: st.tuples(*[arrays.arrays(dtype, pixels, elements=elements)] * 2)
    )


any_float32 = st.floats(width=32, allow_nan=False, allow_infinity=False)
tied = st.sampled_from([-2.5, -1.0, -0.0, 0.0, 1e-45, 0.3, 1.0])
pairs = st.one_of(
    maps_of(np.float32, any_float32),
    maps_of(np.float32, tied),
    maps_of(np.float64, st.floats(-1e100, 1e100)),
    maps_of(np.uint8, st.integers(0, 3)),
)


@settings(deadline=None, database=None, max_examples=400)
@given(pairs)
def test_equals_scipy_on_random_tied_signed_zero_and_constant_maps(pair):
    a, b = pair
    np.testing.assert_allclose(rho_of(a, b), scipy_rho(a, b), rtol=0, atol=1e-12, equal_nan=True)


@settings(deadline=None, database=None, max_examples=200)
@given(pairs)
def test_ranks_are_average_ranks(pair):
    ranks = rank(np.stack(pair))
    for values, doubled in zip(pair, ranks.doubled, strict=True):
        np.testing.assert_array_equal(doubled, 2 * stats.rankdata(values))


def test_zeros_are_sorted_where_the_processor_takes_subnormal_numbers_for_zero():
    values = np.random.default_rng(0).permutation(100).astype(np.float32)
    values[values < 60] = 0  # sorting equal float64 zeros by their lowest bits would lose some
    torch.set_flush_denormal(True)  # of the thread, not of torch alone
    try:
        ranks = rank(values[None])
    finally:
        torch.set_flush_denormal(False)
    np.testing.assert_array_equal(ranks.doubled[0], 2 * stats.rankdata(values))


@pytest.mark.parametrize("distinct", [2, 1000, 2**31])
def test_equals_scipy_on_maps_of_full_size(distinct):
    rng = np.random.default_rng(distinct)
    a, b = (rng.integers(-distinct, distinct, (2, 224 * 224)) / distinct).astype(np.float32)
    assert abs(rho_of(a, b) - scipy_rho(a, b)) < 1e-12


def test_equals_the_released_code(data_dir):
    known = np.load(data_dir / "scores" / "released_scores.npz")
    rho, status = correlate(rank(known["human_order"]), known["heatmaps"])
    expected = known["rho"][known["records"]]
    np.testing.assert_allclose(rho, expected, rtol=0, atol=1e-9, equal_nan=True)
    np.testing.assert_array_equal(status != "ok", known["skipped"][known["records"]])
    causes = dict(zip(known["records"].tolist(), status.tolist(), strict=True))
    assert causes[3] == causes[12] == "constant_heatmap"
    assert causes[7] == "constant_human_map"


def test_a_map_agrees_with_itself_and_with_any_growing_function_of_itself():
    values = np.random.default_rng(0).normal(size=500).astype(np.float32)
    assert rho_of(values, values) == 1
    assert rho_of(values, -values) == -1
    assert rho_of(values, np.exp(values)) == pytest.approx(1, abs=1e-12)


def test_constant_map_counts_as_constant_where_its_float32_deviation_does_not_vanish():
    heatmap = np.full((1, 224 * 224), 0.3, np.float32)
    assert heatmap.std() > 0  # the published code's test for a constant map
    human = rank(np.arange(224 * 224.0)[None])
    rho, status = correlate(human, heatmap)
    assert np.isnan(rho[0])
    assert status[0] == "constant_heatmap"


def test_every_undefined_pair_has_its_cause_and_leaves_the_others_alone():
    varied = np.arange(6.0)
    flat = np.full(6, 2.0)
    broken = np.array([0, np.nan, 1, 2, 3, 4])
    infinite = np.array([0, np.inf, 1, 2, 3, 4])
    human = np.stack([varied, varied, varied, varied, varied, flat, flat])
    heatmap = np.stack([varied, flat, broken, infinite, -infinite, varied, broken])
    rho, status = correlate(rank(human), heatmap)
    assert status.tolist() == [
        "ok",
        "constant_heatmap",
        "nonfinite_heatmap",
        "nonfinite_heatmap",
        "nonfinite_heatmap",
        "constant_human_map",
        "constant_human_map",
    ]
    assert rho[0] == 1
    assert np.isnan(rho[1:]).all()


def test_human_map_with_nan_is_refused():
    human = np.zeros((3, 4))
    human[1, 2] = np.nan
    with pytest.raises(ValueError, match="human map 1 holds NaN"):
        correlate(rank(human), np.zeros((3, 4)))


def test_maps_may_be_flat_or_not_and_ranks_serve_many_heatmaps():
    rng = np.random.default_rng(1)
    human, first, second = rng.random((3, 5, 8, 9)).astype(np.float32)
    ranks = rank(human)
    for heatmap in (first, second):
        rho, _ = correlate(ranks, heatmap.reshape(5, 72))
        expected = [scipy_rho(a.ravel(), b.ravel()) for a, b in zip(human, heatmap, strict=True)]
        np.testing.assert_allclose(rho, expected, rtol=0, atol=1e-12)


def test_no_maps_give_no_correlations():
    rho, status = correlate(rank(np.empty((0, 4, 4))), np.empty((0, 4, 4)))
    assert rho.shape == status.shape == (0,)


@settings(deadline=None, database=None, max_examples=200)
@given(st.one_of(maps_of(np.float32, any_float32), maps_of(np.float32, tied)), st.integers(1, 4))
def test_one_sort_serves_several_maps(pair, count):
    heatmap, first = pair
    random = np.random.default_rng(count)
    others = [first, *random.integers(0, 3, (count - 1, len(first))).astype(np.float32)]
    found = correlate_several([rank(one[None]) for one in others], heatmap[None])
    for one, (rho, status) in zip(others, found, strict=True):
        expected = scipy_rho(heatmap, one)
        assert status[0] == "ok" or np.isnan(expected)
        np.testing.assert_allclose(rho[0], expected, rtol=0, atol=1e-12)
        np.testing.assert_array_equal(rho, correlate(rank(one[None]), heatmap[None])[0])


def test_ranked_maps_are_compared_without_a_sort():
    random = np.random.default_rng(5)
    human = random.integers(0, 9, (4, 60)).astype(np.float32)
    human[2] = 1
    other = np.stack([random.normal(size=60), np.zeros(60), human[0]]).astype(np.float32)
    found = correlate_ranks(rank(human), rank(other))
    expected = [[scipy_rho(one, two) for two in other] for one in human]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    assert np.isnan(found[2]).all() and np.isnan(found[:, 1]).all() and found[0, 2] == 1
    with pytest.raises(ValueError, match="against"):
        correlate_ranks(rank(human), rank(other[:, :9]))
