"""The figure of scores by stratum: what is drawn, and what is said where nothing can be."""

import numpy as np
import pandas as pd
import plot_strata
import pytest
import small_study
from drawn_texts import check_texts, texts_of, words_of
from human_alignment.common.cli import UserError
from human_alignment.outcome.strata_figure import scores_by_stratum
from human_alignment.outcome.style import COLOURS
from human_alignment.scores.pairs import PAPER_ORDER

STRATA = {
    "class": [f"class {number}" for number in range(10)],
    "object_area": ["small (up to 0.13)", "medium (up to 0.24)", "large"],
    "centre_distance": ["central (up to 0.12)", "between (up to 0.23)", "peripheral"],
    "prediction": ["right", "wrong"],
}
GROUPS = {"superclass": ["dogs", "other animals", "everything else"]}
SIXTEEN = [*PAPER_ORDER, *(f"{name}_other" for name in PAPER_ORDER)]


def table(models=("resnet50",), kinds=(0, 1), strata=STRATA, explainer="threshold_grad_cam"):
    """Rows of strata.csv with scores of their own."""
    rows = [
        {"model": model, "dcls": dcls, "explainer": explainer, "stratification": kind}
        | {"stratum": stratum}
        for model in models
        for dcls in kinds
        for kind, names in strata.items()
        for stratum in names
    ]
    score = np.random.default_rng(0).uniform(0.3, 0.6, len(rows))
    ends = {"score": score, "low": score - 0.05, "high": score + 0.05}
    return small_study.named(pd.DataFrame(rows).assign(**ends))


def points(figure, colour):
    """Scores drawn in a colour by the top panels, and how many bars."""
    lines = [line for axes in figure.axes[:-1] for line in axes.lines]
    own = [line for line in lines if line.get_color() == colour]
    marks = [float(line.get_xdata()[0]) for line in own if line.get_marker() != "None"]
    return marks, sum(line.get_marker() == "None" for line in own)


def test_every_stratum_of_plain_and_dcls_is_drawn_with_its_interval():
    drawn = table()
    figure = scores_by_stratum(drawn, "A note.")
    for dcls in (0, 1):
        own = drawn[(drawn["dcls"] == dcls) & (drawn["stratification"] != "class")]
        marks, bars = points(figure, COLOURS[dcls])
        assert sorted(marks) == sorted(own["score"]) and bars == len(own) == 8
    words = words_of(figure)
    for word in ("Threshold-Grad-CAM", "small (up to 0.13)", "peripheral", "wrong", "A note."):
        assert word in words
    assert "kind of class" not in words and "highest" not in words
    assert all(name in words for name in STRATA["class"])
    assert len({axes.get_xlim() for axes in figure.axes[:-1]}) == 1


def test_of_many_classes_the_highest_and_lowest_means_are_shown():
    strata = STRATA | {"class": [f"class {number}" for number in range(14)]}
    drawn = table(("resnet50", "convnext_tiny"), strata=strata)
    drawn.loc[drawn["stratum"] == "class 4", "score"] = np.nan
    classes = drawn[drawn["stratification"] == "class"]
    means = classes.groupby("stratum")["score"].mean().dropna().sort_values(ascending=False)
    figure = scores_by_stratum(drawn)
    names = [label.get_text() for label in figure.axes[-1].get_yticklabels()]
    assert names == [*means.index[:5], *means.index[-5:]]
    assert "the 5 highest and the 5 lowest of 13" in words_of(figure)
    large = [line for line in figure.axes[-1].lines if line.get_markersize() == 3.5]
    plain = classes[classes["dcls"] == 0].groupby("stratum")["score"].mean()
    np.testing.assert_allclose(large[0].get_xdata(), plain[names])


def test_the_mean_of_a_class_has_the_mean_interval_of_its_networks():
    drawn = table(("resnet50", "convnext_tiny"))
    drawn["low"] = drawn["score"] - np.linspace(0.01, 0.4, len(drawn))
    axes = scores_by_stratum(drawn).axes[-1]
    names = [label.get_text() for label in axes.get_yticklabels()]
    own = drawn[drawn["stratification"] == "class"]
    classes = own.groupby(["dcls", "stratum"])
    for dcls, bars in enumerate(axes.collections):
        low, high = np.array([bar[:, 0] for bar in bars.get_segments()]).T
        np.testing.assert_allclose(low, classes["low"].mean()[dcls][names])
        np.testing.assert_allclose(high, classes["high"].mean()[dcls][names])
    left, right = axes.get_xlim()
    assert left < own["low"].min() and own["high"].max() < right


@pytest.mark.parametrize(
    "models, kinds, strata",
    [
        (PAPER_ORDER, (0, 1), GROUPS | STRATA),
        (SIXTEEN, (0,), STRATA),
        (["resnet50"], (0,), STRATA),
        (["resnet50"], (1,), STRATA),
        (["resnet50"], (0, 1), {"object_area": STRATA["object_area"]}),
    ],
    ids=["eight-pairs", "without-dcls", "one-network", "one-dcls", "no-labels"],
)
def test_texts_are_legible_and_clear_of_each_other(models, kinds, strata):
    figure = scores_by_stratum(table(models, kinds, strata), "A note that the study has.")
    figure.draw_without_rendering()
    check_texts(texts_of(figure), figure)
    words = words_of(figure)
    assert ("with DCLS" in words) == (1 in kinds) and ("without DCLS" in words) == (0 in kinds)
    assert ("No classes" in words) == ("class" not in strata)
    assert ("everything else" in words) == ("superclass" in strata)


def test_gaps_are_said():
    drawn = table()
    drawn.loc[drawn["stratum"] == "wrong", ["score", "low", "high"]] = np.nan
    drawn.loc[drawn["stratum"] == "large", ["low", "high"]] = np.nan
    words = words_of(scores_by_stratum(drawn))
    assert "Strata without a point have no image" in words and "without a bar" in words
    assert "without a point" not in words_of(scores_by_stratum(table()))


def test_another_explainer_is_shown_where_the_papers_is_missing():
    assert "HiResCAM" in words_of(scores_by_stratum(table(explainer="hires_cam")))


@pytest.mark.parametrize("rows", [0, None])
def test_no_score_is_said_in_the_figures_place(tmp_path, rows):
    nothing = table().assign(score=np.nan, low=np.nan, high=np.nan)[:rows]
    assert "No image has a score" in words_of(scores_by_stratum(nothing))
    nothing.to_csv(tmp_path / "strata.csv", index=False)
    output = ["--output", str(tmp_path / "a.png"), str(tmp_path / "a.pdf")]
    plot_strata.main(["--strata", str(tmp_path / "strata.csv"), *output])
    assert min((tmp_path / f"a.{ending}").stat().st_size for ending in ("png", "pdf")) > 1000


def test_a_table_of_something_else_is_refused(tmp_path):
    (tmp_path / "t.csv").write_text("model,score\na,1\n")
    with pytest.raises(UserError, match="lacks the column network, explainer"):
        plot_strata.main(["--strata", str(tmp_path / "t.csv"), "--output", "a.png"])
