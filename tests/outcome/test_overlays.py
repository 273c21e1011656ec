import json
import re

import matplotlib as mpl
import numpy as np
import pandas as pd
import plot_figure1
import plot_samples
import prepare_digits
import pytest
import small_study
from drawn_texts import check_texts, texts_of
from human_alignment.common.cli import UserError
from human_alignment.data.classes import class_names
from human_alignment.data.data_file import DataFile, DataWriter
from human_alignment.data.digits import encode
from human_alignment.outcome.map_figures import by_agreement, figure1, read_rho
from human_alignment.outcome.overlays import Row, draw_grid, heatmap_overlay, nothing_to_show
from human_alignment.outcome.style import STYLE, settle
from human_alignment.scores.protocol import RELEASED

IMAGE = np.full((32, 32, 3), 128, np.uint8)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits")
    prepare_digits.main(
        ["--output", str(folder / "d.h5"), "--train-output", str(folder / "t.h5")]
        + ["--train-images", "1", "--test-images", "10"]
    )
    return folder / "d.h5"


def test_overlay_is_bright_where_the_map_is_high():
    heatmap = np.zeros((4, 4), np.float32)
    heatmap[0, 0] = 5
    overlay = heatmap_overlay(IMAGE, heatmap)
    assert overlay.shape == IMAGE.shape and overlay.dtype == np.uint8
    assert overlay[0, 0].mean() > 180 > overlay[-1, -1].mean()


@pytest.mark.parametrize("value", [0.0, 0.3, np.nan])
def test_a_map_with_nothing_to_show_leaves_the_image(value):
    np.testing.assert_array_equal(heatmap_overlay(IMAGE, np.full((4, 4), value)), IMAGE)


@pytest.mark.parametrize(
    ("heatmap", "word"),
    [
        (np.zeros((4, 4)), "empty"),
        (np.full((4, 4), 0.3), "constant"),
        (np.full((4, 4), np.nan), "not finite"),
        (np.eye(4), ""),
    ],
)
def test_a_map_with_nothing_to_show_says_so_on_its_picture(heatmap, word):
    assert nothing_to_show(heatmap) == word
    figure = draw_grid([Row("row", [IMAGE], marks=[nothing_to_show(heatmap)])], [], 3)
    assert [text.get_text() for text in figure.axes[0].texts] == [word] * bool(word)


@pytest.mark.parametrize("columns, width", [(10, 7.0), (8, 7.0), (6, 7.0)])
def test_names_of_classes_keep_all_their_letters_and_are_clear_of_each_other(columns, width):
    """The longest names and the longest words of ImageNet's, side by side."""
    names = class_names(1000)
    names = sorted(names, key=len)[-columns:], sorted(names, key=longest_word)[-columns:]
    for title in ("image", "without DCLS\nThreshold-\nGrad-CAM"):
        rows = [Row(title, [IMAGE] * columns, labels) for labels in names]
        figure = draw_grid(rows, [], width)
        with mpl.rc_context(STYLE):
            settle(figure)  # as saving does
            figure.draw_without_rendering()
            check_texts(texts_of(figure), figure)
        shown = [re.sub(r"[\s-]", "", axes.get_title()) for axes in figure.axes]
        assert shown == [re.sub(r"[\s-]", "", name) for labels in names for name in labels]
        tall = [axes.get_window_extent().height for axes in figure.axes]
        assert min(tall) > 0.8 * 200 * width / (columns + 1)  # pictures keep their size


def longest_word(name):
    return max(map(len, name.split()))


def test_figure1_says_what_its_numbers_are(tmp_path):
    """Of the image whose map is undefined, too."""
    study = small_study.make(tmp_path, 8)
    rho = pd.DataFrame({"near": [0.25, -0.5, np.nan]}, [f"image-{row:03d}" for row in range(3)])
    with DataFile(study.data) as data:
        figure = figure1(
            data, study.heatmaps[:1], rho, list(rho.index), "threshold_grad_cam", RELEASED, []
        )
    shown = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert shown == ["ρ = 0.25", "ρ = −0.50", "ρ undefined"]


def test_images_are_chosen_at_even_steps_of_agreement():
    rho = pd.DataFrame({"a": [0.1, 0.9, 0.5, 0.3, 0.7]}, index=list("vwxyz"))
    assert by_agreement(rho, 3) == ["w", "x", "v"]
    assert by_agreement(rho, 9) == ["w", "z", "x", "y", "v"]


def test_undefined_images_are_not_chosen(tmp_path):
    rho = {"grad_cam": [0.1, 0.1], "threshold_grad_cam": [0.5, np.nan]}
    small_study.write_score_file(tmp_path / "s.csv", ["a", "b"], rho)
    assert list(read_rho([tmp_path / "s.csv"], "threshold_grad_cam").index) == ["a"]
    with pytest.raises(UserError, match="s.csv has no 'rise' scores; it has grad_cam, threshold"):
        read_rho([tmp_path / "s.csv"], "rise")


def test_sample_sheet_of_any_number(data, tmp_path):
    for count in (1, 9, 99):
        plot_samples.main(
            ["--data", str(data), "--count", str(count), "--output", str(tmp_path / "s.png")]
        )
        assert (tmp_path / "s.png").stat().st_size > 5000
    with pytest.raises(UserError, match="--count: 0 is not positive"):
        plot_samples.main(
            ["--data", str(data), "--count", "0", "--output", str(tmp_path / "t.png")]
        )


@pytest.mark.parametrize(
    ("names", "label", "shown"),
    [
        (None, 2, "class 2"),
        (["cat", "dog", "sea gull"], 2, "sea gull (2)"),
        (1000, 1, "goldfish (1)"),
        (["cat", "dog", "sea gull"], None, "no label"),
    ],
)
def test_the_sheet_names_classes(tmp_path, names, label, shown):
    count, names = (names, None) if isinstance(names, int) else (3, names)
    attributes = dict(dataset="toy", description="", num_classes=count, image_size=8)
    with DataWriter(tmp_path / "d.h5", **attributes, class_names=names) as writer:
        writer.append(encode(np.zeros((8, 8, 3), np.uint8)), label, "a", np.ones((4, 4)))
    plot_samples.main(["--data", str(tmp_path / "d.h5"), "--output", str(tmp_path / "s.svg")])
    assert f"<!-- {shown} -->" in (tmp_path / "s.svg").read_text()


def test_figure1_without_any_network_says_what_is_missing(data, tmp_path):
    plot_figure1.main(
        ["--data", str(data), "--images", "3", "--protocol", json.dumps(RELEASED.as_dict())]
        + ["--output", str(tmp_path / "f.svg")]
    )
    assert "no pair of this network" in (tmp_path / "f.svg").read_text().replace("\n", " ")


def test_the_sheet_lists_what_was_left_out(tmp_path):
    attributes = dict(dataset="toy", description="", num_classes=3, image_size=8)
    with DataWriter(tmp_path / "d.h5", **attributes) as writer:
        writer.append(encode(np.zeros((8, 8, 3), np.uint8)), 0, "a", np.zeros((4, 4)))
        for number in range(12):
            writer.skip(f"shard, record {number}", "cut off")
    sheet = tmp_path / "s.svg"
    plot_samples.main(["--data", str(tmp_path / "d.h5"), "--output", str(sheet)])
    text = sheet.read_text()
    assert "12 entries were left out:" in text
    assert "shard, record 9: cut off" in text and "record 10" not in text
