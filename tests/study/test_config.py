import copy

import pytest
import yaml
from human_alignment.common.cli import UserError
from human_alignment.study.config import check_config, check_folders

TRAINED = {"source": "train", "train": {"recipe": "digits", "seeds": [0]}}


@pytest.fixture
def schema(root):
    return yaml.safe_load((root / "schemas" / "config.schema.yaml").read_text())


@pytest.fixture
def demo(root):
    return yaml.safe_load((root / "profiles" / "demo" / "study.yaml").read_text())


def problem(config, schema):
    with pytest.raises(UserError) as caught:
        check_config(config, schema)
    return str(caught.value)


def test_both_studies_are_valid_and_have_the_sixteen_models(root, schema, demo):
    paper = yaml.safe_load((root / "config.yaml").read_text())
    for config in (paper, demo):
        check_config(config, schema)
        assert len(config["models"]) == 16
    assert list(paper["models"]) == list(demo["models"])


def test_defaults_are_filled_in(schema, demo):
    del demo["extract"], demo["statistics"]
    check_config(demo, schema)
    assert demo["extract"]["explainers"] == ["grad_cam", "threshold_grad_cam"]
    assert demo["statistics"] == {"resamples": 2000, "seed": 0}


def test_the_ceiling_is_clickmes_unless_the_config_says_otherwise(root, schema):
    paper = yaml.safe_load((root / "config.yaml").read_text())
    check_config(paper, schema)
    assert paper["clickme"]["human_ceiling"] == 0.65753
    del paper["clickme"]["human_ceiling"]
    check_config(paper, schema)
    assert paper["clickme"]["human_ceiling"] == 0.65753
    paper["clickme"]["human_ceiling"] = None
    check_config(paper, schema)
    assert paper["clickme"]["human_ceiling"] is None


def test_names_in_the_schema_are_those_of_the_package(schema):
    from human_alignment.heatmaps.attributions import ATTRIBUTIONS
    from human_alignment.heatmaps.explainers import EXPLAINERS
    from human_alignment.scores.measures import MEASURES

    assert schema["$defs"]["explainer"]["enum"] == list(EXPLAINERS)
    properties = schema["properties"]
    attributions = properties["attributions"]["properties"]["explainers"]["items"]["enum"]
    assert attributions == list(ATTRIBUTIONS)
    assert set(properties["measures"]["items"]["enum"]) == set(MEASURES)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda c: c.update(moddels={}), "unknown key 'moddels' (did you mean 'models'?)"),
        (lambda c: c["extract"].update(batchsize=1), "extract: unknown key 'batchsize'"),
        (lambda c: c["models"].update(resnet51={**TRAINED, "architecture": "resnet51"}),
         "models.resnet51: no network called 'resnet51' (did you mean 'resnet50'?)"),
        (lambda c: c["models"].update(resnet51=TRAINED),
         "models.resnet51: no network called 'resnet51' (did you mean 'resnet50'?)"),
        (lambda c: c["extract"].update(explainers=["grad_camm"]),
         "extract.explainers.0: 'grad_camm' is not known; allowed: grad_cam, threshold_grad_cam"),
        (lambda c: c["models"]["resnet50"]["train"].update(seeds=[-1]),
         "models.resnet50.train.seeds.0: -1 is out of range; allowed: >= 0"),
        (lambda c: c["digits"].update(seed=-3), "digits.seed: -3 is out of range; allowed: >= 0"),
        (lambda c: c.update(data="clickme"), "top level: 'clickme' is a required property"),
        (lambda c: c.update(clickme={"source": "x", "shards": 1, "human_ceiling": 0}),
         "clickme.human_ceiling: 0 is out of range; allowed: > 0"),
        (lambda c: c.update(clickme={"source": "x", "shards": 1, "human_ceiling": 65.753}),
         "clickme.human_ceiling: 65.753 is out of range; allowed: <= 1"),
        (lambda c: c.update(clickme={"source": "x", "shards": 1, "human_ceiling": "none"}),
         "clickme.human_ceiling: 'none' is not of type 'number', 'null'"),
        (lambda c: c["protocol"].update(human_ceiling=0.65753),
         "protocol: unknown key 'human_ceiling'; allowed: "),
        (lambda c: c["protocol"].update(divide_by_ceiling=0.65753),
         "protocol.divide_by_ceiling: 0.65753 is not of type 'boolean'"),
        (lambda c: c.update(data="clicks"),
         "data: 'clicks' is not known; allowed: clickme, digits"),
        (lambda c: c["models"]["resnet50"].pop("train"),
         "models.resnet50: 'train' is a required property"),
        (lambda c: c["models"]["resnet50"]["train"].update(recipe="digit"),
         "models.resnet50.train.recipe: 'digit' is not known; allowed, from `recipes`: digits"),
        (lambda c: c["recipes"]["digits"].update(step=5),
         "recipes.digits: recipe: unknown key 'step' (did you mean 'steps'?)"),
        (lambda c: c["recipes"].update(fast={"epochs": 1, "learning_rate": "1e-3"}),
         "recipes.fast: recipe: learning_rate is '1e-3'; allowed: a positive number"),
        (lambda c: c.update(networks={"mine": {"family": "convnxt", "arguments": {}}}),
         "networks.mine: "),
        (lambda c: c.update(networks={"mine": {"family": "convnext", "argument": {}}}),
         "networks.mine: "),
        (lambda c: c.update(train={"gpu": 2}), "train: unknown key 'gpu' (did you mean 'gpus'?)"),
        (lambda c: c["models"]["resnet50"].update(source="hub"),
         "models.resnet50.source: 'hub' is not known; allowed: published, train"),
        (lambda c: c["figures"].update(overlay_model="convnxt_base"),
         "figures: no network called 'convnxt_base' (did you mean 'convnext_base'?)"),
        (lambda c: c["figures"].update(methods_models=["resnet50", "resnet55"]),
         "figures: no network called 'resnet55' (did you mean 'resnet50'?)"),
    ],
)  # fmt: skip
def test_each_mistake_is_named_with_what_is_allowed(schema, demo, change, message):
    config = copy.deepcopy(demo)
    change(config)
    assert message in problem(config, schema)


def test_every_full_size_network_can_be_trained_with_one_word(root, schema):
    config = yaml.safe_load((root / "config.yaml").read_text())
    for entry in config["models"].values():
        entry["source"] = "train"
    check_config(config, schema)
    recipes = {name: entry["train"]["recipe"] for name, entry in config["models"].items()}
    assert all(recipes[name] == recipes[f"{name}_dcls"] for name in recipes if "_dcls" not in name)
    assert set(config["recipes"]) - set(recipes.values()) == {"resnet50_a1"}


def test_class_folders_that_differ(tmp_path):
    for path in ("train/a", "train/b", "train/c", "val/a", "val/b", "val/d"):
        (tmp_path / path).mkdir(parents=True)
    (tmp_path / "train" / "notes.txt").touch()
    train, val = str(tmp_path / "train"), str(tmp_path / "val")
    with pytest.raises(UserError, match="train lacks 1 class folders: d\n.*val lacks 1 .*: c"):
        check_folders(train, val)
    check_folders(train, train)
    check_folders(train, None)
