import base64
import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
import score_alignment
import score_references
import small_study
from human_alignment.common.cli import UserError
from human_alignment.data.data_file import DataFile
from human_alignment.heatmaps.heatmap_file import HeatmapFile, HeatmapWriter
from human_alignment.outcome import gallery
from human_alignment.outcome.gallery import Sample, floors, quantise, reduced
from human_alignment.scores.reference_file import read_references
from human_alignment.scores.reference_maps import reference_maps
from human_alignment.scores.score_file import read_scores, write_scores


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return small_study.make(tmp_path_factory.mktemp("gallery"))


def held(page):
    """The data of a page."""
    script = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    return json.loads(script[1])


def test_a_sample_is_drawn_once_and_said_how():
    sample = Sample.draw(52224, 200, seed=0)
    assert len(set(sample.index)) == 200 and sample.index == sorted(sample.index)
    assert max(sample.index) > 40000 > 10000 > min(sample.index)
    assert sample == Sample.draw(52224, 200, seed=0)
    assert sample.index != Sample.draw(52224, 200, seed=1).index
    assert "200 of the study's 52,224 images" in sample.sentence
    assert "at random without replacement (seed 0)" in sample.sentence


def test_a_sample_of_all_is_all():
    assert Sample.draw(5, 9, seed=0) == Sample([0, 1, 2, 3, 4], "All 5 images of the study.")


def test_rows_that_other_explainers_have_come_first():
    first = [3, 70, 1000]
    assert set(first) < set(Sample.draw(2000, 50, seed=0, first=first).index)
    assert set(Sample.draw(2000, 2, seed=0, first=first).index) < set(first)


def test_levels_run_from_the_minimum_to_the_maximum():
    maps = np.array([[[-1.0, 0.0], [1.0, 3.0]], [[2.0, 2.0], [2.0, 2.0]], [[np.nan, 1], [2, 3]]])
    np.testing.assert_array_equal(
        quantise(maps), [[[0, 64], [128, 255]], [[0, 0], [0, 0]], [[0, 0], [0, 0]]]
    )
    assert floors(maps) == [round(-1 / 3, 4), 1.0, None]
    assert floors(-maps[:1]) == [-3.0]
    assert floors(np.full((1, 2, 2), -1.0)) == [None]


def test_large_maps_are_averaged_over_areas():
    maps = np.random.default_rng(0).random((2, 56, 56), dtype=np.float32)
    means = maps.reshape(2, 28, 2, 28, 2).mean(axis=(2, 4))
    np.testing.assert_allclose(reduced(maps, 28), means, rtol=1e-5)
    assert reduced(maps[:, :7, :7], 28).shape == (2, 7, 7)


@pytest.mark.parametrize("crops", [True, False])
def test_only_of_networks_that_crop_the_page_says_so(tmp_path, monkeypatch, crops):
    def writer(path, header, **more):
        return HeatmapWriter(path, header | {"crops": crops}, **more)

    monkeypatch.setattr(small_study, "HeatmapWriter", writer)
    study = small_study.make(tmp_path, count=8)
    page = study.gallery(tmp_path / "g.html").read_text()
    assert ("evaluation transforms crop it" in page) == crops


def test_classes_have_the_names_of_the_data_file(tmp_path):
    names = ["cat", "dog", "</script>", "fish"]
    study = small_study.make(tmp_path, count=8, class_names=names)
    page = held(study.gallery(tmp_path / "g.html").read_text())
    assert [*page["classes"].values()] == ["cat (0)", "dog (1)", "</script> (2)", "fish (3)"]


def test_the_page_holds_the_scores_of_the_score_files(study, tmp_path):
    page = held(study.gallery(tmp_path / "g.html").read_text())
    assert [run["model"] for run in page["runs"]] == list(small_study.MODELS)
    for run, path in zip(page["runs"], study.scores, strict=True):
        for explainer, rows in pd.read_parquet(path).groupby("explainer"):
            expected = rows["rho"].round(4).where(rows["status"] == "ok", rows["status"])
            assert run["rho"][explainer] == expected.tolist()
    odd = page["runs"][2]["rho"]["grad_cam"]
    assert odd[small_study.CONSTANT_HUMAN] == "constant_human_map"
    assert odd[small_study.CONSTANT_MAP] == "constant_heatmap"
    assert odd[small_study.NONFINITE] == "nonfinite_heatmap"


def test_the_page_holds_the_maps_of_the_sample(study, tmp_path):
    page = held(study.gallery(tmp_path / "g.html", "--images", "5").read_text())
    assert len(page["images"]) == 5
    rows = [int(image["id"][-3:]) for image in page["images"]]
    maps = page["runs"][1]["maps"]["grad_cam"]
    levels = np.frombuffer(base64.b64decode(maps["levels"]), np.uint8).reshape(5, *maps["shape"])
    with HeatmapFile(study.heatmaps[1]) as file:
        raw = np.concatenate([file.maps("grad_cam", row, row + 1) for row in rows])
    np.testing.assert_array_equal(levels, quantise(raw))


def test_the_page_loads_nothing_and_escapes_what_it_is_given(study, tmp_path):
    text = study.gallery(tmp_path / "g.html").read_text()
    assert "<p>A &lt;b&gt;note&lt;/b&gt;.</p>" in text
    assert not re.search(r"https?://|<link|@import|src=[\"']", text)


def test_an_explainer_of_a_sample_says_so_elsewhere(study, tmp_path):
    with DataFile(study.data) as data:
        header = {
            "model": "near",
            "dcls": False,
            "parameters": 7,
            "weights_digest": "w" * 64,
            "data_digest": data.digest,
            "geometry": "crop",
            "target": "label",
            "explainers": ["saliency"],
            "versions": "x",
            "images": len(data),
        }
        rows = np.array([2, 30], np.int32)
        columns = {"saliency": np.random.default_rng(0).random((2, 56, 56), dtype=np.float32)}
        columns |= {"image_id": np.char.encode(data.image_ids, "utf-8")[rows], "row": rows}
        columns |= {name: data.labels[rows] for name in ("label", "target", "predicted")}
        columns |= {"target_rank": np.zeros(2, np.int32), "target_logit": np.zeros(2, np.float32)}
    path = tmp_path / "near" / "seed0.saliency.h5"
    writer = HeatmapWriter(path, header, rows=(0, 2), chunk=2)
    writer.put(0, columns | {"nonfinite": np.zeros(2, bool)})
    writer.finish()
    scores = path.with_suffix(".parquet")
    ids, sample = ["image-002", "image-030"], {"data_images": len(data), "sampled": True}
    small_study.write_score_file(
        scores, ids, {"saliency": [0.25, np.nan]}, data_digest=data.digest, **sample
    )
    one = small_study.SmallStudy(
        study.data, [study.heatmaps[0], path], [study.scores[0], scores], "released"
    )
    page = held(one.gallery(tmp_path / "g.html", "--images", "4").read_text())
    assert len(page["runs"]) == 1
    assert page["explainers"][-1] == {"id": "saliency", "name": "Saliency", "thresholded": False}
    found = {
        image["id"]: rho
        for image, rho in zip(page["images"], page["runs"][0]["rho"]["saliency"], strict=True)
    }
    assert found.pop("image-002") == 0.25
    assert found.pop("image-030") == "constant_human_map"
    assert list(found.values()) == ["not in the sample"] * 2
    assert page["runs"][0]["maps"]["saliency"]["shape"] == [28, 28]


def test_an_explainer_that_is_not_scored_is_not_shown(study, tmp_path):
    """The heatmap files hold more explainers than the study scores."""
    scores = tmp_path / "near" / "seed0.csv"
    score_alignment.main(
        ["--data", str(study.data), "--heatmaps", str(study.heatmaps[0])]
        + ["--protocol", study.protocol, "--explainers", "grad_cam", "--output", str(scores)]
    )
    one = small_study.SmallStudy(study.data, study.heatmaps[:1], [scores], "released")
    page = held(one.gallery(tmp_path / "g.html").read_text())
    assert [explainer["id"] for explainer in page["explainers"]] == ["grad_cam"]
    assert list(page["runs"][0]["maps"]) == list(page["runs"][0]["rho"]) == ["grad_cam"]


def test_scores_that_lack_an_image_are_refused(study, tmp_path):
    short = tmp_path / "near" / "seed0.csv"
    found = read_scores(study.scores[0])
    write_scores(short, found.source, found.image_ids, found.labels, found.scores)
    lines = short.read_text().splitlines(keepends=True)
    short.write_text("".join(line for line in lines if "image-007" not in line))
    one = small_study.SmallStudy(study.data, study.heatmaps[:1], [short], "released")
    with pytest.raises(
        UserError, match="seed0.csv: it has 39 images, not 40 as seed0.source.json says"
    ):
        one.gallery(tmp_path / "g.html")
    assert not (tmp_path / "g.html").exists()


def test_scores_of_another_network_are_refused(study, tmp_path):
    path = tmp_path / "far" / "seed0.parquet"
    shutil.copytree(study.scores[0].parent, path.parent)
    one = small_study.SmallStudy(study.data, study.heatmaps[1:2], [path], "released")
    with pytest.raises(UserError, match="other heatmaps: model was near and is far; score the"):
        one.gallery(tmp_path / "g.html")


def test_heatmaps_of_other_data_are_refused(study, tmp_path):
    shutil.copy(study.heatmaps[0], tmp_path / "h.h5")
    small_study.write_data(tmp_path / "data.h5", 39)
    other = small_study.SmallStudy(
        tmp_path / "data.h5", [tmp_path / "h.h5"], study.scores[:1], "released"
    )
    with pytest.raises(UserError, match="data digests differ"):
        other.gallery(tmp_path / "g.html")


def test_a_page_over_the_limit_is_refused_with_what_fits(study, tmp_path, monkeypatch):
    monkeypatch.setattr(gallery, "PAGE_LIMIT", 100_000)
    with pytest.raises(UserError, match=r"40 images takes .* about (\d+) images fit: lower"):
        study.gallery(tmp_path / "g.html")


@pytest.mark.parametrize(
    "more, message",
    [
        (["--images", "0"], "--images: 0 is not positive"),
        (["--scores", "a.csv"], "must name the same runs"),
    ],
)
def test_wrong_flags_are_refused(study, tmp_path, more, message):
    with pytest.raises(UserError, match=message):
        study.gallery(tmp_path / "g.html", *more)


@pytest.fixture(scope="module")
def references(study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("references")
    (folder / "maps").mkdir()
    for row in (0, 3):
        np.save(folder / "maps" / f"image-{row:03d}.npy", np.eye(40) + row)
    score_references.main(
        ["--data", str(study.data), "--maps", f"mine={folder / 'maps'}"]
        + ["--output", str(folder / "r.csv"), "--summary", str(folder / "r.json")]
        + ["--rho", str(folder / "r.h5")]
    )
    return folder


def test_references_follow_the_networks(study, references, tmp_path):
    given = ["--references", str(references / "r.h5"), "--maps", f"mine={references / 'maps'}"]
    page = held(study.gallery(tmp_path / "g.html", *given).read_text())
    runs = {run["model"]: run for run in page["runs"]}
    assert list(runs)[:3] == list(small_study.MODELS)
    assert list(runs)[3:] == [
        "centred Gaussian", "mean human map of other images", "mean human map of the class",
        "edge strength", "local contrast", "mine",
    ]  # fmt: skip
    found = read_references(references / "r.h5")
    centre = runs["centred Gaussian"]
    expected = found.scores["centre"].rho.round(4)
    assert centre["rho"][small_study.CONSTANT_HUMAN] == "constant_human_map"
    assert centre["rho"][0] == expected[0]
    mine = runs["mine"]["rho"]
    assert mine.count("no_map") == 37 and mine[small_study.CONSTANT_HUMAN] == "constant_human_map"
    assert isinstance(mine[0], float) and isinstance(mine[3], float)
    levels = np.frombuffer(base64.b64decode(centre["maps"]["levels"]), np.uint8)
    levels = levels.reshape(40, *centre["maps"]["shape"])
    assert levels[0].max() == levels[0, 13:15, 13:15].max() == 255 and levels[0, 0, 0] == 0
    own = np.frombuffer(base64.b64decode(runs["mine"]["maps"]["levels"]), np.uint8)
    assert own.reshape(40, 28, 28)[1].max() == 0 < own.reshape(40, 28, 28)[0].max()


def test_the_mean_map_in_the_gallery_is_that_of_the_other_images(study, references):
    with DataFile(study.data) as data:
        maps = reference_maps(data, read_references(references / "r.h5"), [7], [], 16)
        human = data.human_maps(0, len(data)).astype(np.float64)
    others = np.delete(human, 7, axis=0).mean(axis=0)
    np.testing.assert_allclose(maps["mean_human_map"][0], others, rtol=1e-6)
    own = np.delete(human[3::4], 1, axis=0).mean(axis=0)  # of class 3, without image 7
    np.testing.assert_allclose(maps["class_mean_human_map"][0], own, rtol=1e-6)
    assert "mine" not in maps


def test_references_of_another_data_file_are_refused(study, references, tmp_path):
    other = small_study.make(tmp_path / "other", 12)
    with pytest.raises(UserError, match="score the references again"):
        other.gallery(tmp_path / "g.html", "--references", str(references / "r.h5"))


def test_the_page_says_how_many_networks_it_leaves_out(study, tmp_path):
    page = study.gallery(tmp_path / "g.html", "--others", "1284").read_text()
    words = "1,284 other networks of the study are not on this page; leaderboard.html has the"
    assert f"<p>{words} scores of all.</p>" in page
    assert "other networks" not in study.gallery(tmp_path / "h.html").read_text()


def test_maps_are_read_in_runs_and_in_the_order_asked_for(study, monkeypatch):
    reads, read = [], HeatmapFile.maps

    def counted(self, explainer, start, stop, layer):
        reads.append((start, stop))
        return read(self, explainer, start, stop, layer)

    with HeatmapFile(study.heatmaps[0]) as heatmaps:
        every = heatmaps.maps("grad_cam", 0, 40)
        monkeypatch.setattr(HeatmapFile, "maps", counted)
        part = gallery.Part(heatmaps, study.scores[0])
        found = part.maps("grad_cam", [7, 3, 4, 5, 99, 6, 20], "before_norm")
    blank = np.full_like(every[0], np.nan)
    np.testing.assert_array_equal(found, [*every[[7, 3, 4, 5]], blank, *every[[6, 20]]])
    assert set(reads) == {(0, 1), (7, 8), (3, 7), (20, 21)}  # the first tells the maps' shape
