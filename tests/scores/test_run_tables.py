"""Tables of all runs, put together from files of single runs."""

import collect_sensitivity
import collect_sweeps
import numpy as np
import pandas as pd
import pytest
import small_study
from human_alignment.common.cli import UserError
from human_alignment.scores.bootstrap import bootstrap_interval
from human_alignment.scores.protocol import PAPER, RELEASED
from human_alignment.scores.protocol_variants import ALL, BASE, sweep_protocols
from human_alignment.scores.run_tables import KEYS, gather
from human_alignment.scores.sensitivity import COLUMNS
from human_alignment.scores.sweeps import CHOICE
from human_alignment.scores.sweeps import COLUMNS as CURVE
from human_alignment.scores.variant_tables import (
    sensitivity_table,
    threshold_tables,
    under_other_protocol,
    with_sign_changes,
)

SETTINGS = {"resamples": 200, "seed": 0}
NETWORKS = ("resnet50", "convnext_tiny_dcls", "convnext_tiny")


def test_rows_are_named_by_their_path(tmp_path):
    paths = [tmp_path / name / "seed1.x.csv" for name in ("net", "net_dcls")]
    for path in paths:
        path.parent.mkdir()
        path.write_text("value\n3\n")
    table = gather(paths)
    assert table.to_dict("list") == {
        "model": ["net", "net"], "dcls": [0, 1], "run": ["seed1"] * 2,
        "network": ["net", "net_dcls"], "value": [3, 3],
    }  # fmt: skip
    paths[0].write_text("")
    with pytest.raises(UserError, match="net/seed1.x.csv cannot be read as a table"):
        gather(paths)


def swept(folder, ceiling=None):
    """Sweeps of three networks; of one too few images are scored to choose a threshold."""
    protocols = sweep_protocols(RELEASED, [0.0, 0.3, 0.6])
    rho = np.random.default_rng(0).uniform(0.1, 0.4, 30)
    paths = [folder / name / "seed0.sweep.h5" for name in NETWORKS]
    for path in paths:
        own = rho if path.parent.name != "resnet50" else np.where(np.arange(30) < 1, rho, np.nan)
        by_name = {key: own + float(key) / 2 for key in protocols}
        given = {"threshold_grad_cam": by_name}
        small_study.write_variant_file(path, protocols, given, human_ceiling=ceiling)
    return paths, rho


@pytest.mark.parametrize("ceiling", [None, 0.8])
def test_best_thresholds_stand_beside_the_score_at_the_usual_one(tmp_path, ceiling):
    paths, rho = swept(tmp_path, ceiling)
    curves, best = threshold_tables(paths, 0.3, 5, **SETTINGS)
    assert list(curves) == [*KEYS, *CURVE] and list(best) == [*KEYS, *CHOICE, "usual_score"]
    order = ["convnext_tiny", "convnext_tiny_dcls", "resnet50"]
    assert best["network"].tolist() == order and best["dcls"].tolist() == [0, 1, 0]
    assert curves["network"].tolist() == [name for name in order for _ in range(3)]
    divisor = ceiling or 1
    row = curves[(curves["network"] == "convnext_tiny") & (curves["threshold"] == 0.3)].iloc[0]
    assert (row["n"], row["mean_rho"]) == (30, pytest.approx((rho + 0.15).mean(), abs=1e-15))
    assert row["score"] == pytest.approx(row["mean_rho"] / divisor, abs=1e-15)
    ends = np.array(bootstrap_interval(rho + 0.15, **SETTINGS)) / divisor
    assert (row["low"], row["high"]) == pytest.approx(ends, abs=1e-12)
    found = best.set_index("network")
    assert found.loc["convnext_tiny", "chosen"] == "0.6 0.6 0.6 0.6 0.6"
    assert found.loc["convnext_tiny", "usual_score"] == row["score"]
    ends = np.array(bootstrap_interval(rho + 0.3, **SETTINGS)) / divisor
    both = found.loc["convnext_tiny", "low"], found.loc["convnext_tiny", "high"]
    assert both == pytest.approx(ends, abs=1e-12)
    assert found.loc["resnet50", list(CHOICE)].isna().all()
    known = curves[(curves["network"] == "resnet50") & (curves["threshold"] == 0.3)].iloc[0]
    assert (
        known["n"] == 1
        and np.isnan(known["low"])
        and found.loc["resnet50", "usual_score"] == known["score"]
    )


def test_a_sweep_without_the_usual_threshold_has_no_usual_score(tmp_path):
    paths, _ = swept(tmp_path)
    best = threshold_tables(paths, 0.45, 5, **SETTINGS)[1]
    assert best["usual_score"].isna().all() and best["best"].notna().tolist() == [True, True, False]


def test_the_number_of_folds_is_the_scripts(tmp_path):
    paths, _ = swept(tmp_path)
    flags = [*map(str, paths), "--threshold", "0.3"]
    for name in ("curves", "output", "markdown"):
        flags += [f"--{name}", str(tmp_path / name)]
    collect_sweeps.main([*flags, "--folds", "3"])
    chosen = pd.read_csv(tmp_path / "output")["chosen"].dropna()
    assert chosen.tolist() == ["0.6 0.6 0.6"] * 2
    with pytest.raises(UserError, match="--folds 1: at least 2 are needed"):
        collect_sweeps.main([*flags, "--folds", "1"])


def test_the_sensitivity_of_all_runs_is_one_table(tmp_path):
    protocols = {BASE: RELEASED, "resize": RELEASED.changed(resize="first"), ALL: PAPER}
    rho, paths = np.random.default_rng(0).uniform(0.1, 0.4, 40), []
    for name in NETWORKS:
        gain = 0.1 if name.endswith("_dcls") else 0.0
        given = {BASE: rho + gain, "resize": rho + 0.05, ALL: np.where(rho < 0.2, np.nan, rho)}
        paths.append(tmp_path / name / "seed0.sensitivity.h5")
        small_study.write_variant_file(paths[-1], protocols, {"grad_cam": given})
    table = sensitivity_table(paths, **SETTINGS)
    assert list(table)[: len(KEYS) + len(COLUMNS)] == [*KEYS, *COLUMNS]
    assert table["field"].tolist() == ["resize", ALL] * 3
    found = table.set_index(["network", "field"])
    row = found.loc["convnext_tiny_dcls", "resize"]
    assert row["difference"] == pytest.approx(-0.05, abs=1e-12)
    assert (row["low"], row["high"]) == pytest.approx((-0.05, -0.05), abs=1e-12)
    ends = bootstrap_interval(rho + 0.05, **SETTINGS)
    assert (row["score_low"], row["score_high"]) == pytest.approx(ends, abs=1e-12)
    assert row["dcls_difference_before"] == pytest.approx(0.1) and row["dcls_difference"] == 0
    assert row["sign_changes"]
    assert found.loc["resnet50", ALL]["n"] == (rho >= 0.2).sum()
    paper = under_other_protocol(table)
    ends = bootstrap_interval(rho[rho >= 0.2], **SETTINGS)
    row = paper[paper["network"] == "resnet50"].iloc[0]
    assert (row["low"], row["high"]) == pytest.approx(ends, abs=1e-12)


@pytest.mark.parametrize("script", [collect_sweeps, collect_sensitivity])
def test_the_scripts_name_a_file_that_cannot_be_read(tmp_path, script):
    paths, _ = swept(tmp_path)
    paths[1].write_bytes(paths[1].read_bytes()[:-500])
    outputs = ["--output", str(tmp_path / "o"), "--markdown", str(tmp_path / "m")]
    more = {
        collect_sweeps: ["--threshold", "0.3", "--curves", str(tmp_path / "c")],
        collect_sensitivity: ["--paper-protocol", str(tmp_path / "p")],
    }[script]
    with pytest.raises(UserError, match="convnext_tiny_dcls/seed0.sweep.h5 is not a complete"):
        script.main([*map(str, paths if script is collect_sweeps else paths[1:2]), *outputs, *more])
    assert not (tmp_path / "o").exists()


def test_a_change_of_sign_is_said():
    rows = [  # model, dcls, score under the changed protocol, its difference from before
        ("a", 0, 0.5, 0.0), ("a", 1, 0.6, 0.2),  # before 0.4 - 0.5, after 0.6 - 0.5
        ("b", 0, 0.5, 0.1), ("b", 1, 0.6, 0.1),
        ("alone", 0, 0.5, 0.1),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["model", "dcls", "score", "difference"])
    table = small_study.named(table.assign(run="seed0", explainer="grad_cam", field="resize"))
    found = with_sign_changes(table).set_index("network")
    assert found.loc[["a_dcls", "b_dcls"], "sign_changes"].tolist() == [True, False]
    assert found.loc[["a", "b", "alone"], ["dcls_difference", "sign_changes"]].isna().all(axis=None)
    assert found.loc["a_dcls", "dcls_difference_before"] == pytest.approx(-0.1)
    assert found.loc["a_dcls", "dcls_difference"] == pytest.approx(0.1)
    plain = with_sign_changes(table[table["dcls"] == 0])
    assert len(plain) == 3 and plain["sign_changes"].isna().all()


def test_two_twins_of_a_plain_network_each_have_their_own_difference():
    rows = [("net", 0, "net", 0.5), ("net", 1, "net_dcls", 0.6), ("net", 1, "gauss", 0.4)]
    table = pd.DataFrame(rows, columns=["model", "dcls", "network", "score"])
    table = table.assign(difference=0.0, run="seed0", explainer="grad_cam", field="resize")
    found = with_sign_changes(table).set_index("network")["dcls_difference"]
    assert found["net_dcls"] == pytest.approx(0.1) and found["gauss"] == pytest.approx(-0.1)
