"""Pictures of any kind: how they are read, cut and made smaller."""

import io

import numpy as np
import pytest
from human_alignment.data.pictures import central_square, read_picture, shrunk, square_png
from PIL import Image


@pytest.mark.parametrize("tag", range(1, 9))
def test_pictures_stand_upright_as_their_exif_tag_says(tag, gradient, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = tag
    turned = {
        1: gradient,
        2: gradient[:, ::-1],
        3: gradient[::-1, ::-1],
        4: gradient[::-1],
        5: gradient.swapaxes(0, 1),
        6: np.rot90(gradient),
        7: np.rot90(gradient.swapaxes(0, 1), 2),
        8: np.rot90(gradient, -1),
    }[tag]
    Image.fromarray(np.ascontiguousarray(turned)).save(tmp_path / "p.png", exif=exif)
    np.testing.assert_array_equal(read_picture(tmp_path / "p.png"), gradient)


def test_what_is_transparent_lies_on_white_and_deep_grey_keeps_its_range(tmp_path):
    layers = np.zeros((2, 2, 4), np.uint8)
    layers[0, 0] = (10, 20, 30, 255)
    Image.fromarray(layers).save(tmp_path / "p.png")
    assert read_picture(tmp_path / "p.png").tolist()[0] == [[10, 20, 30], [255, 255, 255]]
    deep = np.array([[0, 32768], [65535, 257]], np.uint16)
    Image.fromarray(deep).save(tmp_path / "d.png")
    assert read_picture(tmp_path / "d.png")[..., 0].tolist() == [[0, 128], [255, 1]]
    Image.fromarray(np.array([[0.0, 0.5]], np.float32)).save(tmp_path / "f.tif")
    assert read_picture(tmp_path / "f.tif")[..., 1].tolist() == [[0, 255]]


def test_the_central_square_is_the_middle(gradient):
    np.testing.assert_array_equal(central_square(gradient), gradient[:, 20:60])
    tall = gradient.swapaxes(0, 1)
    np.testing.assert_array_equal(central_square(tall), tall[20:60])


def test_a_square_png_has_the_size_asked_for(gradient):
    with Image.open(io.BytesIO(square_png(gradient, 10))) as picture:
        assert (picture.format, picture.size) == ("PNG", (10, 10))
        values = np.asarray(picture)
    assert (np.diff(values[0, :, 0].astype(int)) > 0).all()  # red still grows to the right
    assert 64 <= values[0, 0, 0] < values[0, -1, 0] <= 192  # and the outer quarters are cut off


def test_only_large_pictures_are_shrunk(gradient):
    assert shrunk(gradient, 20).shape == (10, 20, 3)
    np.testing.assert_array_equal(shrunk(gradient, 100), gradient)
