import numpy as np
import pytest
from human_alignment.scores import references
from scipy import stats


@pytest.fixture(scope="module")
def records():
    """Thirty records of twenty images in three classes; class 2 has one image."""
    random = np.random.default_rng(0)
    groups = np.array([*range(20), *random.integers(0, 19, 10)])
    labels = np.where(groups == 19, 2, groups % 2)
    return groups, labels, random.random((30, 6, 8))


def test_means_of_other_images_equal_brute_force(records):
    groups, labels, maps = records
    total = references.MapSums()
    for start in range(0, 30, 7):
        total.add(labels[start : start + 7], maps[start : start + 7])
    for row in range(30):
        own = references.MapSums()
        own.add(labels[groups == groups[row]], maps[groups == groups[row]])
        apart = groups != groups[row]
        others = total.mean_without(own)
        np.testing.assert_allclose(others, maps[apart].mean(axis=0), rtol=0, atol=1e-12)
        alike = apart & (labels == labels[row])
        of_class = total.mean_without(own, int(labels[row]))
        if alike.any():
            np.testing.assert_allclose(of_class, maps[alike].mean(axis=0), rtol=0, atol=1e-12)
        else:
            assert labels[row] == 2 and of_class is None


def test_the_width_of_the_gaussian_changes_no_rank_but_its_ratio_does():
    ranks = [stats.rankdata(references.centre(32, ratio)) for ratio in (1, 1, 2)]
    wide = stats.rankdata(references.centre(32, 1) ** 4)  # half as wide
    np.testing.assert_array_equal(ranks[0], wide)
    assert not np.array_equal(ranks[0], ranks[2])
    middle = references.centre(32, 2)
    assert middle[16, 4] > middle[4, 16]  # it falls off more slowly along the rows
    np.testing.assert_array_equal(middle, middle[::-1, ::-1])


def test_edges_and_contrast_are_where_the_image_changes():
    image = np.zeros((28, 28, 3), np.uint8)
    image[:, 14:] = 200
    edges, contrast = references.edge_strength(image), references.local_contrast(image)
    assert set(np.flatnonzero(edges[5])) == {13, 14}
    assert contrast[5].argmax() in (13, 14) and contrast[5, 0] == 0
    assert references.luminance(np.full((2, 2, 3), 255)).tolist() == [[255, 255]] * 2


def test_an_image_of_one_colour_has_no_contrast_anywhere():
    """Rounding of the sums over windows would leave noise there, which ranks like any map."""
    image = np.full((224, 224, 3), (201, 73, 154), np.uint8)
    assert not references.local_contrast(image).any()
    image[100, 100, 2] += 1  # the least that one pixel can differ
    assert references.local_contrast(image)[100, 100] > 0


@pytest.mark.parametrize("most", [20, 3, 2])
def test_another_image_is_never_the_same(most):
    groups = np.random.default_rng(1).integers(0, most, 60)
    drawn = references.other_image(groups, 0)
    assert (groups[drawn] != groups).all()
    assert (drawn == references.other_image(groups, 0)).all()


def test_each_image_is_drawn_once_where_none_repeats():
    drawn = references.other_image(np.arange(50), 3)
    assert sorted(drawn) == list(range(50)) and (drawn != np.arange(50)).all()


def test_nearly_all_records_of_one_image():
    groups = np.array([0] * 30 + [1, 2])
    assert (groups[references.other_image(groups, 0)] != groups).all()
    with pytest.raises(ValueError, match="no other"):
        references.other_image(np.zeros(4, int), 0)
