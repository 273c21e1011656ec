import numpy as np
import prepare_digits
import pytest
from human_alignment.common.cli import UserError
from human_alignment.data import digits
from human_alignment.data.data_file import DataFile
from human_alignment.data.decoding import decode


def prepare(folder, seed=0, train=12, test=6):
    paths = folder / f"{seed}-{test}.h5", folder / f"{seed}-{test}.train.h5"
    prepare_digits.main(
        ["--output", str(paths[0]), "--train-output", str(paths[1]), "--seed", str(seed)]
        + ["--train-images", str(train), "--test-images", str(test)]
    )
    return DataFile(paths[0]), DataFile(paths[1])


def test_files_hold_what_the_study_needs(tmp_path):
    test, train = prepare(tmp_path)
    assert (len(test), len(train)) == (6, 12)
    assert test.image_ids[0] == "test-000000"
    assert decode(test.images(0, 1)[0]).shape == (64, 64, 3)
    assert test.human_maps(0, 6).shape == (6, 64, 64)
    assert "simulated" in test.description
    with pytest.raises(UserError, match="training file"):
        train.human_maps(0, 1)


def test_train_and_test_share_no_digit_and_no_photograph():
    train, test = digits.material("train"), digits.material("test")
    assert len(train.digits) == 1350
    assert len(train.digits) + len(test.digits) == 1797
    for left, right in zip(train.photographs, test.photographs, strict=True):
        assert left.shape[1] + right.shape[1] == 640
        assert not np.array_equal(left[:, -right.shape[1] :], right)


def test_same_seed_same_bytes_and_other_seed_others(tmp_path):
    first, again, other = tmp_path / "a", tmp_path / "b", tmp_path / "c"
    digest = [prepare(folder)[0].digest for folder in (first, again)]
    assert digest[0] == digest[1]
    assert prepare(other, seed=1)[0].digest != digest[0]


def test_the_number_of_processes_changes_no_byte(tmp_path):
    files = []
    for threads in ("1", "2"):
        files.append([tmp_path / f"{name}{threads}.h5" for name in ("test", "train")])
        test, train = map(str, files[-1])
        counts = ["--train-images", "120", "--test-images", "3", "--threads", threads]
        prepare_digits.main(["--output", test, "--train-output", train, *counts])
    for one, other in zip(*files, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_an_image_does_not_depend_on_how_many_are_made(tmp_path):
    few, many = prepare(tmp_path, test=3)[0], prepare(tmp_path, test=6)[0]
    assert few.images(0, 3) == many.images(0, 3)
    np.testing.assert_array_equal(few.human_maps(0, 3), many.human_maps(0, 3))


@pytest.mark.parametrize("index", range(20))
def test_digit_box_and_human_map_belong_together(index):
    sample = digits.compose(digits.material("test"), "test", index, seed=0)
    left, top, right, bottom = sample.box
    assert 0 <= left < right <= 64 and 0 <= top < bottom <= 64
    assert 22 <= right - left <= 32
    outside = sample.ink.copy()
    outside[top:bottom, left:right] = 0
    assert outside.max() == 0 and sample.ink.max() > 0.9
    painted = digits.click_map(sample.ink, index, seed=0)
    near = np.zeros_like(painted, bool)
    near[max(top - 5, 0) : bottom + 5, max(left - 5, 0) : right + 5] = True
    assert painted.max() > 0 and painted[~near].max(initial=0) == 0
    assert painted[sample.ink > 0.5].mean() > 3 * painted[sample.ink == 0].mean()


def test_digit_is_lighter_than_what_is_around_it():
    material = digits.material("train")
    differences = []
    for index in range(50):
        sample = digits.compose(material, "train", index, seed=0)
        luminance = sample.image @ np.array([0.299, 0.587, 0.114]) / 255
        left, top, right, bottom = sample.box
        inside = np.zeros((64, 64), bool)
        inside[top:bottom, left:right] = True
        ink = luminance[sample.ink > 0.9].mean()
        differences.append(ink - luminance[inside & (sample.ink < 0.1)].mean())
    assert min(differences) > 0.2 and np.mean(differences) > 0.35


def test_classes_are_about_equally_frequent():
    material = digits.material("train")
    labels = [digits.compose(material, "train", i, seed=0).label for i in range(300)]
    assert np.bincount(labels, minlength=10).min() >= 12


@pytest.mark.parametrize(
    "flag, value, message",
    [
        ("--seed", "-1", "--seed: -1 is negative"),
        ("--test-images", "0", "--test-images must be at least 1"),
        ("--train-images", "-5", "--train-images must be at least 1"),
    ],
)
def test_bad_arguments_are_reported(tmp_path, flag, value, message):
    out = ["--output", str(tmp_path / "a.h5"), "--train-output", str(tmp_path / "b.h5")]
    with pytest.raises(UserError, match=message):
        prepare_digits.main([*out, flag, value])
    assert list(tmp_path.iterdir()) == []
