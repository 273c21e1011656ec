import numpy as np
import pytest
from human_alignment.common.cli import UserError
from human_alignment.scores.measures import (
    MEASURES,
    auc_judd,
    cosine,
    dice,
    evaluate,
    iou,
    kl,
    nss,
    pearson,
    sim,
    topk_overlap,
)
from scipy import stats
from sklearn.metrics import f1_score, jaccard_score, roc_auc_score
from sklearn.metrics.pairwise import cosine_similarity


@pytest.fixture(scope="module")
def maps():
    """Five pairs of positive maps of 300 pixels, the last two pairs with many ties."""
    human, heatmap = np.random.default_rng(0).gamma(1, size=(2, 5, 300)).astype(np.float32) + 0.01
    human[3:], heatmap[3:] = np.round(human[3:], 1) + 1, np.maximum(heatmap[3:], 1.5)
    return human, heatmap


def each(function, maps):
    return [function(human, heatmap) for human, heatmap in zip(*np.float64(maps), strict=True)]


def test_pearson_equals_scipy(maps):
    expected = each(lambda h, m: stats.pearsonr(h, m).statistic, maps)
    np.testing.assert_allclose(pearson(*maps), expected, rtol=0, atol=1e-12)


def test_cosine_equals_sklearn(maps):
    expected = each(lambda h, m: cosine_similarity([h], [m])[0, 0], maps)
    np.testing.assert_allclose(cosine(*maps), expected, rtol=0, atol=1e-12)


def test_kl_equals_scipy_where_the_heatmap_is_positive(maps):
    np.testing.assert_allclose(kl(*maps), each(stats.entropy, maps), rtol=0, atol=1e-12)


def test_kl_of_a_missed_place_is_large_and_finite():
    half_missed = kl(np.array([1.0, 1, 0]), np.array([1.0, 0, 0]))
    assert half_missed == pytest.approx(0.5 * np.log(0.5) + 0.5 * np.log(0.5 / 2.2204e-16))


def test_sim_is_one_minus_the_total_variation(maps):
    def expected(human, heatmap):
        return 1 - 0.5 * np.abs(human / human.sum() - heatmap / heatmap.sum()).sum()

    np.testing.assert_allclose(sim(*maps), each(expected, maps), rtol=0, atol=1e-12)


def test_densities_of_signed_maps_start_at_their_minimum(maps):
    human, heatmap = np.float64(maps)
    lifted = heatmap - heatmap.min(axis=1, keepdims=True)
    for measure in (kl, sim):
        np.testing.assert_allclose(measure(human, lifted - 3), measure(human, lifted), atol=1e-12)


def test_nss_is_the_mean_z_score_of_the_marked_pixels(maps):
    def expected(human, heatmap):
        return stats.zscore(heatmap)[human >= np.sort(human)[-30]].mean()

    np.testing.assert_allclose(nss(*maps), each(expected, maps), rtol=0, atol=1e-12)
    assert np.isnan(nss(np.arange(9.0), np.full(9, 0.1))) and np.isnan(nss(np.ones(9), np.ones(9)))


def test_nss_of_random_maps_is_zero_on_average():
    human, heatmap = np.random.default_rng(5).random((2, 400, 200))
    assert abs(nss(human, heatmap).mean()) < 0.05


def test_dice_and_iou_equal_sklearn_where_no_pixels_tie():
    human, heatmap = np.random.default_rng(6).random((2, 20, 200))
    highest = [rows >= np.sort(rows, axis=1)[:, -20:-19] for rows in (human, heatmap)]
    pairs = list(zip(*highest, strict=True))
    assert dice(human, heatmap) == pytest.approx([f1_score(h, m) for h, m in pairs])
    assert iou(human, heatmap) == pytest.approx([jaccard_score(h, m) for h, m in pairs])


def test_auc_equals_sklearn(maps):
    def expected(human, heatmap):
        return roc_auc_score(human >= np.sort(human)[-30], heatmap)

    np.testing.assert_allclose(auc_judd(*maps), each(expected, maps), rtol=0, atol=1e-12)


def test_auc_of_a_human_map_that_is_mostly_zero_counts_the_rest_as_marked():
    human, heatmap = np.zeros((2, 100))
    human[:3] = [1, 2, 3]
    heatmap[:2] = 1
    assert auc_judd(human, heatmap) == pytest.approx(roc_auc_score(human > 0, heatmap))


def test_auc_of_a_human_map_that_is_mostly_at_its_maximum_counts_that_as_marked():
    human = np.ones(100)
    human[:3] = 0
    heatmap = np.random.default_rng(1).random(100)
    assert auc_judd(human, heatmap) == pytest.approx(roc_auc_score(human == 1, heatmap))


def test_topk_overlap_counts_common_pixels():
    human, heatmap = np.zeros((2, 40))  # k = 4
    human[:4] = [9, 8, 7, 6]
    heatmap[2:6] = [5, 5, 5, 5]
    assert topk_overlap(human, heatmap) == 0.5
    assert topk_overlap(human, human) == 1


def test_topk_overlap_is_the_mean_over_random_breaks_of_ties():
    rng = np.random.default_rng(2)
    human, heatmap = rng.integers(0, 4, (2, 50)).astype(float)
    overlaps = []
    for _ in range(4000):
        tops = [set(np.argsort(row + 1e-3 * rng.random(50))[-5:]) for row in (human, heatmap)]
        overlaps.append(len(tops[0] & tops[1]) / 5)
    error = np.std(overlaps) / np.sqrt(4000)
    assert topk_overlap(human, heatmap) == pytest.approx(np.mean(overlaps), abs=4 * error)


@pytest.mark.parametrize("name", MEASURES)
def test_equal_maps_score_best_and_every_measure_ranks_them_before_others(name, maps):
    human = np.random.default_rng(3).permutation(300).astype(float)
    other = np.random.default_rng(4).permutation(300).astype(float)
    best = {"kl": 0, "nss": stats.zscore(human)[human >= 270].mean()}.get(name, 1)
    assert MEASURES[name](human, human) == pytest.approx(best, abs=1e-12)
    assert abs(MEASURES[name](human, other) - best) > 0.1


FLAT, ZERO, RISING = np.full(20, 0.3), np.zeros(20), np.arange(20.0) + 1
UNIFORM_KL = np.log(20) - stats.entropy(RISING)
UNIFORM_SIM = np.minimum(RISING / RISING.sum(), 1 / 20).sum()


@pytest.mark.parametrize(
    ("name", "flat_heatmap", "flat_human", "zero_heatmap"),
    [
        ("pearson", np.nan, np.nan, np.nan),
        ("cosine", RISING.sum() / np.sqrt(20 * (RISING**2).sum()), None, np.nan),
        ("kl", UNIFORM_KL, stats.entropy(FLAT, RISING), np.nan),
        ("sim", UNIFORM_SIM, UNIFORM_SIM, np.nan),
        ("auc_judd", 0.5, np.nan, 0.5),
        ("nss", np.nan, np.nan, np.nan),
        ("dice", 0.1, 0.1, 0.1),
        ("iou", 0.1 / 1.9, 0.1 / 1.9, 0.1 / 1.9),
        ("topk_overlap", 0.1, 0.1, 0.1),
    ],
)
@pytest.mark.filterwarnings("error")
def test_what_constant_maps_give(name, flat_heatmap, flat_human, zero_heatmap):
    measure = MEASURES[name]
    flat_human = flat_heatmap if flat_human is None else flat_human
    for human, heatmap, expected in (
        (RISING, FLAT, flat_heatmap),
        (FLAT, RISING, flat_human),
        (RISING, ZERO, zero_heatmap),
    ):
        np.testing.assert_allclose(measure(human, heatmap), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.filterwarnings("error")
def test_rows_are_independent_and_broken_ones_are_nan(name, maps):
    human, heatmap = maps[0].copy(), maps[1].copy()
    heatmap[1, 7], human[3, 0], heatmap[4] = np.nan, np.inf, np.nan
    values = MEASURES[name](human, heatmap)
    assert values.shape == (5,)
    assert np.isnan(values[[1, 3, 4]]).all()
    for row in (0, 2):
        single = MEASURES[name](human[row], heatmap[row])
        assert single.shape == ()
        assert values[row] == pytest.approx(float(single), abs=1e-12)


@pytest.mark.parametrize("name", MEASURES)
def test_evaluate_leaves_the_same_images_out_of_every_measure(name):
    human = np.stack([RISING, FLAT, RISING, RISING])
    heatmap = np.stack([RISING, RISING, FLAT, np.where(RISING > 3, np.nan, RISING)])
    values, status = evaluate(name, human, heatmap)
    assert status.tolist() == ["ok", "constant_human_map", "constant_heatmap", "nonfinite_heatmap"]
    assert values[0] == MEASURES[name](RISING, RISING)
    assert np.isnan(values[1:]).all()


def test_evaluate_refuses_unknown_names_and_broken_human_maps():
    with pytest.raises(UserError, match="unknown measure 'auc'; allowed: pearson, cosine, kl"):
        evaluate("auc", RISING[None], RISING[None])
    with pytest.raises(ValueError, match="human map 0 holds NaN"):
        evaluate("sim", RISING[None] * np.nan, RISING[None])


@pytest.mark.parametrize("name", MEASURES)
def test_maps_of_different_size_are_refused(name):
    with pytest.raises(ValueError, match="expected two"):
        MEASURES[name](RISING, RISING[:-1])
    with pytest.raises(ValueError, match="expected two"):
        MEASURES[name](RISING.reshape(1, 4, 5), RISING.reshape(1, 4, 5))
