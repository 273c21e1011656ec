"""Extraction of heatmaps: shards, kills, full disks, precision, what is refused."""

import hashlib
import os
import random
import resource
import signal
import subprocess
import sys

import dying_extraction
import extract_heatmaps
import join_heatmaps
import numpy as np
import pytest
import torch
import warm_python
from human_alignment.common.arguments import cores
from human_alignment.common.cli import UserError
from human_alignment.data.data_file import DataWriter
from human_alignment.data.digits import encode
from human_alignment.heatmaps.arguments import extraction_parser
from human_alignment.heatmaps.explainers import EXPLAINERS
from human_alignment.heatmaps.extraction import compile_body, shard_rows
from human_alignment.heatmaps.features import differentiate_head
from human_alignment.heatmaps.heatmap_file import HeatmapFile
from human_alignment.networks import zoo
from human_alignment.networks.weights import save_weights
from scipy.stats import spearmanr

IMAGES = 44
ALL = ("--explainers", *EXPLAINERS)


def make_data(path, count=IMAGES, classes=10, labelled=True):
    random = np.random.default_rng(0)
    attributes = dict(dataset="toy", description="", num_classes=classes, image_size=64)
    with DataWriter(path, **attributes) as writer:
        for i in range(count):
            image = random.integers(0, 256, (64, 64, 3), dtype=np.uint8)
            label = i % classes if labelled else None
            writer.append(encode(image), label, f"image-{i}", random.random((64, 64), "f4"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Data and the weights of a random micro network."""
    folder = tmp_path_factory.mktemp("extraction")
    make_data(folder / "data.h5")
    spec = zoo.find("micro_convnext_tiny_dcls")
    torch.manual_seed(0)
    save_weights(folder / "weights.safetensors", zoo.build(spec), spec)
    return folder


def command(folder, output, *more):
    return [
        *("--data", str(folder / "data.h5"), "--weights", str(folder / "weights.safetensors")),
        *("--output", str(folder / output), "--batch-size", "1", *more),
    ]


def script(folder, output, *more):
    return [sys.executable, extract_heatmaps.__file__, *command(folder, output, *more)]


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def whole(folder):
    extract_heatmaps.main(command(folder, "whole.h5", *ALL))
    return folder / "whole.h5"


def test_every_explainer_is_in_the_file(whole):
    with HeatmapFile(whole) as maps:
        assert maps.explainers == sorted(EXPLAINERS)
        for name in EXPLAINERS:
            values = maps.maps(name, 0, IMAGES)
            assert values.shape == (IMAGES, 8, 8) and values.dtype == np.float32
            assert np.isfinite(values).all() and values.max() > 0 and values.min() >= 0


@pytest.mark.parametrize("batch_size, shards", [("3", 4), ("5", 2), ("20", 3)])
def test_shards_join_to_the_bytes_of_one_job(folder, batch_size, shards):
    size = ("--batch-size", batch_size)
    extract_heatmaps.main(command(folder, "one.h5", *ALL, *size))
    for i in range(shards):
        part = command(folder, f"part{i}.h5", *ALL, *size, "--shard", f"{i}/{shards}")
        extract_heatmaps.main(part)
    parts = [str(folder / f"part{i}.h5") for i in reversed(range(shards))]
    join_heatmaps.main([*parts, "--output", str(folder / "joined.h5")])
    assert digest(folder / "joined.h5") == digest(folder / "one.h5")
    with pytest.raises(UserError, match="44; name every shard, once"):
        join_heatmaps.main([*parts[1:], "--output", str(folder / "short.h5")])
    assert not (folder / "short.h5").exists()


def test_neither_the_order_of_explainers_nor_the_old_word_changes_the_file(folder):
    names = ["layer_cam", "grad_cam", "eigen_cam"]
    extract_heatmaps.main(command(folder, "order.h5", "--explainers", *names))
    again = ("--explainers", *reversed(names), names[0], "--geometry", "released")
    extract_heatmaps.main(command(folder, "reversed.h5", *again))
    assert digest(folder / "order.h5") == digest(folder / "reversed.h5")
    with HeatmapFile(folder / "order.h5") as maps:
        assert (maps.explainers, maps.geometry) == (sorted(names), "crop")


def test_shards_are_whole_batches_and_cover_everything():
    rows = [shard_rows(103, 10, i, 4) for i in range(4)]
    assert rows == [(0, 20), (20, 50), (50, 80), (80, 103)]
    with pytest.raises(UserError, match="shards count from 0 to 3"):
        shard_rows(103, 10, 4, 4)
    with pytest.raises(UserError, match="103 images are 11 batches of 10"):
        shard_rows(103, 10, 0, 12)


def test_parts_of_different_settings_are_not_joined(folder):
    extract_heatmaps.main(command(folder, "a.h5", "--shard", "0/2"))
    extract_heatmaps.main(command(folder, "b.h5", "--shard", "1/2", "--target", "prediction"))
    parts = [str(folder / "a.h5"), str(folder / "b.h5")]
    with pytest.raises(UserError, match="not of one network, data file and settings"):
        join_heatmaps.main([*parts, "--output", str(folder / "ab.h5")])
    with pytest.raises(UserError, match="give every part once"):
        join_heatmaps.main([parts[0], parts[0], "--output", str(folder / "ab.h5")])


def test_a_job_killed_at_ten_random_writes_ends_in_the_same_bytes(folder, tmp_path, monkeypatch):
    make_data(tmp_path / "data.h5", count=450)
    (tmp_path / "weights.safetensors").write_bytes((folder / "weights.safetensors").read_bytes())
    monkeypatch.setattr(extract_heatmaps, "BATCHES_PER_CHUNK", dying_extraction.BATCHES_PER_CHUNK)
    given = (*ALL, "--batch-size", "4")
    extract_heatmaps.main(command(tmp_path, "whole.h5", *given))
    moment = random.Random(0)
    chunks = [0]
    for _ in range(10):  # 29 chunks of 14 datasets and a rename: more than ten times 40 events
        job = [warm_python.program(), dying_extraction.__file__, str(moment.randint(1, 40))]
        job += command(tmp_path, "killed.h5", *given, "--threads", "1")
        assert subprocess.run(job).returncode == -signal.SIGKILL
        chunks.append(len(list((tmp_path / ".killed.chunks").glob("0*.h5"))))
    assert chunks == sorted(chunks) and chunks[-1] > 9
    assert not (tmp_path / "killed.h5").exists()
    extract_heatmaps.main(command(tmp_path, "killed.h5", *given))
    assert digest(tmp_path / "killed.h5") == digest(tmp_path / "whole.h5")
    assert not list(tmp_path.glob(".killed*"))


def test_a_full_disk_is_reported_and_no_half_file_is_left(folder):
    """A limit on file size fails as a full disk does: the write comes back short."""

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

    job = subprocess.run(
        script(folder, "full.h5", *ALL, "--batch-size", "8"),
        preexec_fn=limit, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert job.returncode == 1
    last = job.stderr.strip().splitlines()[-1]
    assert last.startswith("error: ") and "File too large" in last and "full" in last
    assert not (folder / "full.h5").exists()
    assert not list((folder / ".full.chunks").glob("*.h5"))


def test_low_precision_and_compilation_are_recorded_and_change_little(folder, whole):
    extract_heatmaps.main(command(folder, "low.h5", "--precision", "bfloat16"))
    with HeatmapFile(whole) as full, HeatmapFile(folder / "low.h5") as low:
        for name in low.explainers:
            a, b = (maps.maps(name, 0, IMAGES).reshape(IMAGES, -1) for maps in (full, low))
            assert (a != b).any()
            assert np.mean([spearmanr(*pair).statistic for pair in zip(a, b, strict=True)]) > 0.9


@pytest.mark.parametrize("name", ["resnet50_dcls", "convnext_tiny", "caformer_s18", "fastvit_sa24"])
def test_what_is_compiled_is_the_body_alone(name, monkeypatch):
    """Modules that run before the end of the last feature map's layer, each once; not the head."""
    spec = zoo.find(f"micro_{name}")
    model = zoo.prepare_for_inference(zoo.build(spec))
    layer = zoo.feature_layer(model, spec)
    chosen = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda module, **_: chosen.append(module))
    compile_body(model, layer)
    order = []
    for module in model.modules():
        module.register_forward_hook(lambda module, *_: order.append(module))
    x = torch.randn(1, 3, 64, 64)
    differentiate_head(model, layer, x, torch.tensor([0]))
    body = order[: order.index(layer)]
    assert chosen and set(chosen) & set(body)
    head = [module for module in order[order.index(layer) :] if module not in body]
    assert not set(chosen) & set(head)
    inside = {id(m) for module in chosen for m in module.modules()}
    convolutions = [m for m in body if isinstance(m, torch.nn.Conv2d)]
    assert all(id(m) in inside for m in convolutions)


def test_images_of_unknown_classes_are_refused_before_any_work(folder, tmp_path):
    make_data(tmp_path / "data.h5", count=20, classes=12)
    (tmp_path / "weights.safetensors").write_bytes((folder / "weights.safetensors").read_bytes())
    with pytest.raises(UserError, match=r"images of class 11, the network knows 10 classes"):
        extract_heatmaps.main(command(tmp_path, "out.h5"))
    extract_heatmaps.main(command(tmp_path, "out.h5", "--target", "prediction"))


def test_without_labels_only_predictions_are_explained(folder, tmp_path):
    make_data(tmp_path / "data.h5", count=3, labelled=False)
    (tmp_path / "weights.safetensors").write_bytes((folder / "weights.safetensors").read_bytes())
    with pytest.raises(UserError, match="have no labels; explain what networks predict"):
        extract_heatmaps.main(command(tmp_path, "out.h5"))
    extract_heatmaps.main(command(tmp_path, "out.h5", "--target", "prediction"))


def test_a_data_file_cut_short_is_refused(folder, tmp_path):
    content = (folder / "data.h5").read_bytes()
    (tmp_path / "data.h5").write_bytes(content[: len(content) // 2])
    (tmp_path / "weights.safetensors").write_bytes((folder / "weights.safetensors").read_bytes())
    with pytest.raises(UserError, match="not a complete data file"):
        extract_heatmaps.main(command(tmp_path, "out.h5"))


def test_at_most_300_bytes_an_image_and_explainer(tmp_path):
    """With one explainer, where the columns weigh most, and an 8 x 8 map, the largest there is."""
    make_data(tmp_path / "data.h5", count=200)
    spec = zoo.find("micro_convnext_tiny")
    save_weights(tmp_path / "weights.safetensors", zoo.build(spec), spec)
    extract_heatmaps.main(
        command(tmp_path, "out.h5", "--explainers", "grad_cam", "--batch-size", "50")
    )
    overhead = 8192  # of the file itself, whatever the number of images
    assert (os.path.getsize(tmp_path / "out.h5") - overhead) / 200 < 300


def test_by_hand_every_core_is_used():
    parser = extraction_parser("any")
    given = parser.parse_args(["--data", "d.h5", "--weights", "w.safetensors", "--output", "o.h5"])
    assert given.threads == cores()
