"""Saliency and RISE maps of a sample of images: which images, resuming, what is refused."""

import extract_attributions
import h5py
import numpy as np
import prepare_digits
import pytest
import torch
from human_alignment.common.cli import UserError
from human_alignment.data.data_file import DataFile
from human_alignment.heatmaps import sampled_extraction
from human_alignment.heatmaps.attributions import ATTRIBUTIONS, Masking, saliency
from human_alignment.heatmaps.heatmap_file import HeatmapFile
from human_alignment.heatmaps.sampled_extraction import SampledExtraction
from human_alignment.networks import zoo
from human_alignment.networks.weights import save_weights

IMAGES = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Twelve digits and the weights of a random micro network."""
    folder = tmp_path_factory.mktemp("sampled")
    prepare_digits.main(
        ["--output", str(folder / "data.h5"), "--train-output", str(folder / "train.h5")]
        + ["--train-images", "1", "--test-images", str(IMAGES)]
    )
    network = zoo.find("micro_resnet50")
    torch.manual_seed(0)
    save_weights(folder / "weights.safetensors", zoo.build(network), network)
    return folder


def command(folder, output, *more, explainers=("saliency", "rise")):
    return [
        *("--data", str(folder / "data.h5"), "--weights", str(folder / "weights.safetensors")),
        *("--output", str(output), "--explainers", *explainers),
        *("--masks", "8", "--images", "5", *more),
    ]


def how(**more):
    return SampledExtraction(("saliency",), Masking(masks=8), **more)


def test_a_sample_has_each_row_at_most_once_and_follows_from_the_seed():
    rows = how(images=50, seed=3).sample(200)
    assert len(set(rows)) == 50 and rows.tolist() == sorted(rows) and 0 <= rows[0] <= rows[-1] < 200
    assert rows.tolist() == how(images=50, seed=3).sample(200).tolist()
    assert rows.tolist() != how(images=50, seed=4).sample(200).tolist()
    assert how(images=50).sample(7).tolist() == list(range(7))


def test_rows_labels_and_ids_are_those_of_the_sampled_images(folder, tmp_path):
    extract_attributions.main(command(folder, tmp_path / "a.h5"))
    with HeatmapFile(tmp_path / "a.h5") as maps, DataFile(folder / "data.h5") as data:
        rows = how(images=5).sample(IMAGES)
        assert maps.sampled and maps.rows.tolist() == rows.tolist()
        assert maps.labels.tolist() == data.labels[rows].tolist()
        assert maps.image_ids == [data.image_ids[row] for row in rows]
        assert maps.explainers == ["rise", "saliency"]
        for name in maps.explainers:
            values = maps.maps(name, 0, 5)
            assert values.shape == (5, 64, 64) and np.isfinite(values).all() and values.any()


def test_neither_the_order_of_explainers_nor_the_old_word_changes_the_file(folder, tmp_path):
    extract_attributions.main(command(folder, tmp_path / "a.h5"))
    other = command(
        folder, tmp_path / "b.h5", "--geometry", "released", explainers=("rise", "saliency")
    )
    extract_attributions.main(other)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_a_run_that_broke_off_continues_with_the_first_image_missing(folder, tmp_path, monkeypatch):
    extract_attributions.main(command(folder, tmp_path / "whole.h5"))
    explained = []

    def breaking(*arguments):
        if len(explained) == 3:
            raise OSError("the disk is gone")
        explained.append(arguments[3])
        return saliency(*arguments)

    monkeypatch.setitem(ATTRIBUTIONS, "saliency", breaking)
    with pytest.raises(OSError, match="the disk is gone"):
        extract_attributions.main(command(folder, tmp_path / "cut.h5"))
    assert not (tmp_path / "cut.h5").exists()
    counted = []
    monkeypatch.setitem(
        ATTRIBUTIONS, "saliency", lambda *given: counted.append(1) or saliency(*given)
    )
    extract_attributions.main(command(folder, tmp_path / "cut.h5"))
    assert len(counted) == 2
    assert (tmp_path / "cut.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()


def test_an_image_whose_map_is_not_finite_is_named_and_all_its_maps_are_nan(
    folder, tmp_path, monkeypatch, capsys
):
    found = []

    def second_is_infinite(*arguments):
        found.append(saliency(*arguments))
        return found[-1] * (torch.inf if len(found) == 2 else 1)

    monkeypatch.setitem(ATTRIBUTIONS, "saliency", second_is_infinite)
    extract_attributions.main(command(folder, tmp_path / "a.h5"))
    with HeatmapFile(tmp_path / "a.h5") as maps:
        for name in maps.explainers:
            nan = np.isnan(maps.maps(name, 0, 5)).all(axis=(1, 2))
            assert nan.tolist() == [False, True, False, False, False]
        warning = f"warning: image {maps.image_ids[1]} has maps that are not finite"
    assert warning in capsys.readouterr().err
    with h5py.File(tmp_path / "a.h5") as file:
        assert file.attrs["nonfinite"] == 1


def test_quick_explainers_take_ten_small_images_a_pass(folder, tmp_path, monkeypatch):
    """Each image has the map it has alone, also beside one whose map is not finite."""
    passes = []

    def counted(model):
        model = zoo.prepare_for_inference(model)
        model.register_forward_pre_hook(lambda _, given: passes.append(len(given[0])))
        return model

    def third_is_infinite(model, images, *more):
        found = saliency(model, images, *more)
        if len(images) == 10:
            found[2, 0, 0] = torch.inf
        return found

    extract_attributions.main(command(folder, tmp_path / "alone.h5", "--images", "12"))
    monkeypatch.setattr(sampled_extraction, "prepare_for_inference", counted)
    monkeypatch.setitem(ATTRIBUTIONS, "saliency", third_is_infinite)
    quick = command(folder, tmp_path / "a.h5", "--images", "12", explainers=("saliency",))
    extract_attributions.main(quick)
    assert passes == [10, 2]
    with HeatmapFile(tmp_path / "a.h5") as maps, HeatmapFile(tmp_path / "alone.h5") as alone:
        assert maps.rows.tolist() == alone.rows.tolist() == list(range(12))
        found, expected = maps.maps("saliency", 0, 12), alone.maps("saliency", 0, 12)
    assert np.isnan(found[2]).all()
    others = np.arange(12) != 2
    np.testing.assert_allclose(found[others], expected[others], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"images": 0}, "images: 0 is not positive"),
        ({"geometry": "wide"}, "geometry 'wide' is not known; allowed: crop, full"),
        ({"target": "truth"}, "target 'truth' is not known; allowed: label, prediction"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        how(**settings)


def test_masks_are_a_setting_of_rise_alone(folder, tmp_path):
    for name, masks in (("a.h5", "8"), ("b.h5", "9")):
        more = ["--masks", masks, "--batch-size", masks]
        extract_attributions.main(command(folder, tmp_path / name, *more, explainers=("saliency",)))
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_an_unknown_explainer_is_refused_before_any_work(folder, tmp_path):
    with pytest.raises(UserError, match="explainer 'grad_cam' is not known; allowed: saliency"):
        extract_attributions.main(command(folder, tmp_path / "a.h5", explainers=("grad_cam",)))
    assert list(tmp_path.iterdir()) == []
