"""Images that stand in several records: every interval and comparison is over images."""

import collect_sweeps
import evaluate_measures
import numpy as np
import pandas as pd
import pytest
import small_study
import sweep_threshold
from human_alignment.data.data_file import DataFile, images_line
from human_alignment.scores.bootstrap import bootstrap_interval
from human_alignment.scores.collected import collect
from human_alignment.scores.comparisons import StudyRho, compare
from human_alignment.scores.measure_means import measures_table, read_measures
from human_alignment.scores.score_file import read_scores
from human_alignment.scores.spearman import CAUSES

RECORDS = 40
SHOWN = np.arange(RECORDS) % 25  # images 0 to 14 stand in two records, 15 to 24 in one


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return small_study.make(tmp_path_factory.mktemp("repeats"), RECORDS, repeats=SHOWN)


COUNTED = [f"n_{cause}" for cause in CAUSES]


def summarised(path, explainer):
    """The row of the summary of one run's explainer."""
    table = collect([path], [])
    return table[table["explainer"] == explainer].iloc[0]


def by_hand(rho):
    """Mean of an image's records that are defined, image by image."""
    means = [rho[number == SHOWN] for number in range(25)]
    means = [own[~np.isnan(own)] for own in means]
    return np.array([own.mean() for own in means if len(own)])


def test_the_data_file_and_the_scores_know_the_images(study):
    with DataFile(study.data) as data:
        assert data.groups.tolist() == SHOWN.tolist()
    assert images_line(study.data).endswith(
        "40 records of 25 images, 15 of them in several records"
    )
    found = read_scores(study.scores[0])
    assert found.scores["grad_cam"].groups.tolist() == SHOWN.tolist()


@pytest.mark.parametrize("place", [0, 2])  # of `odd` some maps are undefined
def test_the_mean_and_its_interval_are_over_images(study, place):
    summary = summarised(study.scores[place], "grad_cam")
    rho = read_scores(study.scores[place]).scores["grad_cam"].rho
    values = by_hand(rho)
    assert (summary["n"], summary["n_images"], summary["n_records"]) == (len(values), 25, 40)
    assert summary["mean_rho"] == pytest.approx(values.mean(), abs=1e-15)
    assert summary["mean_rho_of_records"] == pytest.approx(np.nanmean(rho), abs=1e-15)
    ends = bootstrap_interval(values)
    assert (summary["low"], summary["high"]) == pytest.approx(ends, abs=1e-12)
    assert summary["human_ceiling"] is None
    causes = summary[[name for name in summary.index if name in COUNTED]]
    assert causes.sum() == 40 - np.isfinite(rho).sum()


def test_networks_are_compared_over_images(study, tmp_path):
    rho = StudyRho(study.scores)
    for name in small_study.MODELS:
        own = rho.compared(name)
        assert [one.images.tolist() for one in own.values()] == [list(range(25))] * 2
    table = compare(rho, collect(study.scores, [], resamples=100), resamples=100)
    found = table[table["network"] == "near"].iloc[0]
    a, b = (
        read_scores(study.scores[0]).scores[name].rho for name in ("threshold_grad_cam", "grad_cam")
    )
    assert found["n"] == len(by_hand(a))
    assert found["difference"] == pytest.approx(by_hand(a).mean() - by_hand(b).mean(), abs=1e-14)


def test_further_measures_sweep_and_sensitivity_are_over_images(study, tmp_path):
    both = ["--data", str(study.data), "--heatmaps", str(study.heatmaps[0])]
    path = tmp_path / "near" / "seed0.measures.parquet"
    path.parent.mkdir()
    evaluate_measures.main([*both, "--measures", "pearson", "--output", str(path)])
    table = read_measures(path)
    row = measures_table([path], resamples=100, seed=0).iloc[0]
    own = table[table["explainer"] == row["explainer"]]["pearson"].to_numpy()
    assert row["n"] == len(by_hand(own))
    assert row["mean"] == pytest.approx(by_hand(own).mean(), abs=1e-15)
    swept = tmp_path / "near" / "seed0.sweep.h5"
    sweep_threshold.main([*both, "--thresholds", "[0.3, 0.6]", "--output", str(swept)])
    outputs = ["--curves", str(tmp_path / "s.csv"), "--output", str(tmp_path / "t.csv")]
    outputs += ["--markdown", str(tmp_path / "t.md"), "--threshold", "0.3"]
    collect_sweeps.main([str(swept), *outputs])
    summary = summarised(study.scores[0], "threshold_grad_cam")
    row = pd.read_csv(tmp_path / "s.csv").iloc[0]
    for name in ("n", "mean_rho", "low", "high"):
        assert row[name] == pytest.approx(summary[name], abs=1e-12)
    assert pd.read_csv(tmp_path / "t.csv").iloc[0]["n"] == summary["n"]


def test_the_table_of_summaries_counts_records_beside_images(study):
    table = collect(study.scores, [], resamples=100)
    assert set(table["n_images"]) == {25} and set(table["n_records"]) == {40}
