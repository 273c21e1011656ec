"""Tables of all runs, put together from files of single runs."""

import json

import pandas as pd
import pytest
import small_study
from human_alignment.common.cli import UserError
from human_alignment.scores.run_tables import best_thresholds, gather, with_sign_changes


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


def test_best_thresholds_stand_beside_the_score_at_the_usual_one(tmp_path):
    choice = {"best": 0.6, "chosen": [0.6, 0.5], "n": 9, "score": 0.5, "low": 0.4, "high": 0.6}
    paths = [tmp_path / name / "seed0.sweep.json" for name in ("net", "net_dcls")]
    for path, found in zip(paths, (choice, None), strict=True):
        path.parent.mkdir()
        path.write_text(json.dumps(found))
    sweeps = pd.DataFrame({"model": "net", "dcls": [0, 0], "run": "seed0", "network": "net"})
    sweeps = sweeps.assign(threshold=[0.3, 0.6], score=[0.45, 0.55])
    table = best_thresholds(sweeps, paths, usual=0.3).set_index("dcls")
    assert table.loc[0, "chosen"] == "0.6 0.5" and table.loc[0, "usual_score"] == 0.45
    assert table.loc[1, ["best", "chosen", "score", "usual_score"]].isna().all()


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
