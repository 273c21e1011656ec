"""The records of networks: names, overrides, what is refused, and that they are data alone."""

import json
import subprocess
import sys
from typing import get_args

import pandas as pd
import pytest
import train_model
from human_alignment.common.cli import UserError
from human_alignment.networks import records, zoo
from human_alignment.networks.dcls import RULES
from human_alignment.networks.records import (
    Dcls,
    Network,
    find,
    load_networks,
    network_argument,
)
from human_alignment.networks.weights import read_spec

NANO = {
    "family": "convnext",
    "arguments": {"depths": [1, 1, 1, 1], "dims": [8, 16, 16, 16], "ls_init_value": 1.0},
    "transform": {"resize": 64, "crop": 64},
    "dcls": {"kernel_size": 9, "kernel_count": 4, "version": "v0"},
    "num_classes": 10,
    "micro": True,
}


def test_families_and_rules_of_the_records_are_those_of_the_code():
    assert set(get_args(Network.model_fields["family"].annotation)) == {*zoo.FAMILIES, "timm"}
    assert set(get_args(Dcls.model_fields["replaces"].annotation)) == set(RULES)


def test_every_record_of_the_file_builds_and_has_a_twin_with_dcls():
    names = list(load_networks())
    assert len(names) == 16 and names[8:] == [f"micro_{name}" for name in names[:8]]
    for name in names:
        assert find(name).dcls is None
        assert find(f"{name}_dcls") == load_networks()[name]


def test_settings_of_dcls_in_place_of_the_records_own():
    settings = {"kernel_size": 11, "kernel_count": 7}
    assert find("convnext_tiny", settings).dcls == find("convnext_tiny_dcls", settings).dcls
    assert find("convnext_tiny", settings).dcls.kernel_size == 11


def test_further_records_come_first():
    assert find("nano", more={"nano": NANO}).dcls is None
    assert find("nano_dcls", more={"nano": NANO}).dcls.kernel_count == 4
    plain = {key: value for key, value in NANO.items() if key != "dcls"}
    assert find("convnext_tiny", more={"convnext_tiny": plain}).arguments["dims"][0] == 8
    with pytest.raises(UserError, match="network 'nano' has no `dcls` settings, which 'nano_dcls'"):
        find("nano_dcls", more={"nano": plain})


def test_timm_by_name_needs_no_timm_to_be_named():
    network = find("timm:efficientnet_b0@conv_head")
    assert network.arguments == {"name": "efficientnet_b0", "feature_layer": "conv_head"}
    assert network.transform is None
    assert zoo.find(network).transform.crop == 224


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"family": "convnxt"}, "network: family is 'convnxt'; allowed: resnet or convnext or"),
        ({"argument": {}}, "unknown key 'argument' .did you mean 'arguments'"),
        ({"transform": None}, "a convnext needs a `transform`: resize and crop"),
        ({"transform": {"resize": 64}}, "the key 'transform.crop' is missing"),
        ({"dcls": {"kernel_size": 8, "kernel_count": 4}}, "dcls.kernel_size is 8; allowed: .*odd"),
        ({"dcls": 9}, "dcls is 9; allowed: a mapping of kernel_size, kernel_count"),
        ({"num_classes": 0}, "num_classes is 0; allowed: a positive number"),
        (
            {"transform": {"resize": 64, "crop": 64, "std": [1, 0, 1]}},
            r"transform.std is \[1, 0, 1\]; allowed: three positive numbers",
        ),
        ({"family": "timm", "arguments": {}}, "arguments is {}; allowed with family timm: `name`"),
        ({"family": "timm", "arguments": {"name": 5}}, "arguments is .*; allowed with family timm"),
        ({"family": "timm", "arguments": {"name": "vgg11"}}, "micro is True; .* timm: false"),
    ],
)
def test_a_bad_record_is_refused_in_one_line(changes, message):
    with pytest.raises(UserError, match=message) as caught:
        network_argument(json.dumps(NANO | changes))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "arguments, reason",
    [
        ({"depth": [1, 1, 1, 1]}, "unexpected keyword argument 'depth'"),
        ({"depths": [1, 1]}, "list index out of range"),
        ({"num_classes": 3}, "multiple values for keyword argument 'num_classes'"),
    ],
)
def test_arguments_that_the_family_does_not_take(arguments, reason):
    network = Network.from_dict(NANO | {"arguments": arguments})
    message = f"cannot build a network of family convnext from {{.*}}: .*{reason}"
    with pytest.raises(UserError, match=message) as caught:
        zoo.build(network)
    assert "\n" not in str(caught.value)


def test_a_record_in_a_weights_file_stays_as_it_was_written():
    """A literal: weights files of earlier versions hold it, and their digests follow from it."""
    written = (
        '{"arguments": {"depths": [1, 1, 1, 1], "dims": [16, 24, 48, 64], "head_dim": 16}, '
        '"dcls": {"kernel_count": 16, "kernel_size": 9, "replaces": "depthwise", "version": "v1"}, '
        '"family": "caformer", "micro": true, "num_classes": 10, '
        '"transform": {"crop": 64, "mean": [0.485, 0.456, 0.406], "resize": 64, '
        '"std": [0.229, 0.224, 0.225]}}'
    )
    assert Network.from_dict(json.loads(written)) == find("micro_caformer_s18_dcls")
    assert find("micro_caformer_s18_dcls").as_json() == written


def test_what_is_no_json_is_said():
    with pytest.raises(UserError, match="record is not valid JSON"):
        network_argument('{"family": ')


def test_a_network_described_by_json_alone_is_trained(digits_to_train, tmp_path, monkeypatch):
    """Without networks.yaml: an edit there is no reason to train anything again."""
    load_networks.cache_clear()
    monkeypatch.setattr(records, "FILE", tmp_path / "networks.yaml")
    record = Network.from_dict(NANO)
    recipe = {"steps": 3, "batch_size": 8, "learning_rate": 0.01}
    train_model.main(
        ["--data", str(digits_to_train), "--model", record.as_json()]
        + ["--recipe", json.dumps(recipe), "--output", str(tmp_path / "w.safetensors")]
        + ["--curve", str(tmp_path / "c.csv"), "--device", "cpu"]
    )
    assert read_spec(tmp_path / "w.safetensors")[0] == record
    assert list(pd.read_csv(tmp_path / "c.csv")["step"]) == [1, 2, 3]


def test_records_need_neither_torch_nor_numpy(root):
    program = (
        "import sys\n"
        "from human_alignment.networks import records\n"
        "records.find('convnext_tiny_dcls')\n"
        "print(sorted({'torch', 'numpy', 'timm', 'PIL'} & set(sys.modules)))\n"
    )
    environment = {"PYTHONPATH": str(root / "workflow_scripts"), "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment
    )
    assert done.stdout == "[]\n", done.stderr
