"""Maps of other people's models: a folder or an HDF5 file, matched by image id."""

import h5py
import numpy as np
import pandas as pd
import pytest
import repeated_study
import score_references
from human_alignment.common.cli import UserError
from human_alignment.data.data_file import DataFile
from human_alignment.data.outside_maps import OutsideMaps
from human_alignment.data.resize import resize_bilinear
from PIL import Image
from scipy import stats

IDS = ["r0", "r1", "folder/one.JPEG", "r3"]
MAP = np.arange(20, dtype=np.float32).reshape(4, 5)


def opened(path, ids=IDS):
    return OutsideMaps("mine", path, ids)


def saved(folder, image_id, suffix, values):
    path = folder / f"{image_id}{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def test_a_folder_of_every_kind_of_file(tmp_path):
    saved(tmp_path, "r0", ".png", MAP.astype(np.uint8))
    saved(tmp_path, "r1", ".png", MAP.astype(np.uint16) * 3000)
    saved(tmp_path, "folder/one.JPEG", ".tif", MAP / 7)
    np.save(tmp_path / "r3.npy", MAP.astype(np.float64) - 9)
    np.save(tmp_path / "unknown.npy", MAP)
    (tmp_path / "README.txt").write_text("no map")
    with opened(tmp_path) as maps:
        assert maps.unmatched == 1
        found = {image_id: maps.map(image_id) for image_id in IDS}
        assert maps.map("r4") is None
    expected = [MAP, MAP * 3000, MAP / 7, MAP - 9]
    for one, values in zip(found.values(), expected, strict=True):
        assert one.dtype == np.float32 and one.shape == (4, 5)
        np.testing.assert_array_equal(one, np.float32(values))


def write_hdf5(path, ids=(b"r1", b"other", b"r0"), maps=None, **more):
    maps = np.stack([MAP, MAP + 1, MAP + 2]) if maps is None else maps
    with h5py.File(path, "w") as file:
        file["image_id"] = np.array(ids)
        file.create_dataset("map", data=maps, **more)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_an_hdf5_file(tmp_path, kind):
    write_hdf5(tmp_path / "m.h5", maps=np.stack([MAP, MAP + 1, MAP + 2]).astype(kind))
    with opened(tmp_path / "m.h5") as maps:
        assert maps.unmatched == 1
        np.testing.assert_array_equal(maps.map("r0"), MAP + 2)
        np.testing.assert_array_equal(maps.map("r1"), MAP)
        assert maps.map("r3") is None


def bad(folder, values):
    np.save(folder / "r0.npy", values)
    return opened(folder)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (MAP[0], "r0.npy has the shape (5,); allowed: (height, width)"),
        (MAP[None], "has the shape (1, 4, 5)"),
        (MAP[:0], "has the shape (0, 5); allowed: (height, width), sides of 1 to 4096"),
        (np.zeros((1, 4097), np.uint8), "has the shape (1, 4097)"),
        (MAP * np.nan, "holds NaN or an infinite value"),
        (np.float64(MAP) * 1e300, "holds NaN or an infinite value"),
        (MAP * 1j, "is of complex64; allowed: numbers"),
        (np.full((2, 2), "a"), "is of <U1; allowed: numbers"),
        (np.full((2, 2), None), "cannot be read"),
    ],
)
def test_a_bad_map_is_named(tmp_path, values, message):
    with bad(tmp_path, values) as maps, pytest.raises(UserError) as error:
        maps.map("r0")
    assert message in str(error.value) and "r0.npy" in str(error.value)


def test_a_picture_in_colour_a_broken_one_and_two_of_one_image_are_named(tmp_path):
    saved(tmp_path, "r0", ".png", np.zeros((4, 4, 3), np.uint8))
    (tmp_path / "r1.png").write_bytes(b"\x89PNG and no more")
    with opened(tmp_path) as maps:
        with pytest.raises(UserError, match="r0.png has the mode RGB and 1 pages; allowed: one"):
            maps.map("r0")
        with pytest.raises(UserError, match="r1.png cannot be read"):
            maps.map("r1")
    np.save(tmp_path / "r1.npy", MAP)
    with pytest.raises(UserError, match="r1.npy and .*r1.png are maps of one image"):
        opened(tmp_path)


def test_paths_that_hold_no_maps_are_named(tmp_path):
    with pytest.raises(UserError, match="none of an image of the data file, such as 'r0'"):
        opened(tmp_path)
    np.save(tmp_path / "other.npy", MAP)
    with pytest.raises(UserError, match="holds 1 maps, such as 'other', but none"):
        opened(tmp_path)
    (tmp_path / "m.csv").write_text("a,b")
    with pytest.raises(UserError, match="m.csv, is of an unknown format; allowed: a folder of"):
        opened(tmp_path / "m.csv")
    with pytest.raises(UserError, match="does not exist"):
        opened(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"maps": MAP}, "map is float32 (4, 5); allowed"),
        ({"maps": np.zeros((3, 4, 5), np.int32)}, "map is int32 (3, 4, 5)"),
        ({"maps": np.zeros((2, 4, 5), np.float32)}, "map is float32 (2, 4, 5)"),
        ({"ids": (b"r0", b"r1", b"r0")}, "holds two maps of image 'r0'"),
        ({"ids": (1, 2, 3)}, "image_id is int64 (3,)"),
        ({"ids": (b"\xff", b"r1", b"r0")}, "cannot be read"),
        ({"ids": (b"x", b"y", b"z")}, "holds 3 maps, such as 'x', but none"),
    ],
)
def test_a_bad_hdf5_file_is_told(tmp_path, more, message):
    write_hdf5(tmp_path / "m.h5", **more)
    with pytest.raises(UserError) as error:
        opened(tmp_path / "m.h5")
    assert message in str(error.value) and str(tmp_path / "m.h5") in str(error.value)


def test_an_hdf5_file_that_lacks_a_dataset_or_is_cut_is_told(tmp_path):
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file["map"] = np.zeros((2, 3, 3), np.float32)
    with pytest.raises(UserError, match="image_id is missing"):
        opened(tmp_path / "m.h5")
    write_hdf5(tmp_path / "m.h5")
    content = (tmp_path / "m.h5").read_bytes()
    (tmp_path / "m.h5").write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match="cannot be read"):
        opened(tmp_path / "m.h5")


def test_maps_are_scored_and_missing_ones_counted(tmp_path, capsys):
    random = np.random.default_rng(0)
    human = repeated_study.smooth(random, 5, 16)
    data = repeated_study.write(tmp_path / "d.h5", [*range(5)], [0, 1, 0, 1, 0], human)
    (tmp_path / "maps").mkdir()
    theirs = repeated_study.smooth(random, 5, 20)
    for place in (0, 1, 3):
        np.save(tmp_path / "maps" / f"r{place}.npy", theirs[place])
    np.save(tmp_path / "maps" / "elsewhere.npy", MAP)
    write_hdf5(tmp_path / "m.h5", [b"r2"], theirs[2:3])
    score_references.main(
        ["--data", str(data), "--output", str(tmp_path / "r.csv")]
        + ["--summary", str(tmp_path / "r.json")]
        + ["--maps", f"folder={tmp_path / 'maps'}", f"file={tmp_path / 'm.h5'}"]
    )
    assert "1 maps in " in (log := capsys.readouterr().err) and "of no image of" in log
    table = pd.read_csv(tmp_path / "r.csv").set_index("reference")
    assert list(table.loc[["folder", "file"], "n_images"]) == [3, 1]
    assert list(table.loc[["folder", "file"], "undefined"]) == [2, 4]
    with DataFile(data) as held:
        shown = resize_bilinear(held.human_maps(2, 3), 28, 28), resize_bilinear(theirs[2:3], 28, 28)
    expected = stats.spearmanr(*(one.reshape(-1) for one in shown)).statistic
    assert table.loc["file", "mean_rho"] == pytest.approx(expected, abs=1e-12)
