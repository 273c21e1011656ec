"""What README and docs/data.md say about images and maps of one's own is what happens."""

import re
import shlex

import numpy as np
import prepare_folder
import pytest
import yaml
from human_alignment.common.cli import UserError
from human_alignment.common.picture_files import ENDINGS
from human_alignment.data.data_file import DataFile
from human_alignment.study.config import checked_study
from PIL import Image


@pytest.fixture
def work(tmp_path, monkeypatch):
    """The working folder: pictures, maps and the other files that the texts name."""
    for folder in ("pictures", "maps"):
        (tmp_path / folder / "beach").mkdir(parents=True)
    for name in ("01.jpg", "02.png"):
        Image.new("RGB", (30, 20), "red").save(tmp_path / "pictures/beach" / name)
    ramp = np.arange(150, dtype=np.uint8).reshape(10, 15)
    Image.fromarray(ramp).save(tmp_path / "maps/beach/01.png")
    for observer in ("ann", "bob"):
        np.save(tmp_path / f"maps/beach/02__{observer}.npy", ramp)
    (tmp_path / "labels.csv").write_text("file,label\nbeach/01.jpg,n01440764\nbeach/02,5\n")
    (tmp_path / "resnet50.safetensors").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def section(root):
    """The README's section."""
    text = (root / "README.md").read_text()
    return re.search(r"^## Your own images and human maps\n(.*?)^## ", text, re.M | re.S)[1]


def test_the_command_of_the_readme(section, work):
    typed = re.search(r"^python workflow_scripts/prepare_folder.py (.*)$", section, re.M)[1]
    prepare_folder.main(shlex.split(typed))
    with DataFile(work / "mine.h5") as data:
        assert data.image_ids == ["beach/01", "beach/02__ann", "beach/02__bob"]
        assert data.labels.tolist() == [0, 5, 5]


def test_the_config_of_the_readme(section, work, root):
    text = re.search(r"```yaml\n(.*?)```", section, re.S)[1]
    assert text.count("\n") < 10
    schema = yaml.safe_load((root / "schemas/config.schema.yaml").read_text())
    study = checked_study(yaml.safe_load(text), schema)
    assert study.name == "mine" and set(study.folder_paths) == {"images", "maps", "labels"}
    prepare_folder.main([*shlex.split(study.folder_flags), "--output", study.data_file()])
    unlabelled = yaml.safe_load(text)
    del unlabelled["folder"]["labels"]
    with pytest.raises(UserError, match=re.escape(re.search(r"`(protocol: .*?)`", section)[1])):
        checked_study(unlabelled, schema)


def test_the_document_names_all_keys_kinds_and_defaults(root):
    text = (root / "docs/data.md").read_text()
    schema = yaml.safe_load((root / "schemas/config.schema.yaml").read_text())
    table = text.split("## All keys")[1]
    keys = schema["properties"]["folder"]["properties"]
    assert set(re.findall(r"`(\w+)`", table)) - {"folders"} == set(keys)
    assert re.search(r"end in (\.avif, .*?) or (\.webp)\.", text).expand(r"\1, \2") == ", ".join(
        ENDINGS
    )
    assert "| 224, 64 |" in table
    assert (keys["image_size"]["default"], keys["map_size"]["default"]) == (224, 64)


def test_the_picture_is_made_by_the_pipelines_code(root, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(root / "docs")
    import draw_data

    draw_data.main(["--output", str(tmp_path / "data.png")])
    with Image.open(tmp_path / "data.png") as new, Image.open(root / "docs/data.png") as held:
        assert new.size == held.size
        assert np.abs(np.asarray(new, float) - np.asarray(held, float)).mean() < 2
