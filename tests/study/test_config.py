import copy
import datetime
import math
import os

import pytest
import yaml
from human_alignment.common.class_folders import ENDINGS, class_folders
from human_alignment.common.cli import UserError
from human_alignment.common.map_files import maps_digest
from human_alignment.study.config import (
    _IMAGE_SIDE,
    check_config,
    check_folders,
    checked_study,
)

TRAINED = {"source": "train", "train": {"recipe": "digits", "seeds": [0]}}


def nested(depth):
    """A mapping in a mapping in a mapping ..."""
    return {"a": nested(depth - 1)} if depth else {}


def bomb():
    """A few lists in a few lists ..., as aliases of YAML make them: ten to the eighth values."""
    values = [0] * 10
    for _ in range(7):
        values = [values] * 10
    return {"a": values}


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


def test_figures_show_the_first_model_unless_told(schema, demo):
    del demo["figures"]
    demo["models"] = {name: demo["models"][name] for name in ("resnet50_dcls", "caformer_s18")}
    check_config(demo, schema)
    assert demo["figures"]["overlay_model"] == "resnet50_dcls"
    assert demo["figures"]["methods_models"] == ["resnet50_dcls"]


@pytest.mark.parametrize("kept", ["caformer_s18", "caformer_s18_dcls"])
def test_figures_of_one_network_without_its_twin(schema, demo, kept):
    demo["models"] = {kept: demo["models"][kept]}
    demo["figures"] = {"overlay_model": "caformer_s18", "methods_models": []}
    check_config(demo, schema)
    assert demo["figures"]["methods_models"] == []


@pytest.mark.parametrize(
    "name", ["resnet50", "resnet50.a1_in1k", "resnet10t@layer3", "convnext_tiny_in22ft1k"]
)
def test_names_of_timm_that_are_known(schema, demo, name):
    demo["models"]["mine"] = {**TRAINED, "timm": name}
    check_config(demo, schema)


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
         "extract.explainers.0: 'grad_camm' is not known (did you mean 'grad_cam'?); allowed: "
         "grad_cam, threshold_grad_cam"),
        (lambda c: c["attributions"].update(explainers=["saliencey"]),
         "attributions.explainers.0: 'saliencey' is not known (did you mean 'saliency'?); allowed"),
        (lambda c: c["models"].update(mine={**TRAINED, "timm": "efficientnet_b00"}),
         "models.mine.timm: timm has no model called 'efficientnet_b00'; did you mean effici"),
        (lambda c: c["models"].update(mine={**TRAINED, "timm": "resnet5.a1_in1k@layer3"}),
         "models.mine.timm: timm has no model called 'resnet5.a1_in1k'; did you mean resnet50"),
        (lambda c: c["models"].update(mine={**TRAINED, "timm": "hf-hub:timm/resnet50.a1_in1k"}),
         "models.mine.timm: timm has no model called 'hf-hub:timm/resnet50.a1_in1k'"),
        (lambda c: c.update(networks={"m": {"family": "timm", "arguments": {"name": "resnet5"}}}),
         "networks.m: timm has no model called 'resnet5'; did you mean resnet"),
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
         "data: 'clicks' is not known (did you mean 'clickme'?); allowed: clickme, digits"),
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
         "figures.overlay_model: the study has no model 'convnxt_base' (did you mean "
         "'convnext_base'?); allowed: convnext_tiny, "),
        (lambda c: c["figures"].update(label=["resnet50_dcls", "resnet55_dcls"]),
         "figures.label: the study has no model 'resnet55_dcls' (did you mean 'resnet50_dcls'?)"),
        (lambda c: c.update(gallery={"models": ["resnet50", "resnet55"]}),
         "gallery.models: the study has no model 'resnet55' (did you mean 'resnet50'?)"),
        (lambda c: c["figures"].update(methods_models=["resnet50", "resnet55"]),
         "figures.methods_models: the study has no model 'resnet55' (did you mean 'resnet50'?)"),
        (lambda c: c["extract"].update(shards=2.0),
         "extract.shards: 2.0 is not of type 'integer'; write 2"),
        (lambda c: c["models"]["resnet50"]["train"].update(seeds=[0.0]),
         "models.resnet50.train.seeds.0: 0.0 is not of type 'integer'; write 0"),
        (lambda c: c["recipes"]["digits"].update(steps=500.0),
         "recipes.digits: recipe: steps is 500.0; allowed: a positive whole number"),
        (lambda c: c["extract"].update(shards=10**6), "extract.shards: 1000000 is out of range; a"),
        (lambda c: c.update(sweep={"folds": 10**9}), "sweep.folds: 1000000000 is out of range; al"),
        (lambda c: c.update(sweep={"thresholds": [math.nan, 0.5]}),
         "sweep.thresholds.0: nan is not allowed; allowed: a finite number"),
        (lambda c: c["recipes"]["digits"].update(learning_rate=math.inf),
         "recipes.digits.learning_rate: inf is not allowed; allowed: a finite number"),
        (lambda c: c["protocol"].update(threshold=math.nan), "protocol.threshold: nan is not allo"),
        (lambda c: c["statistics"].update(resamples=10**9), "statistics.resamples: 1000000000 is "),
        (lambda c: c.update(gallery={"images": 10**7}), "gallery.images: 10000000 is out of range"),
        (lambda c: c["digits"].update(test_images=10**9), "digits.test_images: 1000000000 is out "),
        (lambda c: c["digits"].update(seed=10**30), "digits.seed: a number of 100 bits is too lar"),
        (lambda c: c["digits"].update(seed=2**32), "digits.seed: 4294967296 is out of range; allo"),
        (lambda c: c["models"]["resnet50"]["train"].update(seeds=list(range(1001))),
         "models.resnet50.train.seeds: [0, 1, 2, "),
        (lambda c: c.update(data="clickme", clickme={"source": "x", "shards": 10**6}),
         "clickme.shards: 1000000 is out of range; allowed: <= 10000"),
        (lambda c: c.update(study="demo\n"), "study: 'demo\\n' is not allowed; allowed: 1 to 100 "),
        (lambda c: c.update(study="-demo"), "study: '-demo' is not allowed; allowed: 1 to 100 of "),
        (lambda c: c.update(study="x" * 300), "study: 'xxxx"),
        (lambda c: c["models"].update({"mine\n": TRAINED}), "models: 'mine\\n' is not allowed; al"),
        (lambda c: c["models"].update({1: TRAINED}), "models: the key 1 is no text; put it in quo"),
        (lambda c: c.update({True: 1}), "top level: the key True is no text; put it in quotes"),
        (lambda c: c.update({None: 1}), "top level: the key None is no text; put it in quotes"),
        (lambda c: c["recipes"].update({"-fast": {}}), "recipes: '-fast' is not allowed; allowed:"),
        (lambda c: c.update(note=datetime.date(2024, 1, 2)), "note: datetime.date(2024, 1, 2) is "),
        (lambda c: c.update(note="\0"), "note: '\\x00' holds a character that no file can"),
        (lambda c: c.update(note="x" * 10**6), "is longer than 10,000 characters"),
        (lambda c: c.update(figures={"pictures": "-x"}), "figures.pictures: '-x' is not allowed; "),
        (lambda c: c["imagenet"].update(train="") if "imagenet" in c else c.update(
            imagenet={"train": ""}), "imagenet.train: '' is not allowed; allowed: a path or URL"),
        (lambda c: c["models"].update(mine={"source": "published", "architecture": "resnet50",
            "dcls": {"kernel_size": 4, "kernel_count": 5}, "checkpoint": {"url": "x"}}),
         "models.mine: dcls: kernel_size is 4; allowed: a positive odd number"),
        (lambda c: c["recipes"]["digits_metaformer"].update(layer_scale=0.1),
         "recipes.digits_metaformer.layer_scale: caformer_s18 is of family caformer, which has "
         "none to set"),
        (lambda c: c["recipes"]["digits"].update(shift=64),
         "recipes.digits.shift: 64 is out of range; allowed: less than the image's side, 64"),
        (lambda c: c.update(train={"gpus": 3}),
         "recipes.digits: a batch of 32 images cannot be divided among 3 ranks"),
        (lambda c: c["models"].update(nested(30)), "nested more than 20 deep"),
        (lambda c: c.update(recipes=bomb()), "it holds more than 100,000 values"),
        (lambda c: [c["models"].pop(name) for name in ("convnext_base", "convnext_base_dcls")],
         "figures.overlay_model: the study has no model 'convnext_base' (did you mean 'conv"),
    ],
)  # fmt: skip
def test_each_mistake_is_named_with_what_is_allowed(schema, demo, change, message):
    config = copy.deepcopy(demo)
    change(config)
    assert message in problem(config, schema)


def test_the_side_of_the_embedded_digits():
    from human_alignment.data.digits import SIZE

    assert _IMAGE_SIDE == SIZE


@pytest.mark.parametrize(
    "path, message",
    [
        ("https://user:s3cr3t@/a.pth", "models.mine.checkpoint.url: https://***@/a.pth is no URL;"),
        (
            "https://host:port/a.pth",
            "models.mine.checkpoint.url: https://host:port/a.pth is no URL",
        ),
        ("x" * 300, "models.mine.checkpoint.url: xxx"),
        (".", "models.mine.checkpoint.url: . is no file"),
    ],
)
def test_addresses_and_paths_of_checkpoints(schema, demo, path, message):
    published = {"source": "published", "architecture": "resnet50", "checkpoint": {"url": path}}
    demo["models"]["mine"] = published
    with pytest.raises(UserError) as caught:
        checked_study(demo, schema)
    assert message in str(caught.value) and "s3cr3t" not in str(caught.value)


def test_every_full_size_network_can_be_trained_with_one_word(root, schema):
    config = yaml.safe_load((root / "config.yaml").read_text())
    for entry in config["models"].values():
        entry["source"] = "train"
    check_config(config, schema)
    recipes = {name: entry["train"]["recipe"] for name, entry in config["models"].items()}
    assert all(recipes[name] == recipes[f"{name}_dcls"] for name in recipes if "_dcls" not in name)
    assert set(config["recipes"]) - set(recipes.values()) == {"resnet50_a1"}


def folder_of(root, *files):
    """A folder with empty files; its path as text."""
    root.mkdir()
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()
    return str(root)


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        ({"theirs": "/no/such"}, "references.maps.theirs: /no/such does not exist"),
        ({"theirs": "https://x.org/maps.h5"}, "is not on this machine; download it and give its"),
        ({"centre": "/tmp"}, "references.maps: 'centre' is not allowed; allowed: 1 to 100 letters"),
        ({"a b": "/tmp"}, "references.maps: 'a b' is not allowed; allowed: 1 to 100 letters"),
        ({"theirs": 3}, "references.maps.theirs: 3 is not of type 'string'"),
    ],
)
def test_maps_of_other_models_are_checked_before_any_job(schema, demo, maps, message):
    demo["references"] = {"maps": maps}
    with pytest.raises(UserError) as error:
        checked_study(demo, schema)
    assert message in str(error.value)


def test_maps_of_other_models_are_given_by_name_and_known_by_names_sizes_and_times(
    schema, demo, tmp_path
):
    (tmp_path / "a.png").write_bytes(b"one")
    demo["references"] = {"maps": {"b": str(tmp_path), "a": f"file://{tmp_path}/a.png"}}
    demo["controls"] = {"cutoffs": [2, 0.5]}
    study = checked_study(demo, schema)
    words = study.reference_flags.split()
    named = ["--maps", f"a={tmp_path}/a.png", f"b={tmp_path}"]
    assert words == ["--folds", "5", "--seed", "0", *named]
    assert study.reference_maps.split() == named
    assert demo["controls"] == {"cutoffs": [0.5, 2], "seed": 0}
    before = study.reference_digests
    (tmp_path / "notes.txt").write_text("no map")
    maps_digest.cache_clear()
    assert study.reference_digests == before
    os.utime(tmp_path / "a.png", (1, 1))
    maps_digest.cache_clear()
    again = study.reference_digests
    assert again[0] != before[0] and again[1] != before[1]


def test_class_folders_that_differ(tmp_path):
    train = folder_of(tmp_path / "train", "a/1.JPEG", "b/1.png", "c/1.jpg", "notes.txt")
    val = folder_of(tmp_path / "val", "a/1.JPEG", "b/1.png", "d/1.jpg", "c/notes.txt")
    with pytest.raises(UserError, match="train lacks 1 class folders: d\n.*val lacks 1 .*: c"):
        check_folders(train, val)
    check_folders(train, train)
    check_folders(train, None)
    check_folders(None, None)


@pytest.mark.parametrize("part", ["train", "val"])
@pytest.mark.parametrize(
    "files, message",
    [
        ((), ": expected one sub-folder of images per class, ending in .jpeg, .jpg, .png; it "),
        (("1.JPEG", "2.JPEG"), " holds images such as .* in no class folder; expected one sub-fol"),
        (("a/1.jpg", "b/1.jpg", "1.jpg"), " holds images such as 1.jpg in no class folder; expec"),
        (("a/notes.txt", "b/1.webp"), ": expected one sub-folder of images per class"),
        (("a/images/1.jpg", "b/images/1.jpg"), ".* it has images in a single one, 'images'"),
    ],
)  # fmt: skip
def test_folders_without_class_folders(tmp_path, part, files, message):
    root = folder_of(tmp_path / "images", *files)
    with pytest.raises(UserError, match=f"imagenet.{part}: {root}{message}"):
        check_folders(**{"train": None, "val": None, part: root})


def test_a_file_and_a_folder_that_cannot_be_read(tmp_path):
    root = folder_of(tmp_path / "images", "images.tar")
    (tmp_path / "images" / "loop").symlink_to("loop")
    with pytest.raises(UserError, match="imagenet.val: .*images.tar is not a folder; expected"):
        check_folders(None, f"{root}/images.tar")
    with pytest.raises(UserError, match="imagenet.val: .*images cannot be searched for images: "):
        check_folders(None, root)


def test_class_folders_are_the_classes_of_timm(tmp_path):
    from human_alignment.data.folders import ImageFolder
    from timm.data.readers.img_extensions import get_img_extensions

    files = ("animals/cat/1.jpg", "animals/dog/1.JPG", "animals/2.txt", "car/1.png", "bus/1.gif")
    root = folder_of(tmp_path / "images", *files)
    assert class_folders(root) == set(ImageFolder(root).classes) == {"cat", "dog", "car"}
    assert set(ENDINGS) == set(get_img_extensions())
