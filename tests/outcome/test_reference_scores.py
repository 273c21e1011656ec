"""References without a network in Table 1 and in Figures 2, 3 and 4."""

import json

import make_table1
import matplotlib as mpl
import numpy as np
import pandas as pd
import plot_figure2
import plot_figure3
import plot_figure4
import pytest
from drawn_texts import check_texts, texts_of, words_of
from human_alignment.common.cli import UserError
from human_alignment.outcome.reference_bands import Bands, _apart
from human_alignment.outcome.reference_scores import read_references, reference_name
from human_alignment.outcome.score_figures import (
    bars_per_model,
    scatter_with_and_without,
    size_against_score,
)
from human_alignment.outcome.style import STYLE
from human_alignment.scores.summary import read_summary

ROWS = {  # reference: score, low, high
    "centre": (0.37, 0.36, 0.38),
    "mean_human_map": (0.385, 0.375, 0.395),
    "class_mean_human_map": (0.43, 0.42, 0.44),
    "edge_strength": (0.15, np.nan, np.nan),
    "local_contrast": (np.nan, np.nan, np.nan),
    "deepgaze": (0.72, 0.71, 0.73),
    "other_image:grad_cam": (0.19, 0.18, 0.20),
    "other_image:threshold_grad_cam": (0.31, 0.3, 0.32),
}


@pytest.fixture
def path(tmp_path):
    rows = [
        {"reference": name, "n_images": 0 if np.isnan(score) else 500, "mean_rho": score}
        | {"score": score, "low": low, "high": high, "note": ""}
        for name, (score, low, high) in ROWS.items()
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "references.csv", index=False)
    return tmp_path / "references.csv"


@pytest.fixture
def summary_path(data_dir):
    return data_dir / "summary" / "summary.csv"


def test_table1_has_a_block_of_references(path, summary_path, tmp_path):
    given = ["--summary", str(summary_path), "--output", str(tmp_path / "t.csv")]
    make_table1.main([*given, "--references", str(path)])
    text = (tmp_path / "t.md").read_text()
    assert "| Without a network" in text
    for words in ("centred Gaussian", "0.370 [0.360, 0.380]", "deepgaze", "cannot be computed"):
        assert words in text
    assert "Threshold-Grad-CAM map of another image" in text
    assert "centred Gaussian" in (tmp_path / "t.html").read_text()
    with_references = (tmp_path / "t.csv").read_text()
    make_table1.main(given)
    assert (tmp_path / "t.csv").read_text() == with_references
    assert "Without a network" not in (tmp_path / "t.md").read_text()


@pytest.mark.parametrize("draw", [scatter_with_and_without, bars_per_model, size_against_score])
def test_bands_are_named_and_no_text_is_covered(draw, path, summary_path):
    figure = draw(read_summary(summary_path), "", read_references(path))
    with mpl.rc_context(STYLE):
        figure.draw_without_rendering()
        check_texts(texts_of(figure), figure)
    words = words_of(figure)
    assert "(a) centred Gaussian 0.37" in words and "deepgaze 0.72" in words
    assert "local contrast" not in words  # it has no score
    assert ("Grad-CAM map of another image 0.19" in words) == (draw is bars_per_model)
    assert "deepgaze 0.72, beyond" not in words
    assert ("edge strength 0.15, beyond the axis" in words) == (draw is not bars_per_model)


def test_both_panels_of_figure3_share_their_axis(summary_path):
    first, second = bars_per_model(read_summary(summary_path)).axes
    assert first.get_ylim() == second.get_ylim()


def test_a_figure_shows_its_own_explainers_shuffled_maps(path):
    letters = Bands.of(read_references(path), ["grad_cam"]).letters
    assert "other_image:grad_cam" in letters
    assert "other_image:threshold_grad_cam" not in letters


def test_a_near_reference_widens_the_axis_and_a_far_one_does_not(path):
    bands = Bands.of(read_references(path), ["grad_cam"])
    assert bands.within("grad_cam", 0.6, 0.8) == (0.6, 0.8)  # 0.43 would nearly double it
    assert bands.within("grad_cam", 0.45, 0.8) == (0.37, 0.8)


def test_letters_are_moved_apart_and_no_more_than_needed():
    np.testing.assert_allclose(_apart(np.array([0.1, 0.5, 0.52]), 0.1), [0.1, 0.46, 0.56])
    np.testing.assert_allclose(_apart(np.array([0.1, 0.5]), 0.1), [0.1, 0.5])


@pytest.mark.parametrize("plot", [plot_figure2, plot_figure3, plot_figure4])
def test_scripts_take_references(plot, path, summary_path, tmp_path):
    given = ["--summary", str(summary_path), "--output", str(tmp_path / "f.png")]
    plot.main([*given, "--references", str(path)])
    with_bands = (tmp_path / "f.png").read_bytes()
    plot.main(given)
    assert (tmp_path / "f.png").read_bytes() != with_bands


def test_a_table_of_something_else_is_refused(tmp_path):
    (tmp_path / "r.csv").write_text("reference,score\ncentre,0.3\n")
    with pytest.raises(UserError, match="r.csv lacks the column n_images"):
        read_references(tmp_path / "r.csv")


def test_unknown_references_keep_their_name():
    assert reference_name("my_model") == "my_model"
    assert reference_name("other_image:layer_cam") == "LayerCAM map of another image"


def ceilings(tmp_path, n, mean):
    ends = {"low": mean and mean - 0.05, "high": mean and mean + 0.05, "note": ""}
    one = {"n": n, "mean_rho": mean, **ends}
    found = {"published": 0.65753, "others": one, "pairwise": one}
    (tmp_path / "references.json").write_text(json.dumps({"human_ceiling": found}))
    return tmp_path / "references.json"


def test_table1_says_which_ceilings_are_computed(summary_path, tmp_path):
    given = ["--summary", str(summary_path), "--output", str(tmp_path / "t.csv")]
    make_table1.main([*given, "--ceilings", str(ceilings(tmp_path, 1200, 0.7))])
    text = (tmp_path / "t.md").read_text()
    assert "0.65753 (published). Computed from the 1,200 images with several human maps" in text
    assert "0.700 [0.650, 0.750], of pairs of maps 0.700 [0.650, 0.750]" in text


def test_table1_says_that_a_ceiling_cannot_be_computed(summary_path, tmp_path):
    given = ["--summary", str(summary_path), "--output", str(tmp_path / "t.csv")]
    make_table1.main([*given, "--ceilings", str(ceilings(tmp_path, 0, None))])
    words = "It cannot be computed, because no image has several human maps."
    assert words in (tmp_path / "t.md").read_text()
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(UserError, match="x.json"):
        make_table1.main([*given, "--ceilings", str(tmp_path / "x.json")])
