"""The leaderboard: ranks, references in between, and what its page and its CSV file hold."""

import make_leaderboard
import numpy as np
import pandas as pd
import pytest
from human_alignment.common.cli import UserError
from human_alignment.outcome.leaderboard import leaderboard, meanings, page_table, remarks
from human_alignment.outcome.preference import ranking_explainer
from human_alignment.scores.pairs import PAPER_ORDER
from human_alignment.scores.summary import papers_explainers
from many_networks import CEILING, references, skill_of, summary_of

THRESHOLD = "threshold_grad_cam"


@pytest.fixture
def files(tmp_path):
    """Arguments of the script, for a study of 300 networks beside the paper's."""
    summary = summary_of(300)
    tables = {"summary": summary, "skill": skill_of(summary), "references": references()}
    for name, table in tables.items():
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    return [word for name in tables for word in (f"--{name}", str(tmp_path / f"{name}.csv"))]


def texts(table):
    """Cells of a page's table by network and column."""
    rows = [dict(zip(table.header, [cell.text for cell in row], strict=True)) for row in table.rows]
    return {row["Network"]: row for row in rows}


def test_networks_are_ranked_by_threshold_grad_cam():
    summary = summary_of(20)
    table = leaderboard(summary)
    scores = summary[summary["explainer"] == THRESHOLD].set_index("network")["score"]
    assert table["network"].tolist() == scores.sort_values(ascending=False).index.tolist()
    assert table["rank"].tolist() == list(range(1, 37))
    assert np.allclose(table[THRESHOLD], scores.sort_values(ascending=False))
    assert table["gain"].notna().sum() == len(PAPER_ORDER)
    row = table.set_index("network").loc["resnet50_dcls"]
    assert row["gain"] == pytest.approx(scores["resnet50_dcls"] - scores["resnet50"])
    assert (row["family"], row["dcls"]) == ("resnet", 1)


def test_equal_scores_share_a_rank_and_a_network_without_a_score_has_none():
    summary = summary_of(0).query("dcls == 0").reset_index(drop=True)
    summary.loc[summary["network"].isin(PAPER_ORDER[:2]), "score"] = 0.99
    lost = summary["network"] == "resnet50"
    summary.loc[lost, ["mean_rho", "score", "low", "high"]] = np.nan
    table = leaderboard(summary)
    assert table["rank"].tolist()[:3] == [1, 1, 3]
    assert table["network"].iloc[-1] == "resnet50" and pd.isna(table["rank"].iloc[-1])
    shown = page_table(table, papers_explainers(summary["explainer"]))
    assert texts(shown)["resnet50"]["Grad-CAM"] == "undefined"
    assert "undefined: no image has a defined score." in remarks(shown)
    assert "Gain by DCLS" not in shown.header and "Skill" not in shown.header


@pytest.mark.parametrize(
    "explainers, ranking",
    [
        (["grad_cam", THRESHOLD, "layer_cam"], THRESHOLD),
        (["grad_cam", "layer_cam"], "grad_cam"),
        (["rise", "layer_cam"], "layer_cam"),
    ],
)
def test_a_study_without_the_papers_explainer_is_ranked_by_its_first(explainers, ranking):
    summary = summary_of(0)
    parts = [summary[summary["explainer"] == THRESHOLD].assign(explainer=e) for e in explainers]
    summary = pd.concat(parts, ignore_index=True)
    assert ranking_explainer(summary) == ranking
    table = leaderboard(summary)
    assert ranking in table and table[ranking].is_monotonic_decreasing
    shown = papers_explainers(explainers)
    assert [name for name in explainers if name in table] == [e for e in explainers if e in shown]


def test_references_stand_between_networks_without_a_rank():
    summary = summary_of(20)
    table = leaderboard(summary, None, references())
    assert table[THRESHOLD].dropna().is_monotonic_decreasing
    rows = table[table["family"] == "reference"].set_index("network")
    assert rows["rank"].isna().all() and rows["dcls"].isna().all()
    assert rows.loc["centred Gaussian", ["grad_cam", THRESHOLD]].tolist() == [0.57, 0.57]
    own, other = "Grad-CAM map of another image", "Threshold-Grad-CAM map of another image"
    assert rows.loc[own, "grad_cam"] == 0.35 and pd.isna(rows.loc[own, THRESHOLD])
    assert rows.loc[other, THRESHOLD] == 0.4 and pd.isna(rows.loc[other, "grad_cam"])
    assert "local contrast" not in rows.index  # it has no score
    assert table["rank"].dropna().tolist() == list(range(1, 37))
    cells = texts(page_table(table, ["grad_cam", THRESHOLD]))
    assert cells["centred Gaussian"]["Grad-CAM"] == "0.570 [0.560, 0.580]"
    empty = {"Rank": "", "DCLS": "", "Parameters": "", "Top-1 (%)": "", "Threshold-Grad-CAM": ""}
    assert cells[own] == cells[own] | empty


def test_skill_is_that_against_the_centre_of_the_ranking_explainer():
    summary = summary_of(5)
    table = leaderboard(summary, skill_of(summary)).set_index("network")
    scores = summary[summary["explainer"] == THRESHOLD].set_index("network")["mean_rho"]
    expected = (scores - 0.57 * CEILING) / (CEILING - 0.57 * CEILING)
    assert np.allclose(table["skill"], expected[table.index])
    assert np.allclose(table["skill_high"] - table["skill"], 0.02)
    row = texts(page_table(table.reset_index(), [THRESHOLD]))["resnet50"]
    value = expected["resnet50"]
    assert row["Skill"] == f"{value:.3f} [{value - 0.02:.3f}, {value + 0.02:.3f}]"


def test_several_trainings_and_few_images_are_said():
    runs = [summary_of(0, images=60).assign(run=f"seed{k}") for k in (0, 1)]
    runs[1]["score"] += 0.02
    summary = pd.concat(runs, ignore_index=True)
    shown = page_table(leaderboard(summary), [THRESHOLD])
    cell = texts(shown)["resnet50"]["Threshold-Grad-CAM"]
    assert " ± 0.014† [" in cell
    assert "†: from fewer than 100 images." in remarks(shown)


def test_every_column_is_explained():
    summary = summary_of(2)
    shown = page_table(leaderboard(summary, skill_of(summary)), ["grad_cam", THRESHOLD])
    assert set(shown.header) == set(meanings(summary))
    assert "divided by the human ceiling 0.65753" in meanings(summary)["Threshold-Grad-CAM"]
    assert remarks(shown, "A note.") == ["A note."]


def test_the_script_writes_a_page_and_its_csv(files, tmp_path):
    make_leaderboard.main([*files, "--output", str(tmp_path / "l.html"), "--note", "A note."])
    table = pd.read_csv(tmp_path / "l.csv")
    assert len(table) == 300 + 16 + 4 and table["rank"].max() == 316
    page = (tmp_path / "l.html").read_text()
    assert len(page) < 1_000_000 and page.count("<tr>") == 321
    assert 'type="search"' in page and "A note." in page and "centred Gaussian" in page
    make_leaderboard.main([*files[:2], "--output", str(tmp_path / "m.html")])
    assert "centred Gaussian" not in (tmp_path / "m.html").read_text()
    make_leaderboard.main(
        [*files, "--output", str(tmp_path / "n.html"), "--csv", str(tmp_path / "own.csv")]
    )
    assert (tmp_path / "own.csv").read_text() == (tmp_path / "l.csv").read_text()
    assert not (tmp_path / "n.csv").exists() and "own.csv" in (tmp_path / "n.html").read_text()


def test_a_wrong_table_is_refused_and_nothing_is_written(files, tmp_path):
    (tmp_path / "skill.csv").write_text("network,explainer,reference,skill,low\na,b,c,1,1\n")
    with pytest.raises(UserError, match=r"skill.csv lacks the column high"):
        make_leaderboard.main([*files, "--output", str(tmp_path / "l.html")])
    assert not list(tmp_path.glob("l.*"))


def test_only_a_long_table_has_a_search_box(tmp_path):
    for count, boxes in ((4, 0), (5, 1)):  # beside the paper's sixteen networks
        summary_of(count).to_csv(tmp_path / "summary.csv", index=False)
        make_leaderboard.main(
            ["--summary", str(tmp_path / "summary.csv"), "--output", str(tmp_path / "l.html")]
        )
        assert (tmp_path / "l.html").read_text().count('type="search"') == boxes
