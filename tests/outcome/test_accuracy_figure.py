"""Top-1 accuracy against score, of two networks and of hundreds."""

import time

import matplotlib as mpl
import numpy as np
import pandas as pd
import plot_accuracy
import pytest
import small_study
from drawn_texts import check_texts, texts_of, words_of
from human_alignment.outcome.accuracy_figure import (
    FAMILY_COLOURS,
    OTHER_FAMILIES,
    accuracy_against_score,
    chosen_labels,
)
from human_alignment.outcome.families import family
from human_alignment.outcome.preference import MOST_LABELS, front_of
from human_alignment.outcome.style import COLOURS, STYLE, WIDTH
from human_alignment.scores.comparisons import correlate_with_score
from human_alignment.scores.pairs import PAPER_ORDER, pairs
from human_alignment.scores.summary import scores_of
from many_networks import references, summary_of
from matplotlib.colors import to_hex

BOTH = ("grad_cam", "threshold_grad_cam")


def summary(top1=(80.0, 82.0), explainers=BOTH):
    rows = []
    for dcls, accuracy in enumerate(top1):
        for explainer in explainers:
            score = 0.4 + dcls / 10 if explainer == "grad_cam" else 0.7
            rows.append(
                {"model": "resnet50", "dcls": dcls, "run": "seed0", "parameters": 1e6}
                | {"top1": accuracy, "explainer": explainer, "n": 600, "n_images": 600}
                | {"mean_rho": score, "score": score, "low": score - 0.1, "high": score + 0.1}
                | {"human_ceiling": np.nan}
            )
    return small_study.named(pd.DataFrame(rows))


CORRELATIONS = pd.DataFrame(
    [
        ("grad_cam", "plain", "top1", "pearson", 8, -0.5, -0.9, 0.1),
        ("grad_cam", "DCLS", "top1", "pearson", 3, 0.5, np.nan, np.nan),
        ("grad_cam", "DCLS", "parameters", "pearson", 3, 0.25, np.nan, np.nan),
    ],
    columns=["explainer", "networks", "quantity", "method", "n", "value", "low", "high"],
)


def drawn(table, *more):
    """The figure, with correlations of its own scores."""
    return accuracy_against_score(table, correlate_with_score(table), *more)


def dots(axes):
    """Colour and inner colour of the mark of each network, by its place."""
    found = {}
    for line in axes.lines:
        if line.get_marker() == "o":
            looks = tuple(map(to_hex, (line.get_color(), line.get_markerfacecolor())))
            found |= dict.fromkeys(map(tuple, line.get_xydata().tolist()), looks)
    return found


def test_accuracy_is_drawn_with_its_correlation():
    figure = accuracy_against_score(summary(), CORRELATIONS)
    words = words_of(figure)
    assert "plain: Pearson r = −0.50 (−0.90 to 0.10), n = 8" in words
    assert "DCLS: Pearson r = 0.50, n = 3" in words
    assert "0.25" not in words
    assert "no correlation: too few networks" in words  # of the other explainer
    assert {(80.0, 0.4), (82.0, 0.5)} == set(dots(figure.axes[0]))


def test_the_two_panels_share_their_axes():
    above, below = drawn(summary()).axes
    assert above.get_xlim() == below.get_xlim() and above.get_ylim() == below.get_ylim()
    assert above.get_ylim()[0] < 0.3 and above.get_ylim()[1] > 0.8  # all intervals are inside


def test_the_pareto_front_is_explained_where_it_is_a_line():
    assert "Pareto" not in words_of(drawn(summary()))  # the one with DCLS is higher in both
    words = words_of(drawn(summary((82.0, 80.0))))
    assert words.count("Pareto front") == 2  # in the legend and below


def test_networks_of_equal_top1_are_on_an_axis_of_tenths():
    low, high = drawn(summary((80.0, 80.0))).axes[0].get_xlim()
    assert low < 79.9 and high > 80.1


def test_each_network_has_its_interval():
    bars = drawn(summary()).axes[0].collections[0].get_segments()
    bars += drawn(summary()).axes[0].collections[1].get_segments()
    ends = sorted((x, low, high) for (x, low), (_, high) in map(np.ndarray.tolist, bars))
    assert np.allclose(ends, [(80, 0.3, 0.5), (82, 0.4, 0.6)])


@pytest.mark.parametrize(
    "explainers, titles", [(("grad_cam",), 1), (BOTH, 2), (("layer_cam", "rise"), 1)]
)
def test_an_explainer_that_the_study_lacks_has_no_panel(explainers, titles):
    figure = drawn(summary(explainers=explainers))
    assert len(figure.axes) == titles
    assert "Not drawn" not in words_of(figure)


def test_an_explainer_without_a_score_is_named():
    table = summary()
    table.loc[table["explainer"] == "grad_cam", ["score", "low", "high"]] = np.nan
    figure = drawn(table)
    assert len(figure.axes) == 1
    assert "Not drawn, without a top-1 or a score: Grad-CAM." in words_of(figure)


def test_without_top1_the_figure_says_so(tmp_path):
    assert "No network has both" in words_of(drawn(summary((np.nan, np.nan))))
    summary((np.nan, np.nan)).to_csv(tmp_path / "summary.csv", index=False)
    CORRELATIONS.to_csv(tmp_path / "correlations.csv", index=False)
    plot_accuracy.main(
        ["--summary", str(tmp_path / "summary.csv")]
        + ["--correlations", str(tmp_path / "correlations.csv"), "--output"]
        + [str(tmp_path / "a.pdf")]
    )
    assert (tmp_path / "a.pdf").exists()


@pytest.mark.parametrize(
    "points, front",
    [
        ({"a": (80, 0.5)}, ["a"]),
        ({"a": (80, 0.5), "b": (82, 0.6)}, ["b"]),
        ({"a": (80, 0.6), "b": (82, 0.5), "c": (79, 0.55)}, ["a", "b"]),
        ({"a": (80, 0.6), "b": (80, 0.5)}, ["a"]),
        ({"a": (80, 0.5), "b": (82, 0.5)}, ["b"]),
        ({"a": (82, 0.5), "b": (82, 0.5)}, ["b", "a"]),
    ],
)
def test_the_pareto_front(points, front):
    table = pd.DataFrame.from_dict(points, orient="index", columns=["top1", "score"])
    assert front_of(table) == front


def test_the_front_is_what_no_other_network_beats():
    part = scores_of(summary_of(300), "grad_cam")

    def beaten(one):
        at_least = (part["top1"] >= one.top1) & (part["score"] >= one.score)
        return (at_least & ((part["top1"] > one.top1) | (part["score"] > one.score))).any()

    front = front_of(part)
    assert set(front) == {row.Index for row in part.itertuples() if not beaten(row)}
    assert part.loc[front, "top1"].is_monotonic_increasing and 3 < len(front) < 30


@pytest.mark.parametrize(
    "network, expected",
    [
        ("convnext_tiny", "convnext"),
        ("resnet50.a1_in1k", "resnet"),
        ("fastvit_sa24_dcls", "fastvit"),
        ("micro_caformer_s18", "caformer"),
        ("tf_efficientnet_b0.in1k", "efficientnet"),
        ("vgg.tv_in1k", "vgg"),
        ("resnetv2_50d", "resnet"),
        ("v2net", "v"),
        ("2net", "2net"),
    ],
)
def test_the_family_of_a_network(network, expected):
    assert family(network) == expected


def test_networks_of_the_paper_have_the_colours_of_dcls():
    figure = drawn(summary_of(0))
    looks = set(dots(figure.axes[0]).values())
    assert looks == {(to_hex(colour), to_hex(colour)) for colour in COLOURS}
    assert figure.get_figwidth() == WIDTH
    words = words_of(figure)
    assert all(name in words for name in PAPER_ORDER) and "leaderboard" not in words


def test_other_networks_have_the_colour_of_their_family():
    table = summary_of(300)
    axes = drawn(table).axes[0]
    part, looks = scores_of(table, "grad_cam"), dots(axes)
    where = {name: (row.top1, row.score) for name, row in part.iterrows()}
    colours = {name: looks[place] for name, place in where.items()}
    assert len({colour for colour, _ in colours.values()}) == len(FAMILY_COLOURS) + 1
    plain, with_dcls = colours["convnext_base"], colours["convnext_base_dcls"]
    assert plain[0] == plain[1] == with_dcls[0] and with_dcls[1] == to_hex("white")
    counts = part["model"].map(family).value_counts()
    for name in part.index:
        rank = (counts > counts[family(name)]).sum()
        if rank >= len(FAMILY_COLOURS):
            assert colours[name][0] == to_hex(OTHER_FAMILIES)
    legend = words_of(axes.figure)
    for words in ("open: with DCLS", "other families", counts.index[0], "Pareto front"):
        assert words in legend


def test_few_networks_all_have_a_name():
    table = summary_of(MOST_LABELS - len(PAPER_ORDER))
    names = chosen_labels(scores_of(table, "grad_cam"), pairs(table))
    assert sorted(names) == sorted(set(table["model"]))


def test_of_many_networks_those_asked_for_the_front_and_the_papers_have_a_name():
    table = summary_of(300)
    part = scores_of(table, "grad_cam")
    front = set(front_of(part))
    asked = sorted(set(table["network"]) - front)[-3:]
    names = chosen_labels(part, pairs(table), asked)
    assert len(names) <= MOST_LABELS
    assert set(asked) | front <= set(names.values())
    assert set(PAPER_ORDER) <= set(names)
    every = list(table["network"].unique())[:40]  # more than there is room for
    names = chosen_labels(part, pairs(table), every)
    assert len(names) == MOST_LABELS and set(names.values()) <= set(every)


def test_two_pairs_of_one_plain_network_both_have_a_name():
    table = summary((80.0, 82.0))
    other = table[table["dcls"] == 1].assign(network="wide", top1=79.0, score=0.3, low=0.2)
    table = pd.concat([table, other], ignore_index=True)
    words = words_of(drawn(table))
    assert "resnet50 / wide" in words and words.count("resnet50") == 4


def test_networks_without_top1_are_no_dots_without_a_name():
    table = summary_of(12)
    table.loc[table["network"] == "resnet50", "top1"] = np.nan
    table.loc[table["network"] == "resnet50_dcls", "top1"] = np.nan
    words = words_of(drawn(table))
    assert "leaderboard" not in words and "resnet50 " not in words


def test_what_was_asked_for_and_is_not_there_is_said():
    figure = drawn(summary(), "", None, ["resnet50", "vgg16"])
    assert "Not drawn, without a top-1 or a score: vgg16." in words_of(figure)


@pytest.mark.parametrize("count", [0, 12, 300])
def test_the_figure_is_quick_and_no_text_covers_another(count):
    table = summary_of(count)
    began = time.process_time()
    figure = drawn(table, "A note.", references())
    assert time.process_time() - began < 10  # about 1 s for 300 networks
    with mpl.rc_context(STYLE):
        figure.draw_without_rendering()
        check_texts(texts_of(figure), figure)
    words = words_of(figure)
    assert "(a) centred Gaussian 0.57" in words
    assert ("The leaderboard names the other dots." in words) == (count == 300)
    bands = [line for line in figure.axes[0].lines if np.ptp(line.get_ydata()) == 0]
    assert 0.57 in [line.get_ydata()[0] for line in bands]


def test_the_script_draws_bands_and_names(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(plot_accuracy, "save", lambda figure, paths: figures.append(figure))
    table = summary_of(40)
    table.to_csv(tmp_path / "summary.csv", index=False)
    correlate_with_score(table).to_csv(tmp_path / "correlations.csv", index=False)
    references().to_csv(tmp_path / "references.csv", index=False)
    name = table["network"].iloc[0]
    plot_accuracy.main(
        ["--summary", str(tmp_path / "summary.csv"), "--references"]
        + [str(tmp_path / "references.csv"), "--correlations", str(tmp_path / "correlations.csv")]
        + ["--label", name, "--output", str(tmp_path / "a.png")]
    )
    words = words_of(figures[0])
    assert name in words and "centred Gaussian" in words
