"""Scores of smoothed heatmaps, and their spectra."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import plot_smoothness
import pytest
from drawn_texts import check_texts, texts_of, words_of
from human_alignment.common.cli import UserError
from human_alignment.outcome.smoothness_figure import smoothness_figure
from human_alignment.outcome.style import STYLE
from human_alignment.scores.pairs import PAPER_ORDER

CUTOFFS = {0.5: -0.2, 1: -0.05, 2: 0.01, np.nan: 0}  # and what each adds to the score


def tables(models=PAPER_ORDER, kinds=(0, 1), explainers=("grad_cam", "threshold_grad_cam")):
    scores, spectra = [], []
    for place, model in enumerate(models):
        for dcls in kinds:
            names = {"model": model, "dcls": dcls, "network": model + "_dcls" * dcls}
            for explainer in explainers:
                own = names | {"explainer": explainer}
                for cutoff, more in CUTOFFS.items():
                    score = 0.5 + 0.02 * place + 0.03 * dcls + more
                    ends = {"score": score, "low": score - 0.01, "high": score + 0.01}
                    scores.append(own | {"cutoff": cutoff} | ends)
                for band in range(1, 10):
                    spectra.append(own | {"frequency": band / 2, "share": 1 / 9})
    columns = ["model", "dcls", "network", "explainer", "cutoff", "score", "low", "high"]
    return pd.DataFrame(scores, columns=columns), pd.DataFrame(spectra)


def drawn(figure):
    with mpl.rc_context(STYLE):
        figure.draw_without_rendering()
        return texts_of(figure)


@pytest.mark.parametrize(
    "study",
    [{}, {"models": PAPER_ORDER[:1]}, {"models": PAPER_ORDER[:3], "kinds": (0,)},
     {"explainers": ("rise",)}],
)  # fmt: skip
def test_every_text_is_inside_and_clear_of_the_others(study):
    figure = smoothness_figure(*tables(**study), "A note.")
    check_texts(drawn(figure), figure)
    words = words_of(figure)
    assert "A note." in words and "RISE" in words or "Threshold-Grad-CAM" in words


def test_panels_share_their_axes_and_show_the_numbers():
    scores, spectra = tables()
    axes = smoothness_figure(scores, spectra).axes
    assert len(axes) == 16 and len({one.get_ylim() for one in axes[:4]}) == 1
    plain, dcls = (np.float64(held[0].get_ydata()) for held in axes[0].containers)
    np.testing.assert_allclose(plain, [0.3, 0.45, 0.51, 0.5])
    np.testing.assert_allclose(dcls, [0.33, 0.48, 0.54, 0.53])
    np.testing.assert_allclose(axes[4].lines[0].get_ydata(), np.arange(1, 5) / 9)


def test_without_scores_the_figure_says_so(tmp_path):
    scores, spectra = tables(models=())
    paths = tmp_path / "s.csv", tmp_path / "p.csv"
    scores.to_csv(paths[0], index=False)
    tables()[1][:0].to_csv(paths[1], index=False)
    given = ["--smoothness", str(paths[0]), "--spectra", str(paths[1])]
    plot_smoothness.main([*given, "--output", str(tmp_path / "f.png"), str(tmp_path / "f.pdf")])
    assert (tmp_path / "f.png").stat().st_size > 1000
    assert "No network has scores" in words_of(smoothness_figure(scores, spectra))
    paths[0].write_text("model,network\n")
    with pytest.raises(UserError, match="s.csv lacks the column explainer"):
        plot_smoothness.main([*given, "--output", str(tmp_path / "f.png")])
