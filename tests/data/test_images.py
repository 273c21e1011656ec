import io

import numpy as np
import pytest
import torch
from human_alignment.common.cli import UserError
from human_alignment.data.decoding import decode
from human_alignment.data.images import network_input, network_pixels, presented
from human_alignment.data.resize import resize_bilinear
from human_alignment.data.tfrecords import features, read_records
from human_alignment.networks import zoo
from PIL import Image


@pytest.mark.parametrize("size", [(64, 64), (224, 224), (9, 30), (7, 5)])
def test_resize_equals_torch_without_antialias(size):
    maps = np.random.default_rng(0).random((3, 12, 17), np.float32)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(maps)[:, None], size, mode="bilinear"
    )
    np.testing.assert_allclose(resize_bilinear(maps, *size), expected[:, 0], atol=1e-6)


def test_flat_zones_stay_exactly_flat():
    maps = np.full((1, 7, 7), np.float32(0.3))
    maps[0, 0, 0] = 1
    large = resize_bilinear(maps, 224, 224)
    assert np.unique(large[0, 64:, 64:]).tolist() == [np.float32(0.3)]


def test_one_pixel_spreads_over_the_whole():
    assert resize_bilinear(np.full((1, 1), 2.0), 3, 4).tolist() == [[2.0] * 4] * 3


@pytest.mark.parametrize(
    "family, model",
    [
        ("resnet50", "resnet50"),
        ("convnext", "convnext_base"),
        ("metaformer", "convformer_s18"),
        ("fastvit", "fastvit_sa36"),
    ],
)
def test_inputs_are_the_released_codes_pixel_by_pixel(data_dir, family, model):
    expected = np.load(data_dir / "clickme" / "preprocess.npz")[f"{family}_uint8"]
    records = list(read_records(data_dir / "clickme" / "mini.tfrecords"))
    transform = zoo.find(model).transform
    for row, number in enumerate((0, 3)):
        shown = presented(features(records[number])["image"], 224, "it")
        np.testing.assert_array_equal(network_pixels(shown, transform, "crop"), expected[row])


def test_full_geometry_shows_the_whole_image():
    image = np.zeros((224, 224, 3), np.uint8)
    image[:8] = 255  # a rim that the centre crop of ConvNeXt cuts off
    transform = zoo.find("convnext_tiny").transform
    assert network_pixels(image, transform, "crop").max() == 0
    assert network_pixels(image, transform, "full")[:7].min() == 255


def test_input_is_normalised():
    image = np.full((64, 64, 3), 255, np.uint8)
    values = network_input(image, zoo.find("micro_resnet50").transform, "crop")
    assert values.shape == (3, 64, 64) and values.dtype == np.float32
    np.testing.assert_allclose(values[0], (1 - 0.485) / 0.229, rtol=1e-6)


def test_png_and_gray_images_are_decoded_to_three_channels():
    stream = io.BytesIO()
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(stream, "PNG")
    assert decode(stream.getvalue()).shape == (8, 8, 3)


@pytest.mark.parametrize("content", [b"", b"\xff\xd8nothing", b"<html>", b"\x89PNG broken"])
def test_bytes_that_are_no_image_are_reported(content):
    with pytest.raises(UserError, match="cannot be decoded"):
        decode(content)


def test_a_broken_png_is_reported():
    stream = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(stream, "PNG")
    broken = stream.getvalue().replace(b"IDAT", b"\xff\xff\xff\xff")
    with pytest.raises(UserError, match="cannot be decoded"):
        decode(broken)
