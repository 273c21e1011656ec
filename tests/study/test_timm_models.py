"""Networks with timm's own weights in a config: named, by patterns, refused before any job."""

import pytest
import yaml
from human_alignment.common.cli import UserError
from human_alignment.study.config import check_config, checked_study
from human_alignment.study.study import Study, data_classes


@pytest.fixture
def paper(root, tmp_path):
    """The paper's study with one of its networks, and shards that need not exist."""
    config = yaml.safe_load((root / "config.yaml").read_text())
    config["models"] = {"resnet50": config["models"]["resnet50"]}
    config["figures"] = {}
    return config


def with_timm(config, entry, name="mine"):
    config["models"][name] = {"source": "published", **entry}
    return config


def problem(config, schema):
    with pytest.raises(UserError) as caught:
        check_config(config, schema)
    assert str(caught.value).count("\n") <= 11
    return str(caught.value)


def test_a_name_with_a_tag_needs_no_address(paper, schema):
    study = checked_study(with_timm(paper, {"timm": "convnext_tiny.fb_in1k"}), schema)
    assert study.checkpoint("mine") == {
        "url": "hf://timm/convnext_tiny.fb_in1k/model.safetensors",
        "sha256": "",
    }
    assert study.checkpoint_file("mine") == "results/paper/checkpoints/mine"
    assert study.network("mine").arguments == {"name": "convnext_tiny.fb_in1k"}


def test_a_name_without_a_tag_takes_timms_default(paper, schema):
    study = checked_study(with_timm(paper, {"timm": "convnext_tiny@stages.3"}), schema)
    tag = "convnext_tiny.in12k_ft_in1k"
    assert study.network("mine").arguments == {"name": tag, "feature_layer": "stages.3"}
    assert study.checkpoint("mine")["url"] == f"hf://timm/{tag}/model.safetensors"


def test_a_name_with_a_checkpoint_stays_as_it_is(paper, schema):
    entry = {"timm": "convnext_tiny", "checkpoint": {"url": "https://host/a.pth"}}
    study = checked_study(with_timm(paper, entry), schema)
    assert study.network("mine").arguments == {"name": "convnext_tiny"}
    assert study.checkpoint("mine")["url"] == "https://host/a.pth"


def test_patterns_make_a_model_of_each_name(paper, schema):
    paper["timm_models"] = ["resnet18*.a?_in1k", "!*.a3_*", "convnext_tiny.fb_in1k"]
    names = ["resnet50", "resnet18.a1_in1k", "resnet18.a2_in1k", "convnext_tiny.fb_in1k"]
    study = checked_study(paper, schema)
    assert list(study.config["models"]) == names
    assert [str(run) for run in study.runs][1] == "resnet18.a1_in1k/published"
    assert study.network("resnet18.a2_in1k").arguments == {"name": "resnet18.a2_in1k"}
    again = yaml.safe_load(yaml.safe_dump(study.config))
    check_config(again, schema)
    assert again == study.config


def test_patterns_alone_are_a_study(paper, schema):
    del paper["models"]
    paper["timm_models"] = ["resnet18.a?_in1k"]
    check_config(paper, schema)
    assert paper["figures"]["overlay_model"] == "resnet18.a1_in1k"


def test_a_models_own_entry_is_kept(paper, schema):
    with_timm(paper, {"timm": "nest_tiny_jx", "feature_layer": "norm"}, "nest_tiny_jx.goog_in1k")
    paper["timm_models"] = ["nest_tiny_jx.*"]
    study = checked_study(paper, schema)
    assert study.network("nest_tiny_jx.goog_in1k").arguments["feature_layer"] == "norm"


@pytest.mark.parametrize(
    "patterns, message",
    [
        (["convnext_tiny.fb_in2k"], "no weights of timm match 'convnext_tiny.fb_in2k'; did you"),
        (
            ["nest_*_jx.*"],
            "not found (`feature_layer` may name one): nest_base_jx.goog_in1k, nest_s",
        ),
        (["gcvit_tiny.*"], "models: no repository of the hub holds the weights"),
        (
            ["convnext_tiny.*"],
            "other classes than the 1,000 of the data (`protocol: {target: prediction}`",
        ),
        (["convnext_tiny.*"], "the predicted class): convnext_tiny.fb_in22k, convnext_tiny.in12k"),
        (["convnext_tiny.*"], "no class to explain: convnext_tiny.dinov3_lvd1689m, conv"),
        (["convnext_tiny.*"], "a pattern that begins with ! takes out what it matches"),
        ("resnet18.a1_in1k", "timm_models: 'resnet18.a1_in1k' is not of type 'array'"),
        (["resnet18.a1 in1k"], "no weights of timm match"),
        ([3], "timm_models.0: 3 is not of type 'string'"),
    ],
)
def test_what_a_pattern_cannot_mean_is_said(paper, schema, patterns, message):
    paper["timm_models"] = patterns
    assert message in problem(paper, schema)


@pytest.mark.parametrize(
    "entry, message",
    [
        ({"timm": "resnet50.a1_in1"}, "models.mine: timm has no weights called 'resnet50.a1_in1'"),
        ({"timm": "resnet5"}, "timm has no model called 'resnet5'"),
        (
            {"timm": "nest_tiny_jx"},
            "models: its last feature map is not found (`feature_layer` may name one): mine",
        ),
        (
            {"timm": "efficientnet_b0", "dcls": {"kernel_size": 17, "kernel_count": 34}},
            "timm's weights have no DCLS",
        ),
        ({"architecture": "resnet50"}, "'checkpoint' is a required property"),
        ({"timm": "resnet50", "checkpoint": None}, "models.mine.checkpoint"),
        (
            {"timm": "resnet50", "checkpoint": {"url": "hf://timm/x.y/weights.bin"}},
            "hf://timm/x.y/weights.bin is no file of the hub",
        ),
    ],
)
def test_a_wrong_entry_is_said_before_any_job(paper, schema, entry, message):
    with pytest.raises(UserError) as caught:
        checked_study(with_timm(paper, entry), schema)
    assert message in str(caught.value)


def test_other_classes_are_allowed_for_the_predicted_class(paper, schema):
    paper["protocol"] = {"target": "prediction"}
    paper["imagenet"] = {"val": "images"}
    paper["timm_models"] = ["convnext_tiny.fb_in22k"]
    check_config(paper, schema)
    study = Study(paper)
    assert study.network("convnext_tiny.fb_in22k").num_classes == 21841
    assert study.accuracies() == ["results/paper/weights/resnet50/published.top1.json"]


def test_a_network_of_other_classes_has_no_top1_on_the_scored_images(root, schema):
    config = yaml.safe_load((root / "profiles" / "demo" / "study.yaml").read_text())
    resnet = config["models"]["resnet50"]
    timms = {"source": "published", "timm": "resnet18.a1_in1k"}
    config |= {"models": {"resnet50": resnet, "timms": timms}, "protocol": {"target": "prediction"}}
    del config["figures"]
    check_config(config, schema)
    assert Study(config).own_top1 == ["resnet50"]


def test_a_network_that_is_trained_has_the_classes_of_its_images(root, schema):
    config = yaml.safe_load((root / "profiles" / "demo" / "study.yaml").read_text())
    config["models"] = {"mine": config["models"]["resnet50"] | {"timm": "resnet18.a1_in1k"}}
    del config["models"]["mine"]["architecture"], config["figures"]
    config["imagenet"] = {"train": "images", "val": "images"}
    check_config(config, schema)
    assert Study(config).accuracies() == ["results/demo/weights/mine/seed0.top1.json"]


def test_a_long_list_is_cut(paper, schema):
    paper["timm_models"] = ["*"]
    assert " more\n" in problem(paper, schema)


@pytest.mark.parametrize(
    ("folder", "count"),
    [({}, 1000), ({"num_classes": 7}, 7), ({"class_names": "names.txt"}, None), (None, None)],
)
def test_classes_of_ones_own_pictures(folder, count):
    assert data_classes({"data": "folder", "folder": folder}) == count


def test_digits_have_ten_classes(root, schema):
    config = yaml.safe_load((root / "profiles" / "demo" / "study.yaml").read_text())
    config["timm_models"] = ["test_resnet.*"]
    assert "models: other classes than the 10 of the data" in problem(config, schema)
