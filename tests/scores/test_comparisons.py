import numpy as np
import pandas as pd
import pytest
import small_study
from human_alignment.common.cli import UserError
from human_alignment.scores import bootstrap, comparisons
from human_alignment.scores.bootstrap import bootstrap_interval
from human_alignment.scores.comparisons import COMPARISONS, StudyRho
from human_alignment.scores.image_values import ImageValues, paired
from human_alignment.scores.pairs import network_of
from human_alignment.scores.statistics import correlate
from scipy import stats

DCLS, EXPLAINERS = comparisons.KINDS


@pytest.fixture(params=["csv", "parquet"])
def files(tmp_path, request):
    """Two networks, plain and DCLS, two seeds of one; DCLS is 0.1 better on every image."""
    random = np.random.default_rng(0)
    base = random.uniform(0.2, 0.6, 30)
    paths = []
    for name, gain, seeds in (("net", 0, [0]), ("net_dcls", 0.1, [0, 1]), ("alone", 0, [0])):
        for seed in seeds:
            plain = base + gain + (0.02 if seed else 0)
            rho = {"grad_cam": plain.copy(), "threshold_grad_cam": plain + 0.2}
            if name == "net":
                rho["grad_cam"][7] = np.nan
            paths.append(tmp_path / name / f"seed{seed}.{request.param}")
            small_study.write_score_file(paths[-1], [f"i{i}" for i in range(30)], rho)
    return paths


NETWORKS = pd.DataFrame(
    {
        "model": ["alone", "net", "net"],
        "dcls": [0, 1, 0],
        "network": ["alone", "net_dcls", "net"],
    }
)


def summary_of(networks, explainers=("grad_cam", "threshold_grad_cam")):
    """The columns of a summary that say who is in the study."""
    return networks.merge(pd.DataFrame({"explainer": explainers}), how="cross")


def compared(paths, networks, kind, explainers=("grad_cam", "threshold_grad_cam")):
    """Rows of one kind of the comparisons."""
    summary = summary_of(networks, explainers)
    table = comparisons.compare(StudyRho(paths), summary, resamples=200, seed=0)
    assert list(table) == [*COMPARISONS, "p_holm"]
    return table[table["comparison"] == kind].reset_index(drop=True)


def test_dcls_against_plain_is_paired_by_image_and_averaged_over_seeds(files):
    table = compared(files, NETWORKS, DCLS)
    assert list(table["model"]) == ["net", "net"]  # `alone` has no partner
    assert list(table["network"]) == ["net_dcls", "net_dcls"]
    np.testing.assert_allclose(table["difference"], 0.11)
    assert list(table["n"]) == [29, 30] and list(table["dropped"]) == [1, 0]
    assert (table["superiority"] == 1).all()
    assert (table["p_holm"] >= table["p_value"]).all() and (table["p_value"] < 1e-5).all()


def test_a_network_is_compared_with_the_twin_that_the_study_names(files):
    own = NETWORKS.assign(model="alone", dcls=[0, 1, 1])
    table = compared(files, own, DCLS)
    table = table[table["explainer"] == "grad_cam"].set_index("network")
    assert list(table["model"]) == ["alone / net_dcls", "alone / net"]
    assert table.loc["net_dcls", "difference"] == pytest.approx(0.11)
    assert table.loc["net", "difference"] == pytest.approx(0)


def test_explainers_are_compared_network_by_network(files):
    table = compared(files, NETWORKS, EXPLAINERS)
    assert list(table["model"]) == list(table["network"]) == ["alone", "net", "net_dcls"]
    np.testing.assert_allclose(table["difference"], 0.2)


def test_networks_stand_in_the_papers_order_whatever_the_order_of_files(tmp_path):
    names = ["resnet50", "convnext_tiny_dcls", "zebra", "resnet50_dcls", "convnext_tiny"]
    paths = [tmp_path / name / "seed0.csv" for name in names]
    for place, path in enumerate(paths):
        rho = {"threshold_grad_cam": [0.1 * place, 0.4], "grad_cam": [0.3, 0.2]}
        small_study.write_score_file(path, ["a", "b"], rho)
    networks = pd.DataFrame([network_of(path) for path in paths])
    table = comparisons.compare(StudyRho(paths), summary_of(networks), resamples=100)
    groups = {name: part for name, part in table.groupby("comparison", sort=False)}
    assert list(groups) == ["dcls - plain", "threshold_grad_cam - grad_cam"]
    first, second = groups.values()
    assert list(first["model"]) == ["convnext_tiny", "resnet50"] * 2
    assert list(first["explainer"]) == ["grad_cam"] * 2 + ["threshold_grad_cam"] * 2
    expected = ["convnext_tiny", "convnext_tiny_dcls", "resnet50", "resnet50_dcls", "zebra"]
    assert list(second["network"]) == expected


def test_an_image_undefined_in_one_run_is_undefined(tmp_path):
    paths = [tmp_path / "net" / f"seed{seed}.csv" for seed in (0, 1)]
    small_study.write_score_file(paths[0], ["a", "b"], {"grad_cam": [0.25, np.nan]})
    small_study.write_score_file(paths[1], ["a", "b"], {"grad_cam": [0.75, 0.5]})
    found = StudyRho(paths).compared("net")["grad_cam"]
    assert found.images.tolist() == [0, 1]
    assert found.values[0] == 0.5 and np.isnan(found.values[1])


def test_no_pair_gives_an_empty_table(files, tmp_path):
    assert compared(files[-1:], NETWORKS[:1], DCLS).empty
    path = tmp_path / "one" / "alone" / "seed0.csv"
    small_study.write_score_file(path, ["a", "b"], {"grad_cam": [0.5, 0.25]})
    table = comparisons.compare(StudyRho([path]), summary_of(NETWORKS[:1], ["grad_cam"]))
    assert table.empty and list(table) == [*COMPARISONS, "p_holm"]


def write_sample(path, images, rho, ids=None):
    """Scores of a sample of the images, a record each."""
    ids, more = ids or [f"image-{one}" for one in images], {"data_images": 99, "sampled": True}
    small_study.write_score_file(path, ids, {"rise": rho}, groups=np.array(images), **more)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_an_image_of_only_one_sample_is_dropped_and_the_others_are_paired(tmp_path, ending):
    paths = [tmp_path / name / f"seed0.{ending}" for name in ("net", "net_dcls")]
    write_sample(paths[0], [1, 2, 4, 9], [0.1, 0.2, 0.4, np.nan])
    write_sample(paths[1], [2, 3, 4, 9], [0.25, 0.9, 0.5, 0.3])
    (row,) = compared(paths, NETWORKS[1:], DCLS, ["rise"]).to_dict("records")
    assert (row["n"], row["dropped"]) == (2, 3)
    assert row["difference"] == pytest.approx((0.05 + 0.1) / 2, abs=1e-12)
    ends = bootstrap_interval([0.25 - 0.2, 0.5 - 0.4], resamples=200)
    assert (row["low"], row["high"]) == pytest.approx(ends, abs=1e-12)
    assert row["superiority"] == 1


def test_one_shared_image_has_an_infinite_interval_and_none_no_row(tmp_path):
    paths = [tmp_path / name / "seed0.parquet" for name in ("net", "net_dcls")]
    write_sample(paths[0], [1, 2], [0.1, 0.2])
    write_sample(paths[1], [2, 3], [0.25, 0.9])
    (row,) = compared(paths, NETWORKS[1:], DCLS, ["rise"]).to_dict("records")
    assert row["n"] == 1 and (row["low"], row["high"]) == (-np.inf, np.inf)
    write_sample(paths[1], [3, 4], [0.25, 0.9])
    assert compared(paths, NETWORKS[1:], DCLS, ["rise"]).empty


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_runs_on_other_samples_are_averaged_by_image(tmp_path, ending):
    """A record has the runs that it was drawn for, an image the records that are defined."""
    paths = [tmp_path / "net" / f"seed{seed}.{ending}" for seed in (0, 1)]
    write_sample(paths[0], [1, 1, 4], [0.1, 0.3, 0.5], ["a", "b", "c"])
    write_sample(paths[1], [1, 4, 7], [0.2, np.nan, 0.8], ["a", "c", "d"])
    found = StudyRho(paths).compared("net")["rise"]
    assert found.images.tolist() == [1, 4, 7]
    np.testing.assert_allclose(found.values, [(0.15 + 0.3) / 2, np.nan, 0.8], atol=1e-15)


def test_values_of_other_images_are_nan():
    one = ImageValues(np.array([2, 5, 8]), np.array([0.2, 0.5, 0.8]))
    assert one.of(one.images) is one.values
    np.testing.assert_array_equal(one.of(np.array([1, 2, 8])), [np.nan, 0.2, 0.8])
    np.testing.assert_array_equal(one.of(np.array([3, 5])), [np.nan, 0.5])
    np.testing.assert_array_equal(one.of(np.array([9])), [np.nan])
    other = ImageValues(np.array([1, 5, 9]), np.array([10.0, 50.0, 90.0]))
    a, b = paired(one, other)
    np.testing.assert_array_equal(a, [np.nan, 0.2, 0.5, 0.8, np.nan])
    np.testing.assert_array_equal(b, [10, np.nan, 50, np.nan, 90])
    assert paired(one, one) == (one.values, one.values)


def test_values_are_paired_as_a_table_would_pair_them():
    random = np.random.default_rng(0)
    both = []
    for size in (40, 60):
        images = np.sort(random.choice(100, size, replace=False))
        both.append(ImageValues(images, random.normal(size=size)))
    table = pd.concat([pd.Series(one.values, one.images) for one in both], axis=1).sort_index()
    for found, column in zip(paired(*both), table, strict=True):
        np.testing.assert_array_equal(found, table[column])


def test_networks_one_after_the_other_give_what_all_at_once_give(files, monkeypatch):
    """Intervals are made in blocks of rows; scores are read network by network."""
    summary = summary_of(NETWORKS)
    whole = comparisons.compare(StudyRho(files), summary, resamples=200)
    monkeypatch.setattr(bootstrap, "_BLOCK", 1)
    single = comparisons.compare(StudyRho(files), summary, resamples=200)
    pd.testing.assert_frame_equal(whole, single, rtol=0, atol=1e-12)
    read = []
    again = StudyRho(files)
    compare_one = again.compared
    monkeypatch.setattr(again, "compared", lambda name: read.append(name) or compare_one(name))
    comparisons.compare(again, summary, resamples=200)
    assert sorted(read) == ["alone", "net", "net_dcls"]  # each once


def test_comparisons_are_those_of_the_rows_by_hand(files):
    table = compared(files, NETWORKS, DCLS).set_index("explainer")
    rho = StudyRho(files)
    for explainer, row in table.iterrows():
        a, b = (rho.compared(name)[explainer].values for name in ("net_dcls", "net"))
        gain = (a - b)[~np.isnan(a - b)]
        assert row["p_value"] == pytest.approx(stats.wilcoxon(gain).pvalue, rel=1e-12)
        ends = bootstrap_interval(gain, resamples=200)
        assert (row["low"], row["high"]) == pytest.approx(ends, abs=1e-12)


def test_scores_of_other_data_are_told_with_both_files(files, tmp_path):
    other = tmp_path / "net" / "seed7.csv"
    small_study.write_score_file(other, ["a"], {"grad_cam": [0.5]}, data_digest="e" * 64)
    with pytest.raises(
        UserError, match="alone/seed0.* and .*seed7.csv are of different data files"
    ):
        comparisons.compare(StudyRho([*files, other]), summary_of(NETWORKS))


def networks_of(quantity, scores):
    """A summary of plain networks and of their twins, whose scores are the same."""
    count = len(quantity)
    plain = pd.DataFrame(
        {
            "model": [f"net{place}" for place in range(count)],
            "dcls": 0,
            "run": "seed0",
            "explainer": "grad_cam",
            "top1": quantity,
            "parameters": 10.0 ** np.asarray(quantity),
            "score": scores,
            "low": np.nan,
            "high": np.nan,
            "n": 100,
        }
    )
    return small_study.named(pd.concat([plain, plain.assign(dcls=1)], ignore_index=True))


def test_twins_are_not_counted_as_independent():
    random = np.random.default_rng(1)
    quantity, scores = random.normal(size=(2, 9))
    table = comparisons.correlate_with_score(networks_of(quantity, scores))
    assert set(table["n"]) == {9} and set(table["networks"]) == {"plain", "DCLS"}
    known = correlate(quantity, scores)
    pearson = table[table["method"] == "pearson"]
    for column in ("value", "low", "high"):  # 10^top1 enters as its logarithm
        np.testing.assert_allclose(pearson[column], getattr(known, column))


def test_correlations_over_few_networks_have_no_interval():
    table = comparisons.correlate_with_score(networks_of([1.0, 2, 3, 4], [0.1, 0.2, 0.3, 0.5]))
    assert table["value"].notna().all() and table[["low", "high"]].isna().all(axis=None)
    nothing = networks_of([1.0, 2, 3, 4], [0.1, 0.2, 0.3, 0.5]).assign(top1=np.nan)
    table = comparisons.correlate_with_score(nothing).set_index("quantity")
    assert set(table.loc["top1", "n"]) == {0} and table.loc["top1", "value"].isna().all()
