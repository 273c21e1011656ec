"""Figures 5 and 6, from a study's images and from a folder of pictures."""

import json
import shutil

import extract_heatmaps
import numpy as np
import plot_methods
import prepare_digits
import prepare_pictures
import pytest
import torch
from human_alignment.common.cli import UserError
from human_alignment.common.picture_files import find_pictures
from human_alignment.data.data_file import DataFile
from human_alignment.data.decoding import decode
from human_alignment.networks.weights import save_weights
from human_alignment.networks.zoo import build, find
from human_alignment.outcome.map_figures import even_steps
from human_alignment.scores.protocol import RELEASED
from PIL import Image

PROTOCOL = json.dumps(RELEASED.as_dict())


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Images, pictures, and heatmaps of both by an untrained network."""
    folder = tmp_path_factory.mktemp("study")
    prepare_digits.main(
        ["--output", str(folder / "d.h5"), "--train-output", str(folder / "t.h5")]
        + ["--train-images", "1", "--test-images", "12"]
    )
    torch.manual_seed(0)
    spec = find("micro_resnet50")
    save_weights(folder / "w.safetensors", build(spec), spec)
    (folder / "pictures").mkdir()
    for name, size in (("a.png", (90, 60)), ("b.JPG", (30, 80)), ("c.png", (64, 64))):
        Image.effect_noise(size, 90).save(folder / "pictures" / name)
    (folder / "pictures" / "notes.txt").write_text("no picture")
    files = map(str, find_pictures(folder / "pictures"))
    prepare_pictures.main(
        ["--study", str(folder / "d.h5"), "--output", str(folder / "p.h5"), *files]
    )
    extract(folder, "d", "m.h5")
    extract(folder, "p", "pm.h5", "--geometry", "full", "--target", "prediction")
    return folder


def extract(folder, data, output, *more):
    extract_heatmaps.main(
        ["--data", str(folder / f"{data}.h5"), "--weights", str(folder / "w.safetensors")]
        + ["--output", str(folder / output), *more]
    )


def draw(study, output, data="d", plain="m.h5", dcls="m.h5", *more):
    given = [["--plain", *([str(study / plain)] if plain else [])]]
    given += [["--dcls", *([str(study / dcls)] if dcls else [])]]
    plot_methods.main(
        ["--data", str(study / f"{data}.h5"), *sum(given, []), "--network", "resnet50"]
        + ["--protocol", PROTOCOL, "--output", str(output), *more]
    )
    # matplotlib notes each text of an SVG file beside its outlines, a line each
    return " ".join(output.read_text().split())


def test_both_methods_of_both_networks_on_ten_images(study, tmp_path):
    text = draw(study, tmp_path / "f.svg")
    assert text.count("<image") == 50
    assert text.count("<!-- without DCLS") == text.count("<!-- with DCLS") == 2
    assert text.count("Threshold-") == 2
    assert "at even steps over the 12 images of digits" in text
    with DataFile(study / "d.h5") as data:
        shown = even_steps(len(data), 10)
        assert (shown[0], shown[-1], len(shown)) == (0, 11, 10)
        labels = [data.labels[i] for i in shown]
    assert all(text.count(f"<!-- class {k} -->") == 2 * labels.count(k) for k in range(10))


def test_images_of_given_ids(study, tmp_path):
    text = draw(study, tmp_path / "f.svg", "d", "m.h5", "m.h5", "--image-ids", "test-000004")
    with DataFile(study / "d.h5") as data:
        assert text.count(f"<!-- class {data.labels[4]} -->") == 2
    assert text.count("<image") == 5 and "even steps" not in text


def test_pictures_are_labelled_with_what_the_network_takes_them_for(study, tmp_path):
    with DataFile(study / "p.h5") as data:
        assert data.image_ids == ["a.png", "b.JPG", "c.png"]
        assert (data.image_size, data.num_classes, set(data.labels)) == (64, 10, {-1})
    text = draw(study, tmp_path / "f.svg", "p", "pm.h5", "pm.h5")
    assert text.count("<image") == 15
    assert text.count("<!-- class") == 6
    assert "even steps" not in text


def test_a_network_of_more_classes_than_the_data_is_labelled_by_numbers(study, tmp_path):
    folder = shutil.copytree(study, tmp_path / "s")
    spec = find("micro_resnet50").changed(num_classes=30)
    model = build(spec)
    with torch.no_grad():
        model.get_classifier().bias[25] = 50
    save_weights(folder / "w.safetensors", model, spec)
    extract(folder, "d", "more.h5", "--target", "prediction")
    assert draw(folder, tmp_path / "f.svg", "d", "more.h5", None).count("<!-- class 25 -->") == 10


@pytest.mark.parametrize(
    ("plain", "dcls", "sentence"),
    [
        ("m.h5", None, "No maps of this network with DCLS."),
        (None, "m.h5", "No maps of this network without DCLS."),
    ],
)
def test_a_missing_network_is_said_in_its_place(study, tmp_path, plain, dcls, sentence):
    text = draw(study, tmp_path / "f.svg", "d", plain, dcls)
    assert sentence in text
    assert text.count("<image") == 30


def test_a_missing_method_is_said_in_its_place(study, tmp_path):
    extract(study, "d", "one.h5", "--explainers", "threshold_grad_cam")
    text = draw(study, tmp_path / "f.svg", "d", "one.h5", None)
    assert "There are no Grad-CAM maps without DCLS." in text
    assert text.count("<image") == 20


@pytest.mark.parametrize(
    "explainers, title", [(["layer_cam", "grad_cam"], "Grad-CAM"), (["layer_cam"], "LayerCAM")]
)
def test_explainers_that_the_study_does_not_score_are_not_drawn(study, tmp_path, explainers, title):
    """The heatmap file holds all of them."""
    text = draw(study, tmp_path / "f.svg", "d", "m.h5", "m.h5", "--explainers", *explainers)
    assert text.count("<image") == 30
    assert {name for name in ("Grad-CAM", "LayerCAM", "Threshold-") if name in text} == {title}


def test_maps_of_other_images_are_refused(study, tmp_path):
    with pytest.raises(UserError, match="was not extracted from"):
        draw(study, tmp_path / "f.svg", "p")
    assert not list(tmp_path.iterdir())


def test_an_unreadable_picture_is_named_and_nothing_is_written(study, tmp_path):
    shutil.copytree(study / "pictures", tmp_path / "pictures")
    (tmp_path / "pictures" / "b.JPG").write_bytes(b"\xff\xd8 not really")
    files = map(str, find_pictures(tmp_path / "pictures"))
    flags = ["--study", str(study / "d.h5"), "--output", str(tmp_path / "p.h5")]
    with pytest.raises(UserError, match=r"b\.JPG cannot be read as a picture"):
        prepare_pictures.main([*flags, *files])
    assert not (tmp_path / "p.h5").exists()


def test_two_pictures_of_one_name_are_refused(study, tmp_path):
    for folder in ("one", "other"):
        shutil.copytree(study / "pictures", tmp_path / folder)
    files = [str(tmp_path / folder / "b.JPG") for folder in ("one", "other")]
    flags = ["--study", str(study / "d.h5"), "--output", str(tmp_path / "p.h5")]
    with pytest.raises(UserError, match=r"image id 'b\.JPG' stands twice"):
        prepare_pictures.main([*flags, *files])
    assert not (tmp_path / "p.h5").exists()


def test_a_folder_without_pictures_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(UserError, match="holds no picture"):
        find_pictures(tmp_path)
    with pytest.raises(UserError, match="is not a folder"):
        find_pictures(tmp_path / "nowhere")


def test_a_picture_of_the_studys_size_is_taken_as_it_is(study):
    with DataFile(study / "p.h5") as data, Image.open(study / "pictures" / "c.png") as picture:
        np.testing.assert_array_equal(decode(data.images(2, 3)[0]), picture.convert("RGB"))
