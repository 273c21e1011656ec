import numpy as np
import pandas as pd
import pytest
import small_study
from human_alignment.scores import comparisons
from human_alignment.scores.pairs import network_of, pairs
from human_alignment.scores.statistics import correlate


@pytest.fixture
def files(tmp_path):
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
            paths.append(tmp_path / name / f"seed{seed}.csv")
            small_study.write_score_file(paths[-1], [f"i{i}" for i in range(30)], rho)
    return paths


NETWORKS = pd.DataFrame(
    {
        "model": ["alone", "net", "net"],
        "dcls": [0, 1, 0],
        "network": ["alone", "net_dcls", "net"],
    }
)


def test_dcls_against_plain_is_paired_by_image_and_averaged_over_seeds(files):
    table = comparisons.compare_dcls(comparisons.read_rho(files), pairs(NETWORKS), resamples=200)
    assert list(table["model"]) == ["net", "net"]  # `alone` has no partner
    assert list(table["network"]) == ["net_dcls", "net_dcls"]
    np.testing.assert_allclose(table["difference"], 0.11)
    assert list(table["n"]) == [29, 30] and list(table["dropped"]) == [1, 0]
    assert (table["superiority"] == 1).all()
    assert (table["p_holm"] >= table["p_value"]).all() and (table["p_value"] < 1e-5).all()


def test_a_network_is_compared_with_the_twin_that_the_study_names(files):
    own = NETWORKS.assign(model="alone", dcls=[0, 1, 1])
    table = comparisons.compare_dcls(comparisons.read_rho(files), pairs(own), resamples=200)
    table = table[table["explainer"] == "grad_cam"].set_index("network")
    assert list(table["model"]) == ["alone / net_dcls", "alone / net"]
    assert table.loc["net_dcls", "difference"] == pytest.approx(0.11)
    assert table.loc["net", "difference"] == pytest.approx(0)


def test_explainers_are_compared_network_by_network(files):
    rho = comparisons.read_rho(files)
    table = comparisons.compare_explainers(rho, ["alone", "net", "net_dcls"], resamples=200)
    assert list(table["model"]) == list(table["network"]) == ["alone", "net", "net_dcls"]
    np.testing.assert_allclose(table["difference"], 0.2)


def test_networks_stand_in_the_papers_order_whatever_the_order_of_files(tmp_path):
    names = ["resnet50", "convnext_tiny_dcls", "zebra", "resnet50_dcls", "convnext_tiny"]
    paths = [tmp_path / name / "seed0.csv" for name in names]
    for place, path in enumerate(paths):
        rho = {"threshold_grad_cam": [0.1 * place, 0.4], "grad_cam": [0.3, 0.2]}
        small_study.write_score_file(path, ["a", "b"], rho)
    networks = pd.DataFrame([network_of(path) for path in paths])
    table = comparisons.compare(comparisons.read_rho(paths), networks, resamples=100)
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
    rho = comparisons.read_rho(paths).set_index("image")["rho"]
    assert rho[0] == 0.5 and np.isnan(rho[1])


def test_no_pair_gives_an_empty_table(files):
    rho = comparisons.read_rho(files[-1:])
    assert comparisons.compare_dcls(rho, pairs(NETWORKS[:1])).empty
    assert comparisons.compare_explainers(rho[rho["explainer"] == "grad_cam"], ["alone"]).empty


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
