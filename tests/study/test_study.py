"""What a config means. Pure functions: no job runs, and Snakemake is not needed."""

import copy
import json
import shlex

import pytest
from human_alignment.common.cli import UserError
from human_alignment.common.paths import Run
from human_alignment.study.config import check_config, checked_study
from human_alignment.study.study import Study, flags

PAIR = ("convnext_tiny", "convnext_tiny_dcls")


@pytest.fixture
def study_of(schema, configs):
    """A study with some sections changed; `models` names those that are kept."""

    def build(name="demo", models=None, **sections):
        config = copy.deepcopy(configs[name])
        if models is not None:
            config["models"] = {model: config["models"][model] for model in models}
            config["figures"] = {}
        for section, values in sections.items():
            both = isinstance(values, dict) and section in config
            config[section] = config[section] | values if both else values
        check_config(config, schema)
        return Study(config)

    return build


def test_each_published_network_is_a_run(study_of):
    study = study_of("paper")
    assert study.runs == [Run(model, "published") for model in study.config["models"]]


def test_each_seed_of_a_network_is_a_run(schema, configs):
    config = copy.deepcopy(configs["demo"])
    config["models"]["resnet50"]["train"]["seeds"] = [0, 7]
    check_config(config, schema)
    study = Study(config)
    assert study.runs_of("resnet50") == [Run("resnet50", "seed0"), Run("resnet50", "seed7")]
    assert len(study.runs) == 17
    assert study.runs_of("no_such_model") == []


def test_a_networks_complete_record(study_of):
    demo = study_of()
    plain, dcls = (demo.network(model) for model in PAIR)
    assert plain.dcls is None and dcls.dcls.kernel_size == 9
    assert plain.micro and plain.num_classes == 10
    paper = study_of("paper").network("convnext_tiny_dcls")
    assert (paper.dcls.kernel_size, paper.dcls.kernel_count, paper.micro) == (17, 34, False)


def test_a_network_of_a_known_family_is_added_in_the_config(schema, configs):
    config = copy.deepcopy(configs["paper"])
    config["networks"] = {
        "convnext_nano": {
            "family": "convnext",
            "arguments": {"depths": [2, 2, 8, 2], "dims": [80, 160, 320, 640]},
            "transform": {"resize": 256, "crop": 224},
            "dcls": {"kernel_size": 17, "kernel_count": 34, "version": "v0"},
        }
    }
    url = {"source": "published", "checkpoint": {"url": "https://example.org/nano.pth"}}
    config["models"] |= {"nano": url | {"architecture": "convnext_nano"}, "convnext_nano_dcls": url}
    check_config(config, schema)
    study = Study(config)
    assert study.network("nano").arguments["depths"] == [2, 2, 8, 2]
    assert study.network("nano").dcls is None
    assert study.network("convnext_nano_dcls").dcls.kernel_count == 34


def test_any_network_of_timm_needs_no_record(study_of, schema, configs):
    config = copy.deepcopy(configs["paper"])
    entry = {"source": "published", "timm": "efficientnet_b0", "feature_layer": "conv_head"}
    entry |= {"checkpoint": {"url": "https://example.org/b0.pth"}}
    config["models"]["mine"] = entry | {"dcls": {"kernel_size": 17, "kernel_count": 34}}
    check_config(config, schema)
    found = Study(config).network("mine")
    assert found.family == "timm"
    assert found.arguments == {"name": "efficientnet_b0", "feature_layer": "conv_head"}
    assert found.dcls.kernel_size == 17


@pytest.mark.parametrize(
    "url, path",
    [
        ("https://example.org/a.pth", "results/paper/checkpoints/resnet50"),
        ("./own//a.pth", "own/a.pth"),
        ("/own/a.pth", "/own/a.pth"),
        ("file:///own/a%20b.pth", "/own/a b.pth"),
    ],
)
def test_where_a_checkpoint_is(study_of, url, path):
    entry = {"source": "published", "checkpoint": {"url": url}}
    study = study_of("paper")
    study.config["models"]["resnet50"] = entry
    assert study.checkpoint_file("resnet50") == path


def test_images_of_a_folder_are_digested_and_those_of_the_data_set_are_not(study_of, tmp_path):
    study = study_of(imagenet={"train": str(tmp_path), "val": None})
    assert study.images_digest("train") and study.images_digest("val") == ""


def test_files_by_stage(study_of):
    study = study_of(models=PAIR, attributions={"explainers": ["saliency", "rise"]})
    base = "results/demo/scores/convnext_tiny"
    assert study.score_files() == [
        f"{base}{suffix}/seed0{part}.parquet"
        for part in ("", ".rise", ".saliency")
        for suffix in ("", "_dcls")
    ]
    heatmaps = [file.replace("scores", "heatmaps") for file in study.score_files(".h5")]
    assert study.scored_heatmaps() == heatmaps
    assert study.has_top1 and study.accuracies() == []  # that of the scored images
    elsewhere = study_of(models=PAIR, imagenet={"val": "images"})
    assert elsewhere.accuracies()[0] == "results/demo/weights/convnext_tiny/seed0.top1.json"
    assert study.dcls_weights() == ["results/demo/weights/convnext_tiny_dcls/seed0.safetensors"]
    assert len(study.curves()) == 2 and study_of("paper").curves() == []
    assert not study_of("paper").has_top1  # no images to measure it on


def names(count):
    """A config's entries of so many published networks, net0, net1, ..."""
    entry = {
        "source": "published",
        "architecture": "resnet50",
        "checkpoint": {"url": "https://a/b"},
    }
    return {f"net{number}": dict(entry) for number in range(count)}


@pytest.mark.parametrize(
    "count, label, models, shown, others",
    [
        (16, [], [], range(16), 0),
        (300, [], [], range(16), 284),
        (300, ["net299", "net3"], [], [*range(15), 299], 284),
        (300, ["net299"], ["net200", "net7"], [7, 200], 298),
    ],
)
def test_the_networks_of_the_gallery(study_of, count, label, models, shown, others):
    study = study_of("paper")
    study.config["models"] = names(count)
    study.config["figures"]["label"] = label
    study.config["gallery"]["models"] = models
    assert study.gallery_models == [f"net{number}" for number in shown]
    files = study.gallery_files(study.score_files())
    assert files == [f"results/paper/scores/net{number}/published.parquet" for number in shown]
    assert len(study.gallery_files(study.scored_heatmaps())) == len(files)
    found = f"--images 200 --others {others} --seed 0" if others else "--images 200 --seed 0"
    assert study.gallery_flags == found


def test_the_gallery_shows_both_parts_of_a_network(study_of):
    shown = {"models": ["convnext_tiny_dcls"]}
    study = study_of(models=PAIR, gallery=shown, attributions={"explainers": ["saliency"]})
    base = "results/demo/scores/convnext_tiny_dcls/seed0"
    files = study.gallery_files(study.score_files())
    assert files == [f"{base}.parquet", f"{base}.saliency.parquet"]


@pytest.mark.parametrize(
    "protocol, wanted",
    [
        ({}, [".h5", ".full.h5"]),
        ({"preset": "paper"}, [".crop.h5", ".h5"]),
        ({"geometry": "full"}, [".h5"]),
        ({"geometry": "crop"}, [".h5"]),
        ({"geometry": "released"}, [".h5"]),
    ],
)
def test_heatmaps_that_the_sensitivity_needs(study_of, protocol, wanted):
    run = Run("resnet50", "published")
    found = study_of("paper", protocol=protocol).sensitivity_heatmaps(run)
    assert found == [f"results/paper/heatmaps/resnet50/published{ending}" for ending in wanted]


def test_one_file_for_both_geometries_where_no_image_is_cropped(study_of):
    found = study_of().sensitivity_heatmaps(Run("resnet50", "seed0"))
    assert found == ["results/demo/heatmaps/resnet50/seed0.h5"]


def test_without_the_second_geometry_no_second_extraction(study_of):
    study = study_of("paper", sensitivity={"geometry": False})
    assert len(study.sensitivity_heatmaps(Run("resnet50", "published"))) == 1
    assert study.paper_protocol_scores() == []


def test_clickmes_ceiling_and_whether_to_divide(study_of):
    paper, demo = study_of("paper"), study_of()
    assert paper.clickme["human_ceiling"] == 0.65753 and demo.clickme["human_ceiling"] is None
    assert paper.protocol.divide_by_ceiling and demo.protocol.divide_by_ceiling
    assert not study_of(protocol={"divide_by_ceiling": False}).protocol.divide_by_ceiling


def test_the_order_of_explainers_means_nothing(study_of):
    names = ["threshold_grad_cam", "layer_cam", "grad_cam"]
    one, other = (study_of(extract={"explainers": order}) for order in (names, names[::-1]))
    assert one.explainers == other.explainers == sorted(names)
    assert one.explainer_flags() == other.explainer_flags()
    sampled = (
        study_of(attributions={"explainers": o})
        for o in (["saliency", "rise"], ["rise", "saliency"])
    )
    parts = [study.parts for study in sampled]
    assert parts == 2 * [["", ".rise", ".saliency"]]


@pytest.mark.parametrize("names", [["grad_cam"], ["layer_cam", "grad_cam", "threshold_grad_cam"]])
def test_explainers_are_a_matter_of_scoring_and_not_of_extraction(study_of, names):
    study = study_of(extract={"explainers": names})
    assert study.extraction_flags(".full", None) == study_of().extraction_flags(".full", None)
    assert shlex.split(study.explainer_flags()) == ["--explainers", *sorted(names)]
    assert study.explainer_flags(".rise") == "--explainers rise"


def test_each_explainer_of_a_sample_has_flags_of_its_own(study_of):
    study = study_of(attributions={"masks": 30, "seed": 4})
    sample = ["--geometry", "crop", "--images", "100"]
    rise = shlex.split(study.attribution_flags("rise"))
    assert rise == [
        *("--batch-size", "50", "--explainers", "rise", *sample),
        *("--masks", "30", "--seed", "4", "--target", "label"),
    ]
    saliency = shlex.split(study.attribution_flags("saliency"))
    assert saliency == ["--explainers", "saliency", *sample, "--seed", "4", "--target", "label"]
    other = study_of(
        attributions={"masks": 31, "seed": 4, "explainers": ["rise", "saliency"]},
        extract={"batch_size": 9},
    )
    assert other.attribution_flags("saliency") == study.attribution_flags("saliency")


def test_figure1_shows_the_papers_explainer_or_the_first_there_is(study_of):
    assert study_of().figure1_explainer == "threshold_grad_cam"
    study = study_of(extract={"explainers": ["layer_cam", "grad_cam"]})
    assert study.figure1_explainer == "grad_cam" and not study.is_swept


def test_flags_of_an_extraction(study_of):
    found = shlex.split(
        study_of(extract={"shards": 4, "compile": True}).extraction_flags(".full", "3")
    )
    assert found == [
        *(
            "--batch-size",
            "50",
            "--compile",
            "--geometry",
            "full",
            "--layers",
            "before_norm",
            "behind_norm",
        ),
        *("--precision", "float32", "--shard", "3/4", "--target", "label"),
    ]


@pytest.mark.parametrize(
    "sensitivity, protocol, wanted",
    [
        ({}, {}, "before_norm behind_norm"),
        ({"layer": False}, {}, "before_norm"),
        ({"layer": False}, {"layer": "behind_norm"}, "before_norm behind_norm"),
        ({"layer": False}, {"layer": "before_norm"}, "before_norm"),
    ],
)
def test_layers_are_extracted_that_the_sensitivity_or_the_protocol_needs(
    study_of, sensitivity, protocol, wanted
):
    study = study_of(sensitivity=sensitivity, protocol=protocol)
    assert f"--layers {wanted} --precision" in study.extraction_flags("", None)
    assert study.protocol.layer == protocol.get("layer", "before_norm")


def test_flags_are_quoted_and_say_nothing_of_what_is_off():
    assert flags(
        {"b_c": "it's {here}", "a": [1, 2.5], "off": False, "none": None, "empty": []}
    ) == ("--a 1 2.5 --b-c 'it'\"'\"'s {here}'")


def test_methods_figures_are_numbered_from_five(study_of):
    study = study_of(figures={"methods_models": ["resnet50", "caformer_s18", "convnext_tiny"]})
    assert study.methods_numbers == [5, 6, 7]
    assert study.methods_model("6") == "caformer_s18"
    assert study.methods_heatmaps(5, "plain") == ["results/demo/heatmaps/resnet50/seed0.h5"]
    assert study.methods_heatmaps(5, "dcls") == ["results/demo/heatmaps/resnet50_dcls/seed0.h5"]


PUBLISHED = {"source": "published", "checkpoint": {"url": "https://example.org/w.pth"}}
DCLS = {"kernel_size": 17, "kernel_count": 34}


@pytest.fixture
def own_study(schema, configs):
    """The paper's study with further models."""

    def build(**models):
        config = copy.deepcopy(configs["paper"])
        config["models"] |= {name: PUBLISHED | entry for name, entry in models.items()}
        return checked_study(config, schema)

    return build


def test_a_network_with_dcls_is_paired_by_plain_or_by_its_name(own_study):
    study = own_study(
        efficientnet_b0={"timm": "efficientnet_b0"},
        my_efficientnet={"timm": "efficientnet_b0", "dcls": DCLS, "plain": "efficientnet_b0"},
        wide_dcls={"architecture": "convnext_tiny", "dcls": DCLS},
        odd_dcls={"timm": "efficientnet_b0"},
    )
    twins = study.twins
    assert twins["my_efficientnet"] == "efficientnet_b0" and twins["wide_dcls"] == "wide"
    assert twins["resnet50_dcls"] == "resnet50" and "odd_dcls" not in twins
    pair = {"plain": "efficientnet_b0", "dcls": "my_efficientnet"}
    assert study.pair_of("efficientnet_b0") == study.pair_of("my_efficientnet") == pair
    assert study.pair_of("wide_dcls") == {"plain": None, "dcls": "wide_dcls"}
    assert study.pair_of("odd_dcls") == {"plain": "odd_dcls", "dcls": None}


def test_the_model_of_figure_1_is_shown_with_its_twin(own_study):
    study = own_study(
        my_resnet={"architecture": "resnet50", "dcls": DCLS | {"replaces": "3x3"}}
        | {"plain": "resnet50"}
    )
    study.config["figures"]["overlay_model"] = "my_resnet"
    base = "results/paper/scores"
    assert study.figure1_files("scores", ".parquet") == [
        f"{base}/my_resnet/published.parquet",
        f"{base}/resnet50/published.parquet",
    ]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"timm": "resnet18", "plain": "resnet50"}, "models.mine.plain: this network has no DCLS"),
        (
            {"timm": "resnet18", "dcls": DCLS, "plain": "resnet50_dcls"},
            "models.mine.plain: 'resnet50_dcls' is no model of the study without DCLS .did you "
            "mean 'resnet50'",
        ),
        ({"timm": "resnet18", "dcls": DCLS, "plain": "nobody"}, "'nobody' is no model"),
    ],
)
def test_a_wrong_twin_is_told_before_any_job(own_study, entry, message):
    with pytest.raises(UserError, match=message):
        own_study(mine=entry)


def test_claims_need_a_network_of_the_paper(schema, configs):
    config = copy.deepcopy(configs["paper"])
    config["models"] = {"mine": PUBLISHED | {"timm": "resnet18"}}
    config["figures"] = {}
    check_config(config, schema)
    assert not Study(config).has_claims
    config["models"] = {"micro_resnet50": PUBLISHED}
    assert not Study(config).has_claims
    config["models"]["resnet50_dcls"] = PUBLISHED
    assert Study(config).has_claims


def test_own_pictures_have_heatmaps_of_their_own(study_of, tmp_path):
    (tmp_path / "b.PNG").write_bytes(b"")
    (tmp_path / "a.jpg").write_bytes(b"")
    (tmp_path / "notes.txt").write_bytes(b"")
    study = study_of(figures={"pictures": str(tmp_path)})
    assert study.pictures == [str(tmp_path / "a.jpg"), str(tmp_path / "b.PNG")]
    assert study.methods_images == "results/demo/data/pictures.h5"
    assert study.methods_heatmaps(5, "plain") == ["results/demo/pictures/resnet50/seed0.h5"]


def test_the_record_of_a_network_travels_as_json(study_of):
    text = study_of().network("convnext_tiny_dcls").as_json()
    assert json.loads(text)["dcls"]["kernel_size"] == 9
    assert text == json.dumps(json.loads(text), sort_keys=True)


@pytest.mark.parametrize(
    "section, values, message",
    [
        ("imagenet", {"val": "/no/such/folder"}, "imagenet.val: /no/such/folder does not exist"),
        ("figures", {"pictures": "/no/such"}, "figures.pictures: /no/such does not exist"),
        ("imagenet", {"val": "."}, "imagenet.val: .: expected one sub-folder of images per class"),
        ("partial", True, "no run of the study has scores yet"),
    ],
)
def test_paths_are_checked_before_any_job(
    configs, schema, tmp_path, monkeypatch, section, values, message
):
    monkeypatch.chdir(tmp_path)
    config = copy.deepcopy(configs["demo"])
    config[section] = config.get(section, {}) | values if isinstance(values, dict) else values
    with pytest.raises(UserError, match=message):
        checked_study(config, schema)


def test_what_cannot_apply_to_a_study_is_not_made(study_of, configs):
    assert set(study_of().not_made) == set()
    assert set(study_of("paper").not_made) == {"accuracy", "curves"}  # nor images, nor trainings
    plain = study_of(models=["convnext_tiny", "resnet50"]).not_made
    assert plain == {
        "figure2": "no network with and without DCLS",
        "positions": "no network with DCLS",
        "dcls_by_stratum": "no network with and without DCLS",
    }
    apart = study_of(models=["convnext_tiny", "resnet50_dcls"]).not_made
    assert set(apart) == {"figure2", "dcls_by_stratum"}
    alone = study_of(models=["resnet50_dcls"]).not_made
    assert alone["figure4"] == "no network without DCLS"
    one = study_of(models=["resnet50"], extract={"explainers": ["layer_cam"]}).not_made
    assert {"figure2", "figure3", "figure4", "comparisons", "threshold_sweep"} < set(one)


def test_a_twin_without_scores_makes_no_pair_where_the_others_are_shown(
    study_of, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    study = study_of(models=PAIR, partial=True)
    monkeypatch.setattr(study, "available", lambda files: [f for f in files if "_dcls" in f])
    assert study.not_made["figure2"] == "no network with and without DCLS"
    assert "positions" not in study.not_made
