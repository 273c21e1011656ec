"""Pictures and human maps of one's own, from folders to a data file."""

import h5py
import numpy as np
import pandas as pd
import prepare_folder
import pytest
from human_alignment.common.cli import UserError
from human_alignment.data.classes import class_name, class_names
from human_alignment.data.data_file import UNKNOWN, DataFile
from human_alignment.data.images import present
from human_alignment.data.pictures import read_picture
from human_alignment.data.resize import resize_bilinear, resize_map
from PIL import Image
from scipy.ndimage import gaussian_filter

HEIGHT, WIDTH = 40, 60  # of the pictures
SHAPE = (20, 30)  # of their maps
IDS = ("a", "b", "deep/c")


def pixels(number, height=HEIGHT, width=WIDTH):
    random = np.random.default_rng(number)
    small = Image.fromarray(random.integers(0, 256, (5, 5, 3), dtype=np.uint8))
    return np.asarray(small.resize((width, height)))


def human(number, shape=SHAPE):
    return np.random.default_rng(100 + number).integers(0, 200, shape).astype(np.float32)


def saved(path, values, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, values)
    elif path.suffix == ".npz":
        np.savez_compressed(path, values)
    else:
        Image.fromarray(values).save(path, **more)


@pytest.fixture
def folder(tmp_path):
    """Three pictures, one in a sub-folder, and their maps as .npy files."""
    for number, (image_id, ending) in enumerate(zip(IDS, (".png", ".jpg", ".PNG"), strict=True)):
        saved(tmp_path / "images" / f"{image_id}{ending}", pixels(number))
        saved(tmp_path / "maps" / f"{image_id}.npy", human(number))
    return tmp_path


def flags(folder, *more, source=("--maps", "maps")):
    given = ["--images", str(folder / "images"), source[0], str(folder / source[1])]
    return [*given, "--output", str(folder / "d.h5"), *map(str, more)]


def prepared(folder, *more, **source):
    prepare_folder.main(flags(folder, *more, **source))
    return DataFile(folder / "d.h5")


def refused(folder, *more, **source):
    with pytest.raises(UserError) as error:
        prepare_folder.main(flags(folder, *more, **source))
    assert not (folder / "d.h5").exists()
    return str(error.value)


# Pictures and how maps are laid on them


def test_pictures_are_squeezed_with_their_maps(folder):
    with prepared(folder, "--image-size", 50, "--map-size", 10) as data:
        assert data.image_ids == list(IDS)
        assert (data.image_size, data.num_classes, data.class_names) == (50, 1000, None)
        assert (data.labels == UNKNOWN).all() and data.human_ceiling is None
        assert present(data, 0).shape == (50, 50, 3)
        whole = Image.fromarray(pixels(0)).resize((50, 50), Image.Resampling.BICUBIC)
        np.testing.assert_array_equal(present(data, 0), np.asarray(whole))
        expected = human(0).reshape(10, 2, 10, 3).mean((1, 3))  # areas of 2 x 3 pixels
        np.testing.assert_allclose(data.human_maps(0, 1)[0], expected, rtol=1e-6)


def test_the_centre_is_cut_out_of_both(folder):
    with prepared(folder, "--crop", "--image-size", 40, "--map-size", 20) as data:
        np.testing.assert_array_equal(present(data, 0), pixels(0)[:, 10:50])
        np.testing.assert_array_equal(data.human_maps(0, 1)[0], human(0)[:, 5:25])


def test_a_square_of_the_right_size_stays_as_it_is(folder):
    saved(folder / "images/a.png", pixels(0, 24, 24))
    saved(folder / "maps/a.npy", human(0, (16, 16)))
    with prepared(folder, "--image-size", 24, "--map-size", 16) as data:
        np.testing.assert_array_equal(present(data, 0), pixels(0, 24, 24))
        np.testing.assert_array_equal(data.human_maps(0, 1)[0], human(0, (16, 16)))


@pytest.mark.parametrize("shape", [(7, 9), (64, 100), (31, 64)])
def test_areas_keep_the_mean_and_small_maps_are_interpolated(shape):
    one = human(0, shape)
    found = resize_map(one, 64, 64)
    assert found.shape == (64, 64) and found.dtype == np.float32
    if shape == (7, 9):
        np.testing.assert_array_equal(found, resize_bilinear(one, 64, 64))
    if shape == (64, 100):
        assert found.mean() == pytest.approx(one.mean(), rel=1e-6)
        # Each of 64 values covers 100 / 64 pixels: the first the whole of one and 9/16 of the next.
        np.testing.assert_allclose(found[:, 0], (one[:, 0] + one[:, 1] * 9 / 16) / (25 / 16), 1e-6)
    assert (resize_map(np.ones(shape, np.float32), 64, 64) == 1).all()  # what is flat stays flat


def test_a_picture_is_upright_and_so_must_its_map_be(folder):
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    saved(folder / "images/a.png", pixels(0), exif=exif)
    message = refused(folder)
    assert "a.npy is 30 wide and 20 high, its picture 40 and 60" in message
    assert "their aspects differ by more than 2%" in message
    saved(folder / "maps/a.npy", human(0, (30, 20)))
    with prepared(folder, "--image-size", 60) as data:
        turned = Image.fromarray(read_picture(folder / "images/a.png")).resize((60, 60), 3)
        np.testing.assert_array_equal(present(data, 0), np.asarray(turned))


@pytest.mark.parametrize(("width", "fits"), [(100, True), (101, True), (103, False), (97, False)])
def test_aspects_may_differ_by_two_percent(folder, width, fits):
    saved(folder / "images/a.png", pixels(0, 50, 50))
    saved(folder / "maps/a.npy", human(0, (100, width)))
    if fits:
        prepared(folder).__exit__()
    else:
        assert f"a.npy is {width} wide and 100 high, its picture 50 and 50" in refused(folder)


def test_deep_and_transparent_pictures(folder):
    deep = np.full((HEIGHT, WIDTH), 32768, np.uint16)
    saved(folder / "images/a.png", deep)
    clear = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    (folder / "images/b.jpg").unlink()
    saved(folder / "images/b.tif", clear)
    with prepared(folder, "--image-size", 8) as data:
        assert set(present(data, 0).ravel()) == {128}
        assert set(present(data, 1).ravel()) == {255}


# Kinds of maps


def test_every_kind_of_map(tmp_path):
    one = human(0)
    kinds = {
        "bits": (".png", one > 100),
        "bytes": (".PNG", one.astype(np.uint8)),
        "deep": (".png", (one * 300).astype(np.uint16)),
        "long": (".tif", (one * 1e6).astype(np.int32)),
        "real": (".tiff", one / 7),
        "array": (".npy", one.astype(np.float64)),
        "zipped": (".npz", one.astype(np.int64)),
    }
    for name, (ending, values) in kinds.items():
        saved(tmp_path / "images" / f"{name}.png", pixels(0))
        saved(tmp_path / "maps" / f"{name}{ending}", values)
    with prepared(tmp_path, "--map-size", 10) as data:
        for name, (_, values) in kinds.items():
            expected = np.float32(values).reshape(10, 2, 10, 3).mean((1, 3))
            found = data.human_maps(data.index(name), data.index(name) + 1)[0]
            np.testing.assert_allclose(found, expected, rtol=1e-5, err_msg=name)


def test_maps_in_one_hdf5_file(folder):
    with h5py.File(folder / "m.h5", "w") as file:
        file["image_id"] = np.array([b"deep/c", b"a", b"b"])
        file["map"] = np.stack([human(2), human(0), human(1)])
    with prepared(folder, source=("--maps", "m.h5")) as data:
        found = data.human_maps(0, 3)
    with prepared(folder) as data:
        np.testing.assert_array_equal(data.human_maps(0, 3), found)


def test_a_blur_is_in_pixels_of_the_map(folder):
    saved(folder / "maps/a.npy", human(0, (40, 60)))
    with prepared(folder, "--map-size", 20, "--sigma", 1.5, "--crop") as data:
        blurred = gaussian_filter(human(1).astype(np.float64), 1.5, mode="constant")
        np.testing.assert_allclose(data.human_maps(1, 2)[0], blurred[:, 5:25], rtol=1e-6)
        wide = gaussian_filter(human(0, (40, 60)).astype(np.float64), 1.5, mode="constant")
        expected = wide[:, 10:50].reshape(20, 2, 20, 2).mean((1, 3))
        np.testing.assert_allclose(data.human_maps(0, 1)[0], expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (human(0) - 1, "a.npy holds -1; allowed: 0 or more, where more means more looked at"),
        (human(0) * np.nan, "a.npy holds NaN or an infinite value"),
        (human(0)[None], "a.npy has the shape (1, 20, 30)"),
        (np.full(SHAPE, "x"), "a.npy is of <U1; allowed: numbers"),
    ],
)
def test_a_map_that_cannot_be_used_is_named(folder, values, message):
    saved(folder / "maps/a.npy", values)
    assert message in refused(folder)


def test_files_that_cannot_be_read_are_named(folder):
    (folder / "images/b.jpg").write_bytes(b"\xff\xd8 and no more")
    assert "b.jpg cannot be read as a picture" in refused(folder)
    saved(folder / "images/b.jpg", pixels(1))
    (folder / "maps/b.npy").unlink()
    (folder / "maps/b.npz").write_bytes(b"PK and no more")
    assert "b.npz cannot be read" in refused(folder)
    np.savez(folder / "maps/b.npz", human(0), human(1))
    assert "b.npz holds 2 arrays; allowed: one" in refused(folder)
    np.savez_compressed(folder / "maps/b.npz", np.zeros((4200, 4200)))
    assert "b.npz is too large; allowed: sides of 4096" in refused(folder)
    np.save(folder / "b.npy", human(1))
    (folder / "b.npy").rename(folder / "maps/b.npz")  # another file under this ending
    assert "b.npz cannot be read" in refused(folder)
    (folder / "maps/b.npz").unlink()
    saved(folder / "maps/b.png", pixels(1))
    assert "b.png has the mode RGB and 1 pages; allowed: one page of one grey" in refused(folder)


# Several observers


def observed(folder):
    (folder / "maps/a.npy").unlink()
    for number, observer in enumerate(("ann", "bob")):
        saved(folder / "maps" / f"a__{observer}.npy", human(number))


def test_each_observer_gives_a_record_of_one_image(folder, capsys):
    observed(folder)
    with prepared(folder, "--map-size", 10) as data:
        assert data.image_ids == ["a__ann", "a__bob", "b", "deep/c"]
        assert data.groups.tolist() == [0, 0, 2, 3]
        expected = human(1).reshape(10, 2, 10, 3).mean((1, 3))
        np.testing.assert_allclose(data.human_maps(1, 2)[0], expected, rtol=1e-6)
    assert "4 records of 3 images, 1 of them in several records" in capsys.readouterr().err


def test_observers_are_averaged(folder):
    observed(folder)
    saved(folder / "maps/a__cleo.npy", human(2, (40, 60)))  # of another size
    with prepared(folder, "--map-size", 10, "--average") as data:
        assert data.image_ids == list(IDS)
        parts = [human(number).reshape(10, 2, 10, 3).mean((1, 3)) for number in (0, 1)]
        parts.append(human(2, (40, 60)).reshape(10, 4, 10, 6).mean((1, 3)))
        np.testing.assert_allclose(data.human_maps(0, 1)[0], np.mean(parts, axis=0), rtol=1e-6)


def test_a_name_that_is_a_pictures_own_is_no_observer(folder):
    saved(folder / "images/a__b.png", pixels(7))
    saved(folder / "maps/a__b.npy", human(7))
    saved(folder / "maps/a__b__ann.npy", human(8))
    with prepared(folder) as data:
        assert data.image_ids == ["a", "a__b", "a__b__ann", "b", "deep/c"]
        assert data.groups.tolist() == [0, 1, 1, 3, 4]


# Fixations


POINTS = pd.DataFrame(
    [("a.png", 20.0625, 10.5625), ("a", 50.0625, 30.0625), ("b", 0, 0), ("./deep/c.PNG", 60, 40)]
    + [("b", 70, 3)],
    columns=["file", "x", "y"],
)
OF_A = [(20.0625, 10.5625, 1), (50.0625, 30.0625, 1)]  # in the middle of pixels of a fine grid


def listed(folder, table=POINTS, name="f.csv"):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / name, index=False)
    return {"source": ("--fixations", "f.csv")}


def impulses(points, sigma, shape=(HEIGHT, WIDTH), fine=8):
    """Gaussians of points (x, y, weight) on a fine grid, as scipy blurs them."""
    grid = np.zeros([side * fine for side in shape])
    for x, y, weight in points:
        grid[int(y * fine), int(x * fine)] += weight
    return gaussian_filter(grid, sigma * fine, mode="constant", truncate=8)


def test_fixations_become_gaussians_of_the_picture(folder, capsys):
    with prepared(folder, "--sigma", 4, "--map-size", 20, **listed(folder)) as data:
        found = data.human_maps(0, 3)
    fine = impulses(OF_A, 4)
    expected = fine.reshape(20, 16, 20, 24).sum((1, 3))
    np.testing.assert_allclose(found[0], expected, rtol=1e-3, atol=1e-6)
    # A quarter of the distribution around a corner is inside; the other point of b is outside.
    assert found[1].sum() == pytest.approx(0.25, rel=1e-6)
    np.testing.assert_allclose(found[1], found[2][::-1, ::-1], rtol=1e-5)
    assert "1 fixations lay outside of their pictures" in capsys.readouterr().err


def test_the_far_sides_of_a_fixation_are_alike(folder):
    table = pd.DataFrame([(name, 30, 20) for name in "ab"], columns=["file", "x", "y"])
    with prepared(folder, "--sigma", 2, "--missing", "skip", **listed(folder, table)) as data:
        one = data.human_maps(0, 1)[0]
    np.testing.assert_array_equal(one, one[::-1])
    np.testing.assert_array_equal(one, one[:, ::-1])
    assert one[32, 55] > 0  # eleven standard deviations away


def test_weights_and_observers_of_fixations(folder):
    table = POINTS.assign(weight=[2, 0.5, 1, 1, 1], observer=["ann", "bob", "ann", "", ""])
    with prepared(folder, "--sigma", 2, **listed(folder, table)) as data:
        assert data.image_ids == ["a__ann", "a__bob", "b", "b__ann", "deep/c"]
        sums = data.human_maps(0, 2).sum((1, 2))
        np.testing.assert_allclose(sums, [2, 0.5], rtol=1e-4)
        assert not data.human_maps(2, 3).any()  # its only point is outside


def test_a_file_of_fixations_for_each_picture(folder):
    with prepared(folder, "--sigma", 3, **listed(folder)) as data:
        found = data.human_maps(0, 3)
    for number, image_id in enumerate(IDS):
        rows = [0, 1] if number == 0 else [2, 4] if number == 1 else [3]
        listed(folder, POINTS.loc[rows, ["x", "y"]], f"each/{image_id}.csv")
    with prepared(folder, "--sigma", 3, source=("--fixations", "each")) as data:
        assert data.image_ids == list(IDS)
        np.testing.assert_array_equal(data.human_maps(0, 3), found)


def test_fixations_of_the_centre(folder):
    with prepared(folder, "--sigma", 4, "--map-size", 20, "--crop", **listed(folder)) as data:
        found = data.human_maps(0, 1)[0]
    fine = impulses(OF_A, 4)[:, 80:400]
    expected = fine.reshape(20, 16, 20, 16).sum((1, 3))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,x\na,1\n", "lacks the column 'y'; it has 'file', 'x'; allowed: a CSV file (UTF-8"),
        ("file;x;y\na;1;2\n", "lacks the column 'file'; it has 'file;x;y'"),
        ("file,x,y\na,1,2\nb,left,2\n", "line 3: x is 'left'; allowed: a finite number"),
        ("file,x,y\na,1\n", "line 2: y is ''; allowed: a finite number"),
        ("file,x,y\na,1,inf\n", "line 2: y is 'inf'; allowed: a finite number"),
        ("file,x,y,weight\na,1,2,-1\n", "line 2: weight is '-1'; allowed: a finite number, 0 or"),
        ("file,x,y\n", "has no line below its names"),
        ("", "cannot be read (No columns to parse from file)"),
        ("file,x,y\n\xff,1,2\n", "cannot be read ('utf-8' codec"),
    ],
)
def test_bad_fixations_are_told(folder, text, message):
    (folder / "f.csv").write_bytes(text.encode("latin-1"))
    found = refused(folder, "--sigma", 4, source=("--fixations", "f.csv"))
    assert message in found and str(folder / "f.csv") in found


def test_fixations_need_a_sigma_and_a_path_that_exists(folder):
    assert "--sigma is missing" in refused(folder, **listed(folder))
    source = ("--fixations", "nothing.csv")
    assert "nothing.csv do not exist" in refused(folder, "--sigma", 4, source=source)


# Labels and classes


def labelled(folder, *labels):
    rows = zip(("a.png", "b", "deep/c.PNG"), labels, strict=True)
    pd.DataFrame(rows, columns=["file", "label"]).to_csv(folder / "l.csv", index=False)
    return "--labels", folder / "l.csv"


def test_labels_by_number_and_by_imagenets_names(folder):
    with prepared(folder, *labelled(folder, 7, "n01440764", 999)) as data:
        assert data.labels.tolist() == [7, 0, 999] and data.num_classes == 1000
    with prepared(folder, *labelled(folder, 7, 0, 9), "--num-classes", 10) as data:
        assert data.labels.tolist() == [7, 0, 9] and data.num_classes == 10


def test_labels_by_names_of_ones_own(folder):
    (folder / "classes.txt").write_text("sea gull\ncat\ndog\n", encoding="utf-8-sig")
    names = ["--class-names", folder / "classes.txt"]
    with prepared(folder, *labelled(folder, "dog", "sea gull", 1), *names) as data:
        assert data.labels.tolist() == [2, 0, 1]
        assert data.class_names == ["sea gull", "cat", "dog"] and data.num_classes == 3
        shown = class_names(data.num_classes, data.class_names)
    assert shown == ["sea gull (0)", "cat (1)", "dog (2)"]
    assert [class_name(shown, index) for index in (2, 5, UNKNOWN)] == [
        "dog (2)",
        "class 5",
        "no label",
    ]


def test_sub_folders_are_labels(folder):
    (folder / "classes.txt").write_text("cat\ndeep\n")
    names = ["--labels", "folders", "--class-names", folder / "classes.txt"]
    assert "without a label: 2, a, b\n" in refused(folder, *names)
    with prepared(folder, *names, "--missing", "skip") as data:
        assert data.image_ids == ["deep/c"] and data.labels.tolist() == [1]
        assert data.skipped == [{"record": one, "reason": "without a label"} for one in "ab"]


@pytest.mark.parametrize(
    ("labels", "names", "message"),
    [
        ((1, 2, 1000), None, "line 4: the label '1000' is no class; allowed: a class name, or a w"),
        ((1, -1, 0), None, "line 3: the label '-1' is no class"),
        (("1.0", 1, 0), None, "line 2: the label '1.0' is no class"),
        (("", 1, 0), None, "line 2: the label '' is no class"),
        (("cat", "dgo", "cat"), "cat\ndog", "line 3: the label 'dgo' is no class (did you mean 'd"),
        (("cat", "dog", 2), "cat\ndog", "line 4: the label '2' is no class; allowed: a class name"),
        (("cat", "dog", 1), "cat\ncat", "two classes have the name 'cat'"),
        (("cat", "dog", 1), "cat\n\ndog", "the name of class 1 is ''; allowed: text, not empty"),
        (("cat", "dog", 1), "", "it is empty"),
    ],
)
def test_labels_and_names_that_are_no_classes(folder, labels, names, message):
    more = []
    if names is not None:
        (folder / "classes.txt").write_text(names)
        more = ["--class-names", folder / "classes.txt"]
    assert message in refused(folder, *labelled(folder, *labels), *more)


def test_names_and_numbers_of_classes_that_disagree(folder):
    more = [*labelled(folder, "cat", 1, 2), "--num-classes", 10]
    message = refused(folder, *more)
    assert "allowed: a whole number from 0 to 9; for names give the class names" in message
    (folder / "classes.txt").write_text("cat\ndog\n")
    message = refused(folder, "--class-names", folder / "classes.txt", "--num-classes", 10)
    assert "there are 2 class names for 10 classes; give one each" in message


def test_a_picture_with_two_labels(folder):
    (folder / "l.csv").write_text("file,label\na,1\nb,2\na.png,2\n")
    assert "line 4: 'a.png' has another label above" in refused(
        folder, "--labels", folder / "l.csv"
    )


# What lacks its counterpart


def test_pictures_and_maps_without_each_other(folder, capsys):
    (folder / "maps/b.npy").unlink()
    saved(folder / "maps/else.npy", human(0))
    message = refused(folder)
    assert "without a map: 1, b\n" in message
    assert "map without a picture: 1, else\n" in message
    assert "<id>__<observer>; --missing skip leaves these out." in message
    with prepared(folder, "--missing", "skip") as data:
        assert data.image_ids == ["a", "deep/c"]
        assert [one["record"] for one in data.skipped] == ["b", "else"]
    assert "warning: without a map: 1, b\n" in capsys.readouterr().err


def test_nothing_that_fits(folder):
    for path in (folder / "maps").glob("*.npy"):
        path.rename(path.with_stem(f"map of {path.stem}"))
    (folder / "maps/deep/c.npy").unlink()
    message = refused(folder, "--missing", "skip")
    assert "without a map: 3, a, b, deep/c\n" in message
    assert "map without a picture: 2, map of a, map of b\n" in message


def test_folders_that_cannot_be_used(folder):
    assert "differ in their ending only" in with_file(folder, "images/a.jpg")
    saved(folder / "maps/a.png", human(0).astype(np.uint8))
    assert "are maps of one image" in refused(folder)
    assert "lie in each other" in refused(folder, source=("--maps", "images"))
    assert "lie in each other" in refused(folder, source=("--maps", "."))
    assert "nothing, does not exist" in refused(folder, source=("--maps", "nothing"))
    (folder / "images").rename(folder / "pictures")
    assert "images is not a folder" in refused(folder)
    (folder / "images").mkdir()
    assert "images holds no picture; its files may end in .avif, .bmp" in refused(folder)


def with_file(folder, name):
    saved(folder / name, pixels(0))
    message = refused(folder)
    (folder / name).unlink()
    return message


def test_hidden_files_are_left_out(folder):
    (folder / "images/._a.png").write_bytes(b"of another system")
    (folder / "maps/._a.npy").write_bytes(b"of another system")
    (folder / "maps/.thumbs").mkdir()
    saved(folder / "maps/.thumbs/a.npy", human(0))
    with prepared(folder) as data:
        assert data.image_ids == list(IDS)


def test_maps_that_are_zero_are_counted(folder, capsys):
    saved(folder / "maps/a.npy", np.zeros(SHAPE))
    prepared(folder).__exit__()
    assert "warning: 1 maps are zero everywhere" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--sigma", -1), "--sigma: -1; allowed: a number from 0 to 4096"),
        (("--sigma", "nan"), "--sigma: nan; allowed"),
        (("--map-size", 5000), "--map-size: 5000; allowed: 4096 pixels at most"),
        (("--image-size", 5000), "image_size is 5000; allowed: 4096 pixels at most"),
        (("--human-ceiling", 1.5), "the human ceiling 1.5 is not a number above 0 and at most 1"),
    ],
)
def test_numbers_out_of_range(folder, more, message):
    assert message in refused(folder, *more)


def test_a_human_ceiling_is_kept(folder):
    with prepared(folder, "--human-ceiling", 0.6) as data:
        assert data.human_ceiling == 0.6 and data.dataset == "folder"
