"""Which networks belong together: by the study's word, and by their names where it says nothing."""

import pandas as pd
import pytest
import small_study
from human_alignment.common.cli import UserError
from human_alignment.scores.collected import collect
from human_alignment.scores.pairs import (
    Pair,
    in_order,
    network_of,
    network_order,
    pairs,
    twins_argument,
)

TWINS = {"my_net": "resnet50", "gauss": "resnet50", "lonely": "lonely"}


def table(*names, twins=TWINS):
    return pd.DataFrame([network_of(f"s/{name}/seed1.csv", twins) for name in names])


def test_a_network_has_dcls_if_the_study_says_so_whatever_its_name():
    assert network_of("s/my_net/seed1.sweep.csv", TWINS) == {
        "model": "resnet50", "dcls": 1, "run": "seed1", "network": "my_net",
    }  # fmt: skip
    assert network_of("s/odd_dcls/seed0.csv", TWINS)["dcls"] == 0
    assert network_of("s/lonely/seed0.csv", TWINS)["model"] == "lonely"


def test_without_the_studys_word_the_name_decides():
    assert network_of("s/resnet50_dcls/published.csv") == {
        "model": "resnet50", "dcls": 1, "run": "published", "network": "resnet50_dcls",
    }  # fmt: skip
    assert network_of("s/my_net/published.csv")["dcls"] == 0


def test_a_plain_network_is_in_a_pair_with_each_of_its_twins():
    found = pairs(table("lonely", "gauss", "my_net", "resnet50", "zebra"))
    assert found == [
        Pair("resnet50", "gauss"), Pair("resnet50", "my_net"), Pair(None, "lonely"),
        Pair("zebra", None),
    ]  # fmt: skip
    labels = [pair.label for pair in found]
    assert labels == ["resnet50 / gauss", "resnet50 / my_net", "lonely", "zebra"]
    assert Pair("net", "net_dcls").label == "net"


def test_a_pair_whose_plain_network_is_missing_is_one_network():
    assert pairs(table("my_net")) == [Pair(None, "my_net")]
    twice = table("net", "net_dcls", twins={"net": "net", "net_dcls": "net"})
    assert pairs(twice) == [Pair(None, "net"), Pair(None, "net_dcls")]


def test_networks_are_in_the_papers_order_plain_ones_first():
    names = ["zebra", "resnet50_dcls", "micro_fastvit_sa24", "alpha", "resnet50"]
    rows = table(*names, *names, twins=None)
    expected = ["micro_fastvit_sa24", "resnet50", "resnet50_dcls", "zebra", "alpha"]
    assert network_order(rows) == expected
    ordered = in_order(rows.assign(place=range(10)))
    assert list(ordered["network"]) == [name for name in expected for _ in range(2)]
    assert list(ordered["place"][:2]) == [2, 7]


def test_twins_are_a_json_object_of_names():
    assert twins_argument('{"a": "b"}') == {"a": "b"}
    with pytest.raises(UserError, match="twins"):
        twins_argument('{"a": 3}')


def test_the_study_and_the_weights_must_agree_on_dcls(tmp_path):
    path = tmp_path / "my_net" / "seed0.parquet"
    small_study.write_score_file(path, ["a"], {"grad_cam": [0.5]}, dcls=True)
    row = collect([path], [], TWINS).iloc[0]
    assert (row.model, row.dcls, row.network) == ("resnet50", 1, "my_net")
    with pytest.raises(UserError, match="by its weights the network my_net has DCLS"):
        collect([path], [], {})
    small_study.write_score_file(path, ["a"], {"grad_cam": [0.5]}, dcls=False)
    with pytest.raises(UserError, match="by its weights the network my_net has no DCLS"):
        collect([path], [], TWINS)
