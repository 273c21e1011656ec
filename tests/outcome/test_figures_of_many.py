"""Figures of studies of forty and of hundreds of networks: legible, bounded, quick."""

import functools
import time

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from drawn_texts import check_texts, texts_of, words_of
from human_alignment.outcome.accuracy_figure import accuracy_against_score
from human_alignment.outcome.comparison_figures import paired_differences
from human_alignment.outcome.preference import (
    MOST_LABELS,
    MOST_ROWS,
    OTHER_DOTS,
    Preference,
    front_of,
    written,
)
from human_alignment.outcome.protocol_figures import sensitivity, threshold_sweep
from human_alignment.outcome.score_figures import (
    bars_per_model,
    scatter_with_and_without,
    size_against_score,
)
from human_alignment.outcome.smoothness_figure import smoothness_figure
from human_alignment.outcome.strata_figure import scores_by_stratum
from human_alignment.outcome.style import STYLE, broken
from human_alignment.outcome.training_figures import learned_positions, learning_curves
from human_alignment.scores.pairs import PAPER_ORDER, Pair, pairs
from human_alignment.scores.summary import scores_of
from many_networks import summary_of, tables_of

PAPERS = len(PAPER_ORDER)
LABEL = "label"  # the score


def draw(name, tables, label=()):
    """A figure of these tables, as its script draws it. label: networks to show first."""
    summary, references = tables["scores/summary.csv"], tables["tables/references.csv"]
    preference = Preference.of(summary, label)
    match name:
        case "figure2":
            return scatter_with_and_without(summary, "A note.", references, label)
        case "figure3":
            return bars_per_model(summary, "A note.", references, label)
        case "figure4":
            return size_against_score(summary, "A note.", references, label)
        case "accuracy":
            correlations = tables["scores/correlations.csv"]
            return accuracy_against_score(summary, correlations, "A note.", references, label)
        case "comparisons":
            return paired_differences(tables["scores/comparisons.csv"], "A note.", preference)
        case "strata":
            return scores_by_stratum(tables["tables/strata.csv"], "A note.", preference)
        case "threshold_sweep":
            curves, best = tables["scores/sweeps.csv"], tables["tables/threshold_sweep.csv"]
            return threshold_sweep(curves, best, LABEL, 0.4, "A note.", preference)
        case "sensitivity":
            return sensitivity(tables["tables/sensitivity.csv"], LABEL, "A note.")
        case "smoothness":
            both = tables["tables/smoothness.csv"], tables["tables/spectra.csv"]
            return smoothness_figure(*both, "A note.", preference)


made = functools.cache(tables_of)  # several tests draw from the same tables


@pytest.fixture(scope="module", params=[40, 300])
def tables(request):
    return made(request.param)


PAGES = {  # where figures with a row, a bar or a panel a network send the reader for the others
    "figure3": "leaderboard.html",
    "comparisons": "tables/comparisons.html",
    "strata": "tables/strata.html",
    "threshold_sweep": "tables/threshold_sweep.html",
    "smoothness": "tables/smoothness.html",
}
DOTS = ("figure4", "accuracy")
OTHERS = ("figure2", "sensitivity")


@pytest.mark.parametrize("name", [*PAGES, *DOTS, *OTHERS])
def test_a_figure_of_many_networks_is_legible_bounded_and_quick(name, tables):
    began = time.process_time()
    figure = draw(name, tables)
    with mpl.rc_context(STYLE):
        figure.draw_without_rendering()
        assert time.process_time() - began < 10
        check_texts(texts_of(figure), figure)
    assert figure.get_figheight() < 15 and figure.get_figwidth() < 12
    count = len(pairs(tables["scores/summary.csv"]))
    words = words_of(figure)
    assert ("The leaderboard names the other dots." in words) == (name in DOTS)
    total = count + PAPERS if name == "comparisons" else count  # each of a pair has a row
    shown = f"{MOST_LABELS} of {total} networks or pairs are shown"
    assert (shown in words) == (name in PAGES)
    if name in PAGES:
        assert f"all are in {PAGES[name]}." in words


@pytest.mark.parametrize("name", [*PAGES, *DOTS])
def test_a_network_that_the_config_names_is_shown(name):
    tables = made(40, classes=12)
    scores = scores_of(tables["scores/summary.csv"], "threshold_grad_cam")["score"]
    unlike = Preference.of(tables["scores/summary.csv"])
    last = min((one for one in scores.index if unlike.group(one) == 3), key=scores.get)
    short = last[:20]  # a title of two lines is still the same up to here
    assert short not in words_of(draw(name, tables)).replace(" ", "")
    assert short in words_of(draw(name, tables, [last])).replace(" ", "")


def test_networks_that_figure2_lacks_are_counted_where_they_are_many():
    words = words_of(draw("figure2", made(40, classes=12)))
    assert "scores is missing: 40 networks, which are in leaderboard.html." in words
    few = tables_of(MOST_ROWS, classes=0)
    last = few["scores/summary.csv"]["network"].iloc[-1]
    assert last in words_of(draw("figure2", few))


def test_dots_of_one_field_do_not_reach_those_of_the_next():
    figure = draw("sensitivity", made(300))
    plain = [line for line in figure.axes[0].lines if len(line.get_ydata()) > 100]
    heights = sorted(np.ptp(line.get_ydata()) for line in plain)
    assert heights[0] > 0 and heights[-1] < 0.6
    middle = [np.median(line.get_ydata()) for line in plain]
    assert np.allclose(np.diff(middle), 1)


def test_up_to_so_many_networks_all_have_a_row():
    tables = tables_of(MOST_ROWS - PAPERS, classes=0)
    for name in ("figure3", "threshold_sweep", "smoothness"):
        assert "are shown" not in words_of(draw(name, tables))


def test_the_order_in_which_networks_are_shown():
    summary = summary_of(300)
    scores = scores_of(summary, "threshold_grad_cam")
    of_study, front = pairs(summary), set(front_of(scores))
    named = [pair.plain for pair in of_study if not front & set(pair)][-2:]
    shown = Preference(named, scores).first(of_study)
    assert len(shown) == MOST_LABELS and shown == [pair for pair in of_study if pair in shown]
    has = {network for pair in shown for network in pair}
    assert set(named) | front | set(PAPER_ORDER) <= has
    others = [pair for pair in shown if not (front | set(PAPER_ORDER) | set(named)) & set(pair)]
    left_out = [pair.plain for pair in of_study if pair not in shown]
    assert others, "the front and the paper's leave room"
    lowest = scores["score"][[pair.plain for pair in others]].min()
    assert lowest >= scores["score"][left_out].max()


def test_without_scores_the_first_of_the_study_are_shown():
    of_study = [Pair(f"net{number}", None) for number in range(MOST_ROWS + 1)]
    shown, words = Preference(["net30"]).rows(of_study, "somewhere")
    assert shown == [*of_study[: MOST_LABELS - 1], of_study[30]]
    assert words == "24 of 33 networks or pairs are shown; all are in somewhere."


@pytest.mark.parametrize(
    "name, lines",
    [
        ("convnext_base", ["convnext_base"]),
        ("vit_tiny_patch16_224.augreg_in21k", ["vit_tiny_patch16_", "224.augreg_in21k"]),
        ("convnext_base / convnext_base_wide", ["convnext_base /", "convnext_base_wide"]),
        ("a" * 40, ["a" * 40]),
    ],
)
def test_a_long_title_has_several_lines(name, lines):
    assert broken(name).split("\n") == lines


def test_learning_curves_of_many_networks_are_bounded():
    runs = [
        pd.DataFrame(
            {"model": f"net_{number}", "dcls": 0, "network": f"net_{number}", "run": "seed0"}
            | {"epoch": range(3), "loss": 1.0, "train_top1": 50.0, "position_spread": np.nan}
        )
        for number in range(300)
    ]
    figure = learning_curves(pd.concat(runs), "", Preference(["net_299"]))
    figure.draw_without_rendering()
    words = words_of(figure)
    assert figure.get_figheight() < 24 and "net_299" in words and "net_250" not in words
    assert "24 of 300 networks or pairs are shown" in words


def test_positions_say_which_networks_are_not_drawn():
    points = np.random.default_rng(0).normal(size=(50, 2))
    figure = learned_positions(
        {"net": (17, {"stages.0": points})}, "A note.", "24 of 40 are shown."
    )
    assert "24 of 40 are shown." in words_of(figure)


def test_where_a_dot_has_no_name_the_others_have_numbers_that_are_spelt_out():
    assert written(["b", "a"], all_named=True) == ({"b": "b", "a": "a"}, "")
    texts, sentence = written(["b", "a"], all_named=False)
    assert texts == {"b": "1", "a": "2"}
    assert sentence == "1\N{NO-BREAK SPACE}b, 2\N{NO-BREAK SPACE}a. " + OTHER_DOTS
