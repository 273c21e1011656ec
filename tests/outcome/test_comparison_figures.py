"""Figures of comparisons and protocols: what is drawn, and what is said where nothing can be."""

import collect_sensitivity
import collect_sweeps
import numpy as np
import pandas as pd
import plot_comparisons
import plot_sensitivity
import plot_threshold_sweep
import pytest
import small_study
from human_alignment.heatmaps.explainers import EXPLAINERS
from human_alignment.outcome.comparison_figures import paired_differences
from human_alignment.outcome.protocol_figures import sensitivity, threshold_sweep
from human_alignment.outcome.style import COLOURS, EXPLAINER_LOOKS, save
from human_alignment.scores.bootstrap import bootstrap_interval
from human_alignment.scores.protocol import PAPER, RELEASED
from human_alignment.scores.protocol_variants import ALL, BASE, sweep_protocols
from human_alignment.scores.sensitivity import COLUMNS


def texts(figure):
    figure.draw_without_rendering()
    found = [text.get_text() for text in figure.findobj(lambda a: hasattr(a, "get_text"))]
    return " ".join(found)


@pytest.fixture
def differences():
    rows = [
        ("dcls - plain", "convnext_tiny", "grad_cam", 0.1, 0.05, 0.15, 0.01, 0.7),
        ("dcls - plain", "resnet50", "grad_cam", -0.02, -0.06, 0.02, 0.4, 0.48),
    ]
    columns = ["comparison", "model", "explainer", "difference", "low", "high", "p_holm"]
    table = pd.DataFrame(rows, columns=[*columns, "superiority"])
    return table.assign(network=table["model"] + "_dcls")


def test_significant_differences_are_filled_others_hollow(differences):
    figure = paired_differences(differences)
    said = texts(figure)
    assert "convnext_tiny" in said and "0.70" in said and "0.48" in said
    marks = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    hollow = {float(line.get_xdata()[0]): line.get_markerfacecolor() == "white" for line in marks}
    assert hollow == {0.1: False, -0.02: True}


def test_a_difference_whose_interval_holds_zero_is_not_drawn_as_found(differences):
    row = differences.iloc[[1]].assign(difference=-0.0006, low=-0.004, high=0.003, p_holm=0.01)
    (mark,) = [line for line in paired_differences(row).axes[0].lines if line.get_marker() == "o"]
    assert mark.get_markerfacecolor() == "white"


def test_the_column_at_the_right_has_a_header_above_its_numbers(differences):
    figure = paired_differences(differences)
    figure.draw_without_rendering()
    texts = {text.get_text(): text.get_window_extent() for text in figure.axes[0].texts}
    header = texts.pop("closer")
    assert set(texts) == {"0.70", "0.48"}
    assert all(header.y0 >= box.y1 and abs(header.x0 - box.x0) < 1 for box in texts.values())


def test_an_explainer_looks_the_same_whatever_else_a_study_has(differences):
    """By its name, and unlike any other explainer, and unlike networks with and without DCLS."""
    assert list(EXPLAINER_LOOKS) == [*EXPLAINERS, "saliency", "rise"]
    colours, marks = zip(*EXPLAINER_LOOKS.values(), strict=True)
    assert len(set(colours)) == len(set(marks)) == len(colours)
    assert not set(colours) & set(COLOURS)
    for names in (["layer_cam"], ["grad_cam", "layer_cam"], ["layer_cam", "eigen_cam", "rise"]):
        table = pd.concat(differences.assign(explainer=name) for name in names)
        lines = paired_differences(table).axes[0].lines
        looks = {(one.get_color(), one.get_marker()) for one in lines if one.get_marker() != "None"}
        assert looks == {EXPLAINER_LOOKS[name] for name in names}


def test_comparisons_under_controls_are_not_in_the_figure(differences):
    more = differences.assign(comparison="dcls - plain, up to 1 cycle", model="other")
    figure = paired_differences(pd.concat([differences, more.assign(explainer="layer_cam")]))
    assert len(figure.axes) == 1
    said = texts(figure)
    assert "other" not in said and "LayerCAM" not in said


def test_nothing_to_compare_is_said(tmp_path):
    empty = pd.DataFrame(columns=["comparison", "model", "explainer"])
    assert "No two networks" in texts(paired_differences(empty))
    empty.to_csv(tmp_path / "comparisons.csv", index=False)
    plot_comparisons.main(
        ["--comparisons", str(tmp_path / "comparisons.csv"), "--output", str(tmp_path / "a.png")]
    )
    assert (tmp_path / "a.png").stat().st_size > 1000


@pytest.fixture
def figures(monkeypatch):
    """The figures that the two scripts draw."""
    drawn = []

    def keep(figure, paths):
        drawn.append(figure)
        save(figure, paths)

    for script in (plot_threshold_sweep, plot_sensitivity):
        monkeypatch.setattr(script, "save", keep)
    return drawn


def write_run(folder, model, offset, n=600, ceiling=None):
    folder = folder / model
    folder.mkdir()
    protocols = sweep_protocols(RELEASED, [0, 0.3, 0.6])
    rho = np.full(600, np.nan)
    rho[:n] = np.linspace(-0.05, 0.05, n) if n > 1 else 0
    by_name = dict(zip(protocols, (rho + one + offset for one in (0.2, 0.3, 0.4)), strict=True))
    path, given = folder / "seed0.sweep.h5", {"threshold_grad_cam": by_name}
    small_study.write_variant_file(path, protocols, given, human_ceiling=ceiling)


@pytest.mark.parametrize("ceiling", [0.65753, None])
def test_sweep_scripts_gather_draw_and_mark_few_images(tmp_path, figures, ceiling):
    write_run(tmp_path, "resnet50", 0.0, n=1, ceiling=ceiling)
    write_run(tmp_path, "resnet50_dcls", 0.1, n=40, ceiling=ceiling)
    runs = [str(tmp_path / model / "seed0.sweep.h5") for model in ("resnet50", "resnet50_dcls")]
    collect_sweeps.main(
        [*runs, "--threshold", "0.3", "--curves", str(tmp_path / "c.csv")]
        + ["--output", str(tmp_path / "t.csv"), "--markdown", str(tmp_path / "t.md")]
    )
    plot_threshold_sweep.main(
        ["--curves", str(tmp_path / "c.csv"), "--best", str(tmp_path / "t.csv")]
        + ["--threshold", "0.3", "--output", str(tmp_path / "a.png")]
    )
    assert (tmp_path / "a.png").stat().st_size > 1000
    assert ("human ceiling 0.65753" in texts(figures[0])) == (ceiling is not None)
    assert "mean Spearman ρ" in texts(figures[0])
    table, divisor = pd.read_csv(tmp_path / "t.csv").set_index("dcls"), ceiling or 1
    assert table.loc[1, "best"] == 0.6 and table.loc[1, "usual_score"] == pytest.approx(
        0.4 / divisor
    )
    assert np.isnan(table.loc[0, "best"])
    lines = (tmp_path / "t.md").read_text().splitlines()
    (with_dcls,) = [line for line in lines if line.startswith("| resnet50_dcls")]
    shown = "{score:.3f}† [{low:.3f}, {high:.3f}]".format(**table.loc[1])
    assert shown in with_dcls and f"{0.4 / divisor:.3f}" in with_dcls
    assert table.loc[1, "low"] < table.loc[1, "score"] < table.loc[1, "high"]
    assert table.loc[1, "score"] == pytest.approx(0.5 / divisor)
    (plain,) = [line for line in lines if line.startswith("| resnet50 ")]
    assert "undefined" in plain
    assert "†: from fewer than 100 images." in "\n".join(lines)


def test_sweep_without_any_score_says_so():
    table = pd.DataFrame(
        {"model": ["a"], "dcls": [0], "run": ["seed0"], "network": ["a"], "threshold": [0.3]}
        | {"score": [np.nan], "low": [np.nan], "high": [np.nan]}
    )
    choices = pd.DataFrame({"network": ["a"], "best": [np.nan]})
    assert "no score" in texts(threshold_sweep(table, choices, "score", 0.3))


@pytest.mark.parametrize("ceiling", [0.65753, None])
def test_sensitivity_scripts_write_table_and_scores_under_paper(tmp_path, figures, ceiling):
    protocols = {BASE: RELEASED, "resize": RELEASED.changed(resize="first"), ALL: PAPER}
    rho, paths = np.linspace(-0.05, 0.05, 600), []
    some = np.where(np.arange(600) < 90, 0.4 + np.linspace(-0.05, 0.05, 600), np.nan)
    for model, before in (("resnet50", 0.3), ("resnet50_dcls", 0.5)):
        given = {BASE: rho + before, "resize": rho + 0.45 - before / 10, ALL: some}
        paths.append(tmp_path / model / "seed0.sensitivity.h5")
        small_study.write_variant_file(
            paths[-1], protocols, {"grad_cam": given}, human_ceiling=ceiling
        )
    collect_sensitivity.main(
        [*map(str, paths), "--output", str(tmp_path / "t.csv")]
        + ["--markdown", str(tmp_path / "t.md"), "--paper-protocol", str(tmp_path / "p.csv")]
    )
    plot_sensitivity.main([str(tmp_path / "t.csv"), "--output", str(tmp_path / "a.png")])
    assert (tmp_path / "a.png").stat().st_size > 1000
    assert ("human ceiling 0.65753" in texts(figures[0])) == (ceiling is not None)
    assert "change of the score" in texts(figures[0])
    table = pd.read_csv(tmp_path / "t.csv")
    with_dcls = table[table["dcls"] == 1]  # 0.5 - 0.3 before; 0.4 - 0.42 and equal after
    assert with_dcls["sign_changes"].tolist() == [True] * 2
    paper = pd.read_csv(tmp_path / "p.csv")
    columns = ["model", "dcls", "run", "network", "explainer", "score", "low", "high", "n"]
    assert list(paper) == columns
    assert paper["dcls"].tolist() == [0, 1] and paper["n"].tolist() == [90, 90]
    ends = bootstrap_interval(some[:90])
    for row in paper.to_dict("records"):
        assert (row["low"], row["high"]) == pytest.approx(ends, abs=1e-12)
    assert f"{some[:90].mean():.3f}†" in (tmp_path / "t.md").read_text()


def test_equal_protocols_are_said():
    empty = pd.DataFrame(columns=["model", "dcls", "run", *COLUMNS])
    assert "No score changes" in texts(sensitivity(empty, "score"))


def changes(**of_explainer):
    """Rows of sensitivity.csv of two networks; by explainer, the change by each field."""
    rows = [
        {"model": "resnet50", "dcls": dcls, "run": "seed0", "network": f"resnet50{'_dcls' * dcls}"}
        | {"field": field, "value": "first", "explainer": explainer, "score": 0.5 + change}
        | {"difference": change, "low": change - 0.02, "high": change + 0.03}
        for explainer, fields in of_explainer.items()
        for field, change in fields.items()
        for dcls in (0, 1)
    ]
    return pd.DataFrame(rows)


def test_changes_have_intervals_and_panels_the_scores_that_they_start_from():
    figure = sensitivity(changes(grad_cam={"resize": 0.1}), "score")
    (axes,) = figure.axes
    bars = [bar[:, 0].tolist() for lines in axes.collections for bar in lines.get_segments()]
    assert np.allclose(bars, [[0.08, 0.13]] * 2)
    assert "baseline: 0.500 plain, 0.500 DCLS" in texts(figure)


def test_fields_without_effect_have_no_row_and_explainers_without_effect_one_line():
    of_threshold = {"geometry": 0, "resize": 0.1, "normalisation": 0.0}
    table = changes(
        grad_cam=dict.fromkeys(of_threshold, 0.0),
        threshold_grad_cam=of_threshold,
        layer_cam={"geometry": 0, "resize": 0, "normalisation": -0.1},
    )
    figure = sensitivity(table, "score")
    said = texts(figure)
    above, middle, below = figure.axes
    assert not above.axison and "no effect of any field" in said
    assert "No effect in this study: geometry: first." in said
    for axes in (middle, below):
        rows = [label.get_text() for label in axes.get_yticklabels()]
        assert rows == ["resize: first", "normalisation: first"]
    assert {"no effect"} < {text.get_text() for text in middle.texts}
    line, full = (axes.get_window_extent().height for axes in (above, middle))
    assert line < 0.7 * full


def test_fields_that_all_change_nothing_are_named():
    said = texts(sensitivity(changes(grad_cam={"resize": 0.0}), "score"))
    assert "No field of the protocol changes a score: resize: first." in " ".join(said.split())
