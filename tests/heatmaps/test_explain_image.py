import explain_image
import numpy as np
import pytest
import torch
from hub_server import HubServer
from human_alignment.common.cli import UserError
from human_alignment.data.input_transform import InputTransform
from human_alignment.data.pictures import seen_part
from human_alignment.heatmaps.attributions import Masking, rise, saliency
from human_alignment.heatmaps.one_picture import explain_picture, load_network, picture_input
from human_alignment.networks.weights import save_weights
from human_alignment.networks.zoo import build, find, prepare_for_inference
from PIL import Image

NAME = "micro_resnet50_dcls"
GOLDEN_RETRIEVER = 207  # of ImageNet-1k


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Weights of a tiny network whose classifier always prefers class 3."""
    return favouring(tmp_path_factory.mktemp("weights") / "w.safetensors", 3, 10)


def favouring(path, favourite, classes):
    torch.manual_seed(0)
    spec = find(NAME).changed(num_classes=classes)
    model = build(spec)
    with torch.no_grad():
        model.get_classifier().bias[favourite] = 50
    save_weights(path, model, spec)
    return path


def explain(picture, weights, output, *more):
    explain_image.main([str(picture), "--weights", str(weights), "--output", str(output), *more])


def test_prints_the_top_classes_and_writes_the_figure(gradient, weights, tmp_path, capsys):
    Image.fromarray(gradient).save(tmp_path / "p.png")
    more = ["--model", NAME, "--explainers", "grad_cam", "layer_cam"]
    explain(tmp_path / "p.png", weights, tmp_path / "o.svg", *more)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("80 x 40 pixels")
    assert lines[1].split() == ["100.0%", "class", "3"]
    assert len(lines) == 6
    drawn = (tmp_path / "o.svg").read_text()
    for text in ("Grad-CAM", "LayerCAM", "Explained: class 3, 100.0%."):
        assert text in drawn
    assert "Threshold" not in drawn


def test_a_thousand_classes_are_imagenets(gradient, tmp_path, capsys):
    Image.fromarray(gradient).save(tmp_path / "p.png")
    weights = favouring(tmp_path / "w.safetensors", GOLDEN_RETRIEVER, 1000)
    explain(tmp_path / "p.png", weights, tmp_path / "o.png", "--top", "2")
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].strip() == "100.0%  golden retriever (207)"
    assert len(lines) == 3


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1", "CMYK", "I;16"])
@pytest.mark.parametrize("size", [(40, 40), (9, 300), (301, 7)])
def test_any_kind_and_size_of_picture_is_explained(mode, size, weights, tmp_path):
    if mode == "I;16":
        picture = Image.fromarray(np.arange(size[0] * size[1], dtype=np.uint16).reshape(size[::-1]))
    else:
        picture = Image.effect_noise(size, 90).convert(mode)
    path = tmp_path / ("p.tif" if mode == "CMYK" else "p.png")
    picture.save(path)
    protocol = "paper" if mode == "L" else "released"
    explain(path, weights, tmp_path / "o.png", "--protocol", protocol)
    assert (tmp_path / "o.png").stat().st_size > 2000


def test_the_network_sees_what_the_figure_does_not_dim(gradient):
    transform = InputTransform(resize=32, crop=24, mean=(0, 0, 0), std=(1, 1, 1))
    rows, columns = seen_part(40, 80, transform, "crop")
    assert (rows, columns) == (slice(5, 35), slice(25, 55))  # 30 = 40 * 24 / 32
    seen = picture_input(gradient, transform, "crop") * 255
    part = gradient[rows, columns]
    for corner in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
        assert np.abs(seen[:2, *corner] - part[corner][:2]).max() < 6
    assert seen_part(40, 80, transform, "full") == (slice(0, 40), slice(0, 80))
    whole = picture_input(gradient, transform, "full") * 255
    assert whole[0, 0, 0] < 6 and whole[0, 0, -1] > 249


def test_the_explained_class_can_be_chosen(gradient, weights):
    model, spec = load_network(weights)
    model = prepare_for_inference(model)
    one = explain_picture(model, spec, gradient, ["grad_cam"])
    other = explain_picture(model, spec, gradient, ["grad_cam"], target=5)
    assert (one.target, other.target) == (3, 5)
    assert one.probabilities.sum() == pytest.approx(1)
    assert one.top(1) == [3]
    assert not np.array_equal(one.maps["grad_cam"], other.maps["grad_cam"])


def test_a_published_checkpoint_needs_the_networks_name(gradient, weights, tmp_path):
    model, _ = load_network(weights)
    torch.save({"model": model.state_dict()}, tmp_path / "c.pth")
    again, spec = load_network(tmp_path / "c.pth", NAME)
    assert spec.dcls == find(NAME).dcls
    assert all(torch.equal(v, again.state_dict()[k]) for k, v in model.state_dict().items())
    with pytest.raises(UserError, match="not a weights file of this pipeline"):
        load_network(tmp_path / "c.pth")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read as a picture"),
        (b"not a picture at all", "cannot be read as a picture"),
        (b"\x89PNG\r\n\x1a\n broken", "cannot be read as a picture"),
        (None, "does not exist"),
    ],
)
def test_an_unreadable_picture_is_named(content, message, weights, tmp_path):
    path = tmp_path / "p.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        explain(path, weights, tmp_path / "o.png")
    assert str(path) in str(caught.value)
    assert not (tmp_path / "o.png").exists()


def test_a_picture_cut_short_is_named(gradient, weights, tmp_path):
    Image.fromarray(gradient).save(tmp_path / "p.jpg")
    whole = (tmp_path / "p.jpg").read_bytes()
    (tmp_path / "p.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"p\.jpg cannot be read as a picture"):
        explain(tmp_path / "p.jpg", weights, tmp_path / "o.png")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--model", "micro_convnext_tiny"], "holds another network than --model says"),
        (["--model", "micro_resnet50"], "resnet with DCLS"),
        (["--class", "10"], "no class 10: the network has 10"),
        (["--explainers", "grad_kam"], "explainer 'grad_kam' is not known"),
        (["--top", "0"], "--top: 0 is not positive"),
        (["--protocol", "papr"], "unknown preset 'papr'"),
    ],
)
def test_wrong_flags_are_refused(flags, message, gradient, weights, tmp_path):
    Image.fromarray(gradient).save(tmp_path / "p.png")
    with pytest.raises(UserError, match=message):
        explain(tmp_path / "p.png", weights, tmp_path / "o.png", *flags)
    assert not (tmp_path / "o.png").exists()


def test_activations_that_are_not_finite_are_refused(gradient, weights):
    model, spec = load_network(weights)
    with torch.no_grad():
        model.bn1.weight.fill_(torch.inf)
    with pytest.raises(UserError, match="not finite"):
        explain_picture(prepare_for_inference(model), spec, gradient, ["grad_cam"])


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with HubServer.of("test_resnet.r160_in1k", "test_vit.r160_in1k") as server:
        yield server.used(monkeypatch, tmp_path / "cache")


def test_timms_own_weights_need_no_file(gradient, hub, tmp_path, capsys):
    Image.fromarray(gradient).save(tmp_path / "p.png")
    flags = ["--model", "timm:test_resnet.r160_in1k", "--output", str(tmp_path / "o.svg")]
    explain_image.main([str(tmp_path / "p.png"), *flags])
    assert len(capsys.readouterr().out.splitlines()) == 6
    drawn = (tmp_path / "o.svg").read_text()
    assert "test_resnet.r160_in1k" in drawn and "Threshold-Grad-CAM" in drawn
    assert list((tmp_path / "cache").rglob("model.safetensors"))
    assert [method for method, *_ in hub.requests] == ["HEAD", "GET"]


def test_several_networks_stand_side_by_side(gradient, hub, weights, tmp_path, capsys):
    Image.fromarray(gradient).save(tmp_path / "p.png")
    names = ["test_resnet.r160_in1k", "test_vit.r160_in1k", "test_resnet", "test_vit"]
    explainers = ["grad_cam", "saliency", "rise"]
    explain_image.main(
        [str(tmp_path / "p.png"), "--model", *(f"timm:{name}" for name in names), "--top", "2"]
        + ["--explainers", *explainers, "--masks", "8", "--output", str(tmp_path / "o.svg")]
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "test_resnet.r160_in1k" and len(lines) == 1 + 4 * 3
    drawn = (tmp_path / "o.svg").read_text()
    for text in (*names[:2], "Grad-CAM", "Saliency", "RISE", "Most probable: "):
        assert text in drawn


def test_at_most_four_columns():
    tile = np.zeros((2, 2, 3), np.uint8)
    maps = {"grad_cam": tile, "saliency": tile}
    one = list(explain_image.rows_of(tile, [("a", dict.fromkeys("vwxyz", tile))]))
    assert [list(row.labels) for row in one] == [["picture", *"vwx"], ["picture", *"yz"]]
    many = list(explain_image.rows_of(tile, [(name, maps) for name in "abcde"]))
    assert [row.title for row in many] == ["", *["Grad-CAM", "Saliency"] * 2]
    assert [list(row.labels) for row in many[1:4]] == [[*"abcd"], [*"abcd"], ["e"]]
    assert len(many[0].pictures) == 1


def test_saliency_and_rise_are_those_of_an_extraction(gradient, weights):
    model, spec = load_network(weights)
    model, masking = prepare_for_inference(model), Masking(16)
    names = ["rise", "grad_cam", "saliency"]
    found = explain_picture(model, spec, gradient, names, target=2, masking=masking)
    inputs = torch.from_numpy(picture_input(gradient, spec.transform, "crop"))[None]
    assert list(found.maps) == names
    seen = model, inputs.requires_grad_(), model(inputs)
    for explainer in (saliency, rise):
        (expected,) = explainer(*seen, torch.tensor([2]), masking).numpy()
        assert np.array_equal(found.maps[explainer.__name__], expected)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "name a network: --weights FILE, or --model timm:NAME"),
        (["--model", "micro_resnet50"], "only plain networks of timm"),
        (["--model", "timm:vgg11", "timm:vgg13", "--weights", "w"], "1 files, --model 2 networks"),
        (["--model", "timm:test_resnet.r160_in1k", "--masks", "0"], "masks, cells and batch"),
        (["--model", "timm:test_resnet.r160_in2k"], "did you mean test_resnet.r160_in1k"),
    ],
)
def test_networks_without_weights_are_refused(flags, message, gradient, hub, tmp_path):
    Image.fromarray(gradient).save(tmp_path / "p.png")
    with pytest.raises(UserError, match=message):
        explain_image.main([str(tmp_path / "p.png"), "--output", str(tmp_path / "o.png"), *flags])
