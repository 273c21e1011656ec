"""Strata of images: arrays in, numbers out, against brute force and scipy."""

import numpy as np
import pytest
from human_alignment.data.classes import IMAGENET_CLASSES, SUPERCLASSES, class_names, superclasses
from human_alignment.scores.bootstrap import bootstrap_interval
from human_alignment.scores.strata import (
    UNPLACED,
    Ranked,
    against_others,
    holm_of_known,
    majority,
    map_shapes,
    stratum_means,
    terciles,
)
from scipy import stats


def test_superclasses_end_where_the_names_say():
    names, place = class_names(IMAGENET_CLASSES), superclasses(IMAGENET_CLASSES)
    groups = dict(zip(names, (SUPERCLASSES[one] for one in place), strict=True))
    assert groups["Chihuahua (151)"] == groups["Mexican hairless (268)"] == "dogs"
    for name in ("tench (0)", "sea lion (150)", "timber wolf (269)", "puffer (397)"):
        assert groups[name] == "other animals"
    assert groups["abacus (398)"] == groups["toilet tissue (999)"] == "everything else"
    assert np.bincount(place).tolist() == [118, 280, 602]
    assert superclasses(10) is None


def test_area_and_distance_of_known_maps():
    maps = np.zeros((4, 4, 8), np.float32)
    maps[0, :2] = 1.0  # the upper half
    maps[0, 2:] = 0.5  # half the maximum is not above it
    maps[1, :, 7] = 3.0  # the last column
    maps[2] = 2.0
    area, distance = map_shapes(maps)
    np.testing.assert_allclose(area, [0.5, 0.125, 1, 0])
    np.testing.assert_allclose(distance[:3], [1 / 6, 7 / 8, 0], atol=1e-15)
    assert np.isnan(distance[3])


def test_the_majority_of_an_images_labels_counts_and_the_lowest_of_several():
    groups = np.array([7, 2, 7, 2, 7, 9])
    assert majority([4, 3, 1, 0, 4, 5], groups).tolist() == [0, 4, 5]


def test_terciles_name_their_ends_and_ties_go_down():
    found = terciles("size", np.array([3.0, 1, 2, np.nan, 2, 9, 8]), ("small", "medium", "large"))
    ends = np.quantile([1, 2, 2, 3, 8, 9], [1 / 3, 2 / 3])
    assert found.strata == ("small (up to 2)", f"medium (up to {ends[1]:.2g})", "large")
    assert found.of_image.tolist() == [1, 0, 0, UNPLACED, 0, 2, 2]
    alike = terciles("size", np.ones(5), ("small", "medium", "large"))
    assert set(alike.of_image) == {0}


@pytest.fixture
def drawn():
    """Rows of values with gaps, and strata of uneven sizes, the last of which is empty."""
    random = np.random.default_rng(2)
    values = random.normal(size=(3, 400))
    values[random.random(values.shape) < 0.1] = np.nan
    of_image = random.choice(5, 400, p=[0.55, 0.4, 0.03, 0.01, 0.01])
    of_image[of_image == 4] = UNPLACED
    return values, of_image


def test_means_and_intervals_against_brute_force(drawn):
    values, of_image = drawn
    found = stratum_means(values, of_image, 5, resamples=200, seed=3)
    for row, own in enumerate(values):
        for stratum in range(5):
            part = own[(of_image == stratum) & ~np.isnan(own)]
            assert found.n[row, stratum] == len(part)
            if len(part) < 2:
                assert np.isnan(found.low[row, stratum]) and np.isnan(found.high[row, stratum])
            else:
                ends = bootstrap_interval(part, resamples=200, seed=3)
                got = found.low[row, stratum], found.high[row, stratum]
                np.testing.assert_allclose(got, ends, rtol=0, atol=1e-14)
            known = part.mean() if len(part) else np.nan
            np.testing.assert_allclose(found.mean[row, stratum], known, rtol=0, atol=1e-14)
    assert np.isnan(found.mean[:, 4]).all()


@pytest.mark.parametrize("ties", [False, True])
def test_differences_and_p_values_are_scipys(drawn, ties):
    values, of_image = drawn
    values = np.round(values[0], 1) if ties else values[0]
    difference, p_value = against_others(Ranked.of(values), of_image, 5)
    known = (of_image != UNPLACED) & ~np.isnan(values)
    for stratum in range(4):
        own = values[known & (of_image == stratum)]
        others = values[known & (of_image != stratum)]
        expected = stats.mannwhitneyu(own, others).pvalue
        np.testing.assert_allclose(p_value[stratum], expected, rtol=1e-9)
        np.testing.assert_allclose(difference[stratum], own.mean() - others.mean(), atol=1e-13)
    assert np.isnan(difference[4]) and np.isnan(p_value[4])


def test_a_stratum_with_all_images_has_no_others():
    difference, p_value = against_others(Ranked.of([0.1, 0.2]), np.zeros(2, int), 3)
    assert np.isnan(difference).all() and np.isnan(p_value).all()
    difference, p_value = against_others(Ranked.of([0.5, 0.5, 0.5]), np.array([0, 0, 1]), 2)
    assert difference.tolist() == [0, 0] and p_value.tolist() == [1, 1]
    for nothing in (np.full(2, np.nan), np.zeros(0)):
        found = against_others(Ranked.of(nothing), np.zeros(len(nothing), int), 2)
        assert np.isnan(found).all()


def test_unknown_p_values_correct_no_others():
    found = holm_of_known([0.01, np.nan, 0.04])
    np.testing.assert_allclose(found, [0.02, np.nan, 0.04])
    assert np.isnan(holm_of_known([np.nan])).all()
