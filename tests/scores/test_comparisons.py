import numpy as np
import pandas as pd
import pytest
import small_study
from human_alignment.scores import comparisons


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


def test_dcls_against_plain_is_paired_by_image_and_averaged_over_seeds(files):
    table = comparisons.compare_dcls(comparisons.read_rho(files), resamples=200)
    assert list(table["model"]) == ["net", "net"]  # `alone` has no partner
    np.testing.assert_allclose(table["difference"], 0.11)
    assert list(table["n"]) == [29, 30] and list(table["dropped"]) == [1, 0]
    assert (table["superiority"] == 1).all()
    assert (table["p_holm"] >= table["p_value"]).all() and (table["p_value"] < 1e-5).all()


def test_explainers_are_compared_network_by_network(files):
    table = comparisons.compare_explainers(comparisons.read_rho(files), resamples=200)
    assert list(table["model"]) == ["net", "net_dcls", "alone"]
    np.testing.assert_allclose(table["difference"], 0.2)


def test_an_image_undefined_in_one_run_is_undefined(tmp_path):
    paths = [tmp_path / "net" / f"seed{seed}.csv" for seed in (0, 1)]
    small_study.write_score_file(paths[0], ["a", "b"], {"grad_cam": [0.25, np.nan]})
    small_study.write_score_file(paths[1], ["a", "b"], {"grad_cam": [0.75, 0.5]})
    rho = comparisons.read_rho(paths).set_index("image_id")["rho"]
    assert rho["a"] == 0.5 and np.isnan(rho["b"])


def test_no_pair_gives_an_empty_table(files):
    rho = comparisons.read_rho(files[-1:])
    assert comparisons.compare_dcls(rho).empty
    assert comparisons.compare_explainers(rho[rho["explainer"] == "grad_cam"]).empty


def test_correlations_over_networks():
    summary = pd.DataFrame(
        {
            "model": list("abcd") * 2,
            "dcls": [0] * 4 + [1] * 4,
            "explainer": "grad_cam",
            "top1": [70.0, 75.0, 80.0, 85.0] * 2,
            "parameters": [4.0, 3.0, 2.0, 1.0] * 2,
            "score": [0.1, 0.2, 0.3, 0.4] * 2,
        }
    )
    table = comparisons.correlate_with_score(summary, resamples=200)
    table = table.set_index(["models", "quantity", "method"])["value"]
    assert table["plain", "top1", "pearson"] == pytest.approx(1)
    assert table["all", "parameters", "spearman"] == pytest.approx(-1)
    summary["top1"] = np.nan
    assert comparisons.correlate_with_score(summary, resamples=200)["n"].min() == 0
