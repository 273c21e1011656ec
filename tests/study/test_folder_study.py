"""A study of pictures and human maps of one's own: a short config, its checks, and its digest."""

import copy
import json
import os
import shlex

import pytest
from human_alignment.common.cli import UserError
from human_alignment.study.config import check_config, checked_study
from human_alignment.study.study import Study


@pytest.fixture
def mine(tmp_path):
    """A config with what it cannot do without; the files that it names."""
    for name in ("images/a.jpg", "images/deep/b.WEBP", "maps/a.npy", "maps/deep/b.npy", "w.pth"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"12")
    for name in ("labels.csv", "classes.txt", "points.csv"):
        (tmp_path / name).write_text(name)
    folder = {name: str(tmp_path / name) for name in ("images", "maps")}
    checkpoint = {"url": str(tmp_path / "w.pth")}
    return {
        "study": "mine",
        "data": "folder",
        "folder": folder | {"labels": str(tmp_path / "labels.csv")},
        "models": {"resnet50": {"source": "published", "checkpoint": checkpoint}},
    }


def test_a_short_config_is_enough(mine, schema, tmp_path):
    study = checked_study(mine, schema)
    assert study.data_file() == "results/mine/data/folder.h5"
    assert study.top1_images is None and study.training_file == []
    words = shlex.split(study.folder_flags)
    given = dict(zip(words[::2], words[1::2], strict=True))
    assert given == {
        "--images": str(tmp_path / "images"),
        "--maps": str(tmp_path / "maps"),
        "--labels": str(tmp_path / "labels.csv"),
        "--image-size": "224",
        "--map-size": "64",
        "--sigma": "0",
        "--missing": "stop",
    }


def test_every_key_is_a_flag_of_the_script(mine, schema):
    import prepare_folder

    points = mine["folder"]["images"].replace("images", "points.csv")
    mine["folder"] |= {"maps": None, "fixations": points, "sigma": 2.5, "num_classes": 7}
    mine["folder"] |= {"image_size": 32, "map_size": 16, "crop": True, "average": True}
    mine["folder"] |= {"missing": "skip", "human_ceiling": 0.5, "labels": "folders"}
    mine["folder"] |= {"class_names": points}
    flags = shlex.split(checked_study(mine, schema).folder_flags)
    parsed = vars(prepare_folder.parsed([*flags, "--output", "d.h5"]))
    found = {key: str(parsed[key]) for key in mine["folder"]}
    assert found == {key: str(value) for key, value in mine["folder"].items()}
    assert set(schema["properties"]["folder"]["properties"]) == set(parsed) - {"output"}


def digest(config):
    from human_alignment.common.class_folders import images_digest

    images_digest.cache_clear()
    return Study(config).folder_digest


def test_the_digest_sees_names_and_sizes_of_pictures_and_content_of_the_rest(
    mine, schema, tmp_path
):
    check_config(mine, schema)
    seen = [digest(mine)]
    for path in tmp_path.rglob("*"):
        os.utime(path, (1, 1))
    (tmp_path / "images/notes.txt").write_text("no picture")
    (tmp_path / "maps/.thumbs").mkdir()
    (tmp_path / "maps/.thumbs/a").write_text("of a viewer")
    (tmp_path / "points.csv").write_text("not of this study")
    assert digest(mine) == seen[0]
    for name, content in {
        "images/deep/b.WEBP": "123",
        "images/c.tif": "1",
        "maps/a.npy": "34",  # as long as before
        "labels.csv": "other",
    }.items():
        (tmp_path / name).write_text(content)
        seen.append(digest(mine))
    (tmp_path / "maps/a.npy").rename(tmp_path / "maps/c.npy")
    seen.append(digest(mine))
    assert len(set(seen)) == len(seen) == 6
    mine["folder"]["labels"] = "folders"
    assert set(json.loads(digest(mine))) == {"images", "maps"}


def test_other_studies_have_no_folder(configs, schema):
    config = copy.deepcopy(configs["demo"])
    check_config(config, schema)
    assert Study(config).folder_paths == {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"maps": None}, "folder: none is given of `maps` and `fixations`; allowed: one of them"),
        ({"fixations": "f.csv", "sigma": 1}, "folder: both are given of `maps` and `fixations`"),
        ({"maps": None, "fixations": "f.csv"}, "folder.sigma: fixations need one above 0"),
        ({"labels": None}, "protocol.target: 'label' cannot be explained, as `folder` names no"),
        ({"image": "x"}, "folder: unknown key 'image' (did you mean 'images'?)"),
        ({"map_size": 0}, "folder.map_size: 0 is out of range; allowed: >= 1"),
        ({"sigma": -1}, "folder.sigma: -1 is out of range; allowed: >= 0"),
        ({"missing": "ignore"}, "folder.missing: 'ignore' is not known; allowed: stop, skip"),
        ({"human_ceiling": 2}, "folder.human_ceiling: 2 is out of range; allowed: <= 1"),
        ({"images": "nothing"}, "folder.images: nothing does not exist"),
        ({"maps": "https://host/maps"}, "folder.maps: https://host/maps does not exist"),
        ({"class_names": "nothing"}, "folder.class_names: nothing does not exist"),
    ],
)
def test_mistakes_are_told_before_any_job(mine, schema, change, message):
    mine["folder"] |= change
    with pytest.raises(UserError) as error:
        checked_study(mine, schema)
    assert message in str(error.value)


def test_the_section_is_needed_and_predictions_need_no_labels(mine, schema):
    mine["folder"]["labels"] = None
    checked_study(mine | {"protocol": {"target": "prediction"}}, schema)
    del mine["folder"]
    with pytest.raises(UserError, match="'folder' is a required property"):
        checked_study(mine, schema)
