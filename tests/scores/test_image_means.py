"""Values of records averaged to values of images."""

import numpy as np
from human_alignment.scores.image_means import image_means


def test_records_of_one_image_are_averaged():
    found = image_means([0.1, 0.4, 0.2, 0.6], np.array([0, 1, 0, 3]))
    np.testing.assert_allclose(found, [0.15, 0.4, 0.6], rtol=0, atol=1e-15)


def test_what_is_undefined_enters_no_mean():
    values = [[np.nan, 0.4, 0.2], [np.nan, 0.4, np.nan]]
    found = image_means(values, np.array([0, 1, 0]))
    np.testing.assert_array_equal(found, [[0.2, 0.4], [np.nan, 0.4]])


def test_images_that_do_not_repeat_keep_their_values():
    values = np.random.default_rng(0).normal(size=(2, 50))
    np.testing.assert_array_equal(image_means(values, np.arange(50)), values)


def test_against_brute_force():
    random = np.random.default_rng(1)
    groups, values = random.integers(0, 20, 100), random.normal(size=(3, 100))
    values[random.random(values.shape) < 0.3] = np.nan
    for row, found in zip(values, image_means(values, groups), strict=True):
        for name, mean in zip(np.unique(groups), found, strict=True):
            own = row[groups == name]
            own = own[~np.isnan(own)]
            np.testing.assert_allclose(mean, own.mean() if len(own) else np.nan, atol=1e-14)
