"""The gallery of a full study, 200 images and 16 networks, is a page of less than 10 MB."""

import base64
import json
import re

import make_gallery
import numpy as np
import pytest
import small_study
from human_alignment.data.data_file import DataFile, DataWriter
from human_alignment.data.digits import encode
from human_alignment.heatmaps.heatmap_file import HeatmapWriter
from human_alignment.outcome.gallery import MAPS_LIMIT, held_side
from human_alignment.scores import human_agreement
from human_alignment.scores.protocol import RELEASED
from human_alignment.scores.reference_file import References, ReferenceSource, write_references
from human_alignment.scores.reference_scoring import NAMES
from scipy.fft import irfft2, rfft2

COUNT, NETWORKS, SIDE = 200, 16, 224
OF_FEATURES = ["grad_cam", "threshold_grad_cam", "hires_cam", "xgrad_cam", "layer_cam", "eigen_cam"]
OF_THE_INPUT = ["rise", "saliency"]


def photographs(random):
    """Made-up pictures (COUNT, SIDE, SIDE, 3) with the power spectrum of photographs, 1 over f^3.

    As a JPEG each takes as many bytes as a photograph of this size, about 13 kB. Three of four are
    another one mirrored.
    """
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)).astype(np.float32)
    frequency[0, 0] = 1
    grey, colours = (
        random.standard_normal((COUNT // 4, channels, SIDE, SIDE), np.float32)
        for channels in (1, 3)
    )
    noise = irfft2(rfft2(0.8 * grey + 0.4 * colours) / frequency**1.5)
    noise /= noise.std(axis=(1, 2, 3), keepdims=True)
    made = (128 + 50 * noise).clip(0, 255).astype(np.uint8).transpose(0, 2, 3, 1)
    made = np.concatenate([made, made[:, ::-1]])
    return np.concatenate([made, made[:, :, ::-1]])


def write_maps(path, data, explainers, side):
    """Random maps of a network, a file of the folder that has the network's name."""
    header = {
        "model": path.parent.name,
        "dcls": False,
        "parameters": 7,
        "weights_digest": "w" * 64,
        "data_digest": data.digest,
        "geometry": "crop",
        "target": "label",
        "explainers": explainers,
        "layers": ["before_norm"],
        "norm": False,
        "versions": "x",
        "images": COUNT,
    }
    random = np.random.default_rng(0)
    columns = {name: random.random((COUNT, side, side), np.float32) for name in explainers}
    columns |= {"image_id": np.char.encode(data.image_ids, "utf-8")}
    columns |= {name: data.labels for name in ("label", "target", "predicted")}
    columns |= {"target_rank": np.zeros(COUNT, np.int32)}
    columns |= {"target_logit": np.zeros(COUNT, np.float32)}
    writer = HeatmapWriter(path, header, rows=(0, COUNT), chunk=COUNT)
    writer.put(0, columns | {"nonfinite": np.zeros(COUNT, bool)})
    writer.finish()


def write_random_references(path, data):
    """Random scores of all references whose maps can be made of the data alone."""
    random = np.random.default_rng(0)
    source = ReferenceSource(
        data_digest=data.digest,
        image_size=SIDE,
        human_ceiling=None,
        references=list(NAMES),
        protocol=RELEASED,
        ratios=[1.0],
    )
    scores = {name: small_study.scores_of(random.uniform(-1, 1, COUNT)) for name in NAMES}
    agreement = {kind: np.full(COUNT, np.nan) for kind in human_agreement.KINDS}
    found = References(source, scores, np.ones(COUNT), np.arange(COUNT), agreement)
    write_references(path, found)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The gallery of sixteen networks with eight explainers, two of them of the input."""
    folder, random = tmp_path_factory.mktemp("size"), np.random.default_rng(0)
    about = dict(dataset="size", description="made up", num_classes=4, image_size=SIDE)
    with DataWriter(folder / "data.h5", **about) as writer:
        for number, picture in enumerate(photographs(random)):
            human = random.random((SIDE, SIDE), np.float32)
            writer.append(encode(picture), number % 4, f"image-{number:03d}", human)
    heatmaps, scores = [], []
    with DataFile(folder / "data.h5") as data:
        write_random_references(folder / "references.h5", data)
        for number in range(NETWORKS):
            for part, explainers, side in (("", OF_FEATURES, 7), (".input", OF_THE_INPUT, 56)):
                heatmaps.append(folder / f"network{number}" / f"seed0{part}.h5")
                scores.append(heatmaps[-1].with_suffix(".parquet"))
                write_maps(heatmaps[-1], data, explainers, side)
                rho = {name: random.uniform(-1, 1, COUNT) for name in explainers}
                small_study.write_score_file(
                    scores[-1], data.image_ids, rho, data_digest=data.digest
                )
    make_gallery.main(
        ["--data", str(folder / "data.h5"), "--heatmaps", *map(str, heatmaps)]
        + ["--scores", *map(str, scores), "--protocol", small_study.protocol_json("released")]
        + ["--references", str(folder / "references.h5"), "--output", str(folder / "g.html")]
    )
    return folder / "g.html"


def test_the_gallery_of_a_full_study_takes_less_than_10_mb(page):
    assert 8_000_000 < page.stat().st_size < 10_000_000


def test_only_maps_finer_than_the_feature_map_are_averaged(page):
    script = re.search(r'id="data">(.*?)</script>', page.read_text(), re.S)
    held = json.loads(script[1])
    networks = [run for run in held["runs"] if not run.get("reference")]
    assert len(held["images"]) == COUNT and len(networks) == NETWORKS
    assert len(held["runs"]) == NETWORKS + 5
    shapes = {name: maps["shape"] for name, maps in networks[0]["maps"].items()}
    assert {tuple(shapes[name]) for name in OF_FEATURES} == {(7, 7)}
    assert {tuple(shapes[name]) for name in OF_THE_INPUT} == {(held["side"], held["side"])}
    assert 14 < held["side"] < 28
    assert held["human"]["shape"] == [64, 64]
    assert len(base64.b64decode(held["human"]["levels"])) == COUNT * 64 * 64


def test_the_side_of_the_maps_held():
    assert held_side([(7, 7)] * 96, 200) == 28  # maps of the feature map take few bytes
    fine = [(224, 224)] * 32
    side = held_side(fine, 200)
    assert (
        len(fine) * 200 * side**2 * 4 / 3 <= MAPS_LIMIT < len(fine) * 200 * (side + 1) ** 2 * 4 / 3
    )
    assert held_side(fine, 10) == 28
    assert held_side([(14, 14)] * 96, 200) == 13
    assert held_side(fine, 10**6) == 1
