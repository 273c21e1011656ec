"""Top-1 on a data file and on a folder, and what a folder may have wrong."""

import io
import json

import numpy as np
import pytest
import torch
from evaluate_top1 import main
from human_alignment.common.cli import UserError
from human_alignment.data.data_file import DataWriter
from human_alignment.data.folders import ImageFolder
from human_alignment.data.images import network_input
from human_alignment.data.input_transform import InputTransform
from human_alignment.networks import zoo
from human_alignment.networks.accuracy import _load_folder
from human_alignment.networks.weights import load_weights, save_weights
from PIL import Image
from timm.data import create_dataset, create_transform

MODEL = "micro_resnet50"


def encoded(pixels, kind="PNG"):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


@pytest.fixture(scope="module")
def pictures():
    """Thirty random images of 64 x 64 pixels, three of each of ten classes."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (30, 8, 8, 3), dtype=np.uint8)
    return coarse.repeat(8, axis=1).repeat(8, axis=2)


@pytest.fixture(scope="module")
def network(tmp_path_factory, pictures):
    """A weights file, and the class the network itself gives each picture."""
    spec = zoo.find(MODEL)
    torch.manual_seed(0)
    model = zoo.build(spec).eval()
    inputs = np.stack([network_input(picture, spec.transform, "crop") for picture in pictures])
    with torch.no_grad():
        model.fc.bias -= model(torch.from_numpy(inputs)).mean(0)  # so that predictions differ
        logits = model(torch.from_numpy(inputs))
    assert len(logits.argmax(1).unique()) > 4
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    save_weights(path, model, spec)
    return path, logits.argsort(1, descending=True).numpy()


@pytest.fixture
def folder(tmp_path, pictures):
    """Images 0, 1, 2 in class 0, 3, 4, 5 in class 1, ..."""
    for i, picture in enumerate(pictures):
        path = tmp_path / "val" / f"n{i // 3:04}" / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(picture))
    return tmp_path / "val"


def measure(images, network, tmp_path, *more):
    output = tmp_path / "top1.json"
    main(["--images", str(images), "--weights", str(network[0]), "--output", str(output), *more])
    return json.loads(output.read_text())


def expected(network, chosen=range(30)):
    """The accuracies worked out by hand from the network's ranking."""
    ranks = [list(network[1][i]).index(i // 3) for i in chosen]
    top1, top5 = (100 * np.mean([rank < k for rank in ranks]) for k in (1, 5))
    assert 0 < top5 < 100
    return pytest.approx(top1), pytest.approx(top5), len(ranks)


def test_folder(folder, network, tmp_path):
    found = measure(folder, network, tmp_path, "--batch-size", "7", "--threads", "2")
    assert (found["top1"], found["top5"], found["n"]) == expected(network)
    assert found["parameters"] == zoo.count_parameters(zoo.build(zoo.find(MODEL)))
    assert sorted(found) == ["n", "parameters", "top1", "top5"]


def test_data_file(pictures, network, tmp_path):
    path = tmp_path / "x.h5"
    about = dict(dataset="x", description="x", num_classes=10, image_size=64)
    with DataWriter(path, **about) as writer:
        for i, picture in enumerate(pictures):
            writer.append(encoded(picture), label=i // 3, image_id=str(i))
    found = measure(path, network, tmp_path, "--batch-size", "8")
    assert (found["top1"], found["top5"], found["n"]) == expected(network)


def test_unreadable_images_are_left_out_counted_and_named(folder, network, tmp_path, capsys):
    whole = (folder / "n0001" / "4.png").read_bytes()
    (folder / "n0001" / "4.png").write_bytes(whole[: len(whole) // 2])
    (folder / "n0009" / "27.png").write_text("<html>")
    found = measure(folder, network, tmp_path, "--batch-size", "4")
    chosen = [i for i in range(30) if i not in (4, 27)]
    assert (found["top1"], found["top5"], found["n"]) == expected(network, chosen)
    said = capsys.readouterr().err
    assert "2 images cannot be read" in said
    assert "n0001/4.png" in said and "n0009/27.png" in said


def test_folder_without_a_readable_image(folder, network, tmp_path):
    for path in folder.glob("*/*.png"):
        path.write_bytes(b"")
    with pytest.raises(UserError, match="none of the images can be read"):
        measure(folder, network, tmp_path)
    assert not (tmp_path / "top1.json").exists()


def test_empty_folder(network, tmp_path):
    (tmp_path / "val" / "n0000").mkdir(parents=True)
    with pytest.raises(UserError, match="val holds no images; expected one sub-folder"):
        measure(tmp_path / "val", network, tmp_path)


@pytest.mark.parametrize("change", ["empty class", "extra class", "no sub-folders"])
def test_wrong_number_of_classes(folder, network, tmp_path, change):
    if change == "empty class":
        for path in (folder / "n0003").iterdir():
            path.unlink()
    elif change == "extra class":
        (folder / "n0003").joinpath("9.png").rename(folder / "9.png")
    else:
        folder = folder / "n0003"
    count = {"empty class": 9, "extra class": 11, "no sub-folders": 1}[change]
    with pytest.raises(UserError, match=f"the images have {count} classes, the network 10"):
        measure(folder, network, tmp_path)


def test_folders_of_the_same_number_of_other_classes(folder, network, tmp_path):
    model, spec, _ = load_weights(network[0])
    names = [f"n{i:04}" for i in range(9)] + ["n0042"]
    trained = tmp_path / "trained.safetensors"
    save_weights(trained, model, spec, classes=names)
    with pytest.raises(UserError, match="val are not those that .*trained.safetensors was trained"):
        measure(folder, (trained,), tmp_path)
    save_weights(trained, model, spec, classes=sorted(path.name for path in folder.iterdir()))
    assert measure(folder, (trained,), tmp_path)["n"] == 30


def test_missing_path(network, tmp_path):
    with pytest.raises(UserError, match="nowhere does not exist"):
        measure(tmp_path / "nowhere", network, tmp_path)


@pytest.mark.parametrize(("resize", "percent"), [(235, 0.95), (256, 0.875), (224, 1.0)])
def test_a_folders_images_enter_as_timm_would_have_them(tmp_path, resize, percent):
    random = np.random.default_rng(1)
    for i, (height, width) in enumerate([(97, 130), (333, 500), (224, 224), (400, 291)]):
        pixels = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
        kind = ("JPEG", "PNG")[i % 2]
        image = Image.fromarray(pixels if i < 3 else pixels[..., 0])  # the last one is grey
        (tmp_path / "n0").mkdir(exist_ok=True)
        image.save(tmp_path / "n0" / f"{i}.{kind}", kind)
    transform = create_transform((3, 224, 224), interpolation="bicubic", crop_pct=percent)
    dataset = create_dataset("", root=str(tmp_path), transform=transform)
    theirs = torch.stack([dataset[i][0] for i in range(len(dataset))])
    ((ours, labels, failed),) = _load_folder(
        ImageFolder(tmp_path),
        InputTransform(resize=resize, crop=224),
        size=8,
        workers=1,
        device="cpu",
    )
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)
    assert labels.tolist() == [0] * 4 and failed == []
