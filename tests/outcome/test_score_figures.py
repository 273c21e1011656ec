import functools
import itertools
import subprocess
import sys
import time

import matplotlib as mpl
import numpy as np
import pandas as pd
import plot_figure2
import plot_figure3
import plot_figure4
import pytest
from drawn_texts import check_texts, texts_of, words_of
from human_alignment.common.cli import UserError
from human_alignment.outcome.labels import place_labels
from human_alignment.outcome.score_figures import (
    bars_per_model,
    scatter_with_and_without,
    size_against_score,
)
from human_alignment.outcome.style import COLOURS, STYLE, new_figure, save
from human_alignment.scores.summary import read_summary
from matplotlib.layout_engine import ConstrainedLayoutEngine

FIGURES = [scatter_with_and_without, bars_per_model, size_against_score]
NOTE = "Micro models on the embedded digits; human maps simulated: not comparable with the paper."
STUDIES = {
    "full": lambda s: s,
    "one model": lambda s: s[(s.model == "resnet50") & (s.dcls == 0)],
    "no DCLS": lambda s: s[s.dcls == 0],
    "only DCLS": lambda s: s[s.dcls == 1],
    "no Grad-CAM": lambda s: s[s.explainer == "threshold_grad_cam"],
    "no Threshold-Grad-CAM": lambda s: s[s.explainer == "grad_cam"],
    "one explainer missing of one model": lambda s: s[
        (s.model != "convnext_tiny") | (s.explainer == "grad_cam")
    ],
    "no interval": lambda s: s.assign(low=np.nan, high=np.nan),
    "no sizes, no top-1": lambda s: s.assign(parameters=np.nan, top1=np.nan),
    "nothing": lambda s: s[:0],
}


@pytest.fixture(scope="module")
def summary(data_dir):
    return read_summary(data_dir / "summary" / "summary.csv")


@pytest.fixture(scope="module")
def drawn(summary):
    """Figures of the studies above by function and name; each is drawn once."""

    @functools.cache
    def draw_once(draw, study):
        return draw(STUDIES[study](summary), NOTE)

    return draw_once


def scores(summary, explainer, dcls):
    rows = summary[(summary.explainer == explainer) & (summary.dcls == dcls)]
    return rows.set_index("model").score


@pytest.mark.parametrize("study", STUDIES)
@pytest.mark.parametrize("draw", FIGURES)
def test_every_text_is_inside_legible_and_clear_of_the_others(drawn, draw, study):
    figure = drawn(draw, study)
    with mpl.rc_context(STYLE):
        figure.draw_without_rendering()
        placed = texts_of(figure)
    assert figure.get_figwidth() == 3.4
    assert " ".join(NOTE.split()) in words_of(figure)
    check_texts(placed, figure)


@pytest.mark.parametrize(
    ("draw", "study", "sentence"),
    [
        (scatter_with_and_without, "one model", "No model has a Threshold-Grad-CAM score both"),
        (scatter_with_and_without, "no DCLS", "No model has a Threshold-Grad-CAM score both"),
        (scatter_with_and_without, "no Threshold-Grad-CAM", "No model has a Threshold-Grad-CAM"),
        (scatter_with_and_without, "one explainer missing of one model", "Not drawn, because one"),
        (bars_per_model, "one model", "Grad-CAM (no score with DCLS)"),
        (bars_per_model, "only DCLS", "Threshold-Grad-CAM (no score without DCLS)"),
        (bars_per_model, "no Grad-CAM", "No model has a Grad-CAM score."),
        (bars_per_model, "no Threshold-Grad-CAM", "No model has a Threshold-Grad-CAM score."),
        (bars_per_model, "one explainer missing of one model", "no score no score"),
        (size_against_score, "one model", "no trend: fewer than three models"),
        (size_against_score, "only DCLS", "No model without DCLS has both"),
        (size_against_score, "no sizes, no top-1", "No model without DCLS has both"),
        (size_against_score, "nothing", "No model without DCLS has both"),
    ],
)
def test_what_is_missing_is_said_in_its_place(drawn, draw, study, sentence):
    assert sentence in words_of(drawn(draw, study))


def test_figure2_shows_each_pair_its_intervals_and_the_diagonal(summary, drawn):
    axes = drawn(scatter_with_and_without, "full").axes[0]
    x, y = (scores(summary, "threshold_grad_cam", dcls) for dcls in (0, 1))
    (marked,) = [line for line in axes.lines if line.get_marker() == "o"]
    assert sorted(map(tuple, marked.get_xydata())) == sorted(zip(x, y[x.index], strict=True))
    bars = [segment for artist in axes.collections for segment in artist.get_segments()]
    assert len(bars) == 16
    for low, high in bars:  # the made-up intervals are 0.004 to each side
        assert np.hypot(*(high - low)) == pytest.approx(0.008)
    dashed = [line for line in axes.lines if line.get_linestyle() == "--"]
    (diagonal,) = [line for line in dashed if line.get_linewidth() == 0.8]  # others are leaders
    assert np.array_equal(diagonal.get_xdata(), diagonal.get_ydata())
    assert axes.get_xlim() == axes.get_ylim() and axes.get_aspect() == 1
    names = {text.get_text() for text in axes.texts}
    assert names == {*x.index, "higher with DCLS", "lower with DCLS"}
    assert "human ceiling 0.65753" in axes.get_xlabel()


def test_figure3_shows_every_score_of_both_methods(summary, drawn):
    figure = drawn(bars_per_model, "full")
    for axes, explainer in zip(figure.axes, ["grad_cam", "threshold_grad_cam"], strict=True):
        assert len(axes.patches) == 16
        for dcls in (0, 1):
            colour = mpl.colors.to_rgba(COLOURS[dcls])
            heights = [bar.get_height() for bar in axes.patches if bar.get_facecolor() == colour]
            assert heights == list(scores(summary, explainer, dcls))
    labels = [label.get_text() for label in figure.axes[1].get_xticklabels()]
    assert labels == list(dict.fromkeys(summary.model))
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["without DCLS", "with DCLS"]


def test_figure3_has_one_scale_so_that_its_panels_can_be_compared(drawn):
    above, below = drawn(bars_per_model, "full").axes
    assert above.get_ylim() == below.get_ylim() and above.get_xlim() == below.get_xlim()


def test_figure3_averages_runs(summary):
    again = summary.assign(run="seed1", score=summary.score + 0.1)
    first = bars_per_model(pd.concat([summary, again])).axes[1].patches[0]
    assert first.get_height() == pytest.approx(summary.score[1] + 0.05)


def of_size(sizes, values):
    """A summary of plain models with these numbers of parameters and scores."""
    return pd.DataFrame(
        {
            "model": [f"net{number}" for number in range(len(sizes))], "dcls": 0, "run": "seed0",
            "parameters": sizes, "top1": 80, "explainer": "threshold_grad_cam", "n": 500,
            "n_images": 500, "mean_rho": values, "score": values,
            "low": np.subtract(values, 0.01), "high": np.add(values, 0.01), "human_ceiling": np.nan,
            "network": [f"net{number}" for number in range(len(sizes))],
        }
    )  # fmt: skip


def test_figure4_finds_a_known_trend():
    sizes = [1e5, 1e6, 1e7, 1e8]
    axes = size_against_score(of_size(sizes, [0.2, 0.3, 0.4, 0.5])).axes[0]
    assert axes.get_xscale() == "log" and "million" in axes.get_xlabel()
    (marked,) = [line for line in axes.lines if line.get_marker() == "o"]
    assert list(marked.get_xdata()) == pytest.approx([0.1, 1, 10, 100])
    (fit,) = [line for line in axes.lines if len(line.get_xdata()) == 100]
    assert fit.get_ydata() == pytest.approx(0.3 + 0.1 * np.log10(fit.get_xdata()))
    assert axes.get_title().endswith("Pearson r = 1.00, n = 4")


def test_figure4_gives_fishers_interval_of_r():
    # Scores against log size: r = 0.9048 by hand; tanh(artanh r -/+ 1.96 / sqrt 5) = 0.55, 0.98.
    sizes, values = 10.0 ** np.arange(8), [0.2, 0.1, 0.4, 0.3, 0.6, 0.5, 0.8, 0.7]
    title = size_against_score(of_size(sizes, values)).axes[0].get_title()
    assert title.endswith("Pearson r = 0.90 (95 %: 0.55 to 0.98), n = 8")
    title = size_against_score(of_size(sizes[:7], values[:7])).axes[0].get_title()
    assert title.endswith("Pearson r = 0.90, n = 7")


def test_figure4_draws_no_line_through_two_models():
    axes = size_against_score(of_size([1e5, 1e6], [0.2, 0.3])).axes[0]
    assert not [line for line in axes.lines if len(line.get_xdata()) == 100]
    assert "Pearson" not in axes.get_title()


def test_figure4_draws_no_line_when_all_sizes_are_equal():
    axes = size_against_score(of_size([1e6, 1e6, 1e6], [0.2, 0.3, 0.4])).axes[0]
    assert not [line for line in axes.lines if len(line.get_xdata()) == 100]
    assert axes.get_title().endswith("no trend: all alike")


def labelled(points, names, dots=None):
    figure = new_figure(3, [])
    axes = figure.subplots()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    figure.draw_without_rendering()
    place_labels(axes, points, names, np.empty((0, 2)), dots)
    return axes


def test_labels_of_crowded_points_cover_neither_each_other_nor_a_point():
    points = np.random.default_rng(0).normal(0.5, 0.08, size=(9, 2))
    axes = labelled(points, [f"network_{number}" for number in range(9)])
    boxes = [text.get_window_extent() for text in axes.texts]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    pixels = axes.transData.transform(points)
    assert not any(box.contains(*pixel) for box in boxes for pixel in pixels)


def test_labels_cover_no_dot_without_a_name():
    points = np.array([[0.5, 0.5], [0.52, 0.48]])
    dots = np.random.default_rng(1).normal(0.5, 0.12, size=(60, 2))

    def covered(axes):
        boxes = [text.get_window_extent() for text in axes.texts]
        pixels = axes.transData.transform(dots)
        return sum(box.contains(*pixel) for box in boxes for pixel in pixels)

    names = ["network_one", "network_two"]
    assert covered(labelled(points, names)) > 0
    assert covered(labelled(points, names, dots)) == 0


def test_equal_points_both_keep_their_name():
    axes = labelled(np.array([[0.5, 0.5], [0.5, 0.5]]), ["one", "two"])
    first, second = (text.get_window_extent() for text in axes.texts)
    assert not first.overlaps(second)


def test_a_label_at_the_edge_stays_inside():
    axes = labelled(np.array([[0.99, 0.99]]), ["rather_long_name"])
    box, frame = axes.texts[0].get_window_extent(), axes.get_window_extent()
    assert box.x1 <= frame.x1 and box.y1 <= frame.y1


@pytest.mark.parametrize(
    ("script", "word"),
    [(plot_figure2, "lower with DCLS"), (plot_figure3, "without DCLS"), (plot_figure4, "Pearson")],
)
def test_scripts_write_every_format_asked_for(script, word, data_dir, tmp_path):
    png, pdf, svg = (tmp_path / "figures" / f"figure.{ending}" for ending in ("png", "pdf", "svg"))
    source = str(data_dir / "summary" / "summary.csv")
    script.main(["--summary", source, "--output", str(png), str(pdf), str(svg), "--note", NOTE])
    assert sorted([png, pdf, svg]) == sorted(png.parent.iterdir())
    assert mpl.image.imread(png).shape[1] == 680  # 3.4 inches at 200 dpi
    assert pdf.read_bytes().startswith(b"%PDF") and b"CreationDate" not in pdf.read_bytes()
    assert word in svg.read_text()  # matplotlib notes each text beside its outlines


def test_the_same_summary_gives_the_same_bytes_at_another_time(summary, tmp_path):
    names = ["figure.png", "figure.pdf", "figure.svg"]
    save(size_against_score(summary), [tmp_path / "early" / name for name in names])
    time.sleep(1.1)  # the clock of timestamps counts seconds
    save(size_against_score(summary), [tmp_path / "late" / name for name in names])
    for name in names:
        assert (tmp_path / "early" / name).read_bytes() == (tmp_path / "late" / name).read_bytes()


def test_every_format_has_the_layout_that_names_were_placed_in(summary, tmp_path, monkeypatch):
    solved, solve = [], ConstrainedLayoutEngine.execute
    monkeypatch.setattr(
        ConstrainedLayoutEngine, "execute", lambda *given: solved.append(given) or solve(*given)
    )
    figure = scatter_with_and_without(summary)  # equal axes: solving again would move them
    places = [figure.axes[0].get_position().bounds]
    for ending in ("png", "pdf", "svg"):
        save(figure, [tmp_path / f"figure.{ending}"])
        places.append(figure.axes[0].get_position().bounds)
    assert len(solved) == 2 and len(set(places)) == 1


def test_unknown_format_is_refused_and_nothing_is_left(summary, tmp_path):
    with pytest.raises(UserError, match=r"figure\.gif: figures are written as \.png, \.pdf"):
        save(size_against_score(summary), [tmp_path / "figure.gif"])
    assert not list(tmp_path.iterdir())


def test_figures_need_no_torch(root):
    code = "import sys, plot_figure2; sys.exit('torch' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], cwd=root / "workflow_scripts").returncode == 0
    )
