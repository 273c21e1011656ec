"""Scripts of the heatmap and score stages on a small file, against scipy and closed forms."""

import json

import collect_scores
import collect_sensitivity
import collect_sweeps
import extract_attributions
import extract_heatmaps
import numpy as np
import pandas as pd
import protocol_sensitivity
import pytest
import score_alignment
import sweep_threshold
import torch
from human_alignment.common.cli import UserError
from human_alignment.data.data_file import DataFile, DataWriter
from human_alignment.data.digits import encode
from human_alignment.heatmaps.heatmap_file import HeatmapFile
from human_alignment.networks import zoo
from human_alignment.networks.weights import save_weights
from human_alignment.scores.score_file import Scores, read_scores, write_scores
from human_alignment.scores.spearman import CAUSES
from human_alignment.scores.variant_file import read_variants
from scipy.stats import spearmanr

STATISTICS = ["--statistics", '{"resamples": 200}']


CEILING = 0.5  # of the data file


def make_data(path, seed=0, count=70, ceiling=CEILING):
    random = np.random.default_rng(seed)
    attributes = dict(dataset="toy", description="", num_classes=10, image_size=64)
    attributes |= {"human_ceiling": ceiling}
    with DataWriter(path, **attributes) as writer:
        for i in range(count):
            image = random.integers(0, 256, (64, 64, 3), dtype=np.uint8)
            human = random.random((64, 64), np.float32) if i != 4 else np.ones((64, 64), "f4")
            writer.append(encode(image), i % 10, f"image-{i}", human)
    return path


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """Data, weights, heatmaps and scores of a random micro network."""
    folder = tmp_path_factory.mktemp("chain")
    make_data(folder / "data.h5")
    spec = zoo.find("micro_convnext_tiny_dcls")
    torch.manual_seed(0)
    model = zoo.build(spec)
    save_weights(folder / "whole.safetensors", model, spec)  # it crops nothing
    cropping = spec.transform.model_copy(update={"resize": 72})
    save_weights(folder / "weights.safetensors", model, spec.changed(transform=cropping))
    extract(folder, "heatmaps.h5")
    score(folder)
    return folder


BOTH = ("grad_cam", "threshold_grad_cam")


def extract(folder, output, *more, weights="weights.safetensors"):
    extract_heatmaps.main(
        ["--data", str(folder / "data.h5"), "--weights", str(folder / weights)]
        + ["--output", str(folder / output), "--batch-size", "4", "--explainers", *BOTH, *more]
    )


def score(folder, *more, data="data.h5", heatmaps="heatmaps.h5"):
    score_alignment.main(
        ["--data", str(folder / data), "--heatmaps", str(folder / heatmaps)]
        + ["--output", str(folder / "scores.csv"), "--summary", str(folder / "summary.json")]
        + ["--protocol", "released", *STATISTICS, *more]
    )


def test_heatmaps_are_raw_at_the_feature_maps_resolution(chain):
    with HeatmapFile(chain / "heatmaps.h5") as maps, DataFile(chain / "data.h5") as data:
        assert maps.maps("threshold_grad_cam", 0, 70).shape == (70, 8, 8)
        assert maps.maps("grad_cam", 0, 1).dtype == np.float32
        assert maps.image_ids == data.image_ids
        assert maps.parameters == 98778
        assert maps.maps("threshold_grad_cam", 0, 70).min() >= 0


def test_batch_size_and_threads_do_not_change_the_maps(chain):
    extract(chain, "other.h5", "--batch-size", "7", "--threads", "2")
    with HeatmapFile(chain / "heatmaps.h5") as one, HeatmapFile(chain / "other.h5") as two:
        for name in one.explainers:
            a, b = one.maps(name, 0, 70), two.maps(name, 0, 70)
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6 * np.abs(a).max())


def test_scores_equal_scipy_image_by_image(chain):
    table = pd.read_csv(chain / "scores.csv")
    with HeatmapFile(chain / "heatmaps.h5") as maps, DataFile(chain / "data.h5") as data:
        raw = torch.from_numpy(maps.maps("grad_cam", 0, 70))[:, None]
        large = torch.nn.functional.interpolate(raw, (64, 64), mode="bilinear")[:, 0].numpy()
        human = data.human_maps(0, 70)
    rows = table[table["explainer"] == "grad_cam"]
    assert list(rows["image_id"]) == [f"image-{i}" for i in range(70)]
    assert rows["status"].iloc[4] == "constant_human_map"
    for i in np.flatnonzero((rows["status"] == "ok").to_numpy()):
        expected = spearmanr(large[i].ravel(), human[i].ravel()).statistic
        assert rows["rho"].iloc[i] == pytest.approx(expected, abs=1e-4)


def test_summary_agrees_with_the_rows(chain):
    table = pd.read_csv(chain / "scores.csv")
    summary = json.loads((chain / "summary.json").read_text())
    assert list(summary) == ["grad_cam", "threshold_grad_cam"]
    for name, found in summary.items():
        rho = table.loc[table["explainer"] == name, "rho"].dropna()
        assert found["n"] == len(rho) and found["n_images"] == 70
        assert found["mean_rho"] == pytest.approx(rho.mean())
        assert found["score"] == pytest.approx(rho.mean() / 0.5)
        assert found["low"] < found["score"] < found["high"]
        assert found["status"]["constant_human_map"] == 1
        assert sum(found["status"].values()) == 70
        assert found["protocol"]["divide_by_ceiling"] and found["human_ceiling"] == CEILING


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_the_summary_is_the_same_from_the_score_file_alone(chain, tmp_path, ending):
    path = tmp_path / "net_dcls" / f"seed0.{ending}"
    score(chain, "--output", str(path))
    out = ["--output", str(tmp_path / "summary.csv")]
    collect_scores.main(["--scores", str(path), "--top1", *STATISTICS, *out])
    table = pd.read_csv(tmp_path / "summary.csv").set_index("explainer")
    summary = json.loads((chain / "summary.json").read_text())
    for name, found in summary.items():
        row = table.loc[name]
        assert row["n_records"] == found["records"] and row["dcls"] == found["dcls"]
        for column in ("n", "n_images", "mean_rho", "mean_rho_of_records", "score"):
            assert row[column] == found[column]
        for column in ("parameters", "human_ceiling"):
            assert row[column] == found[column]
        assert (row["low"], row["high"]) == pytest.approx((found["low"], found["high"]), abs=1e-12)
        for cause in CAUSES:
            assert row[f"n_{cause}"] == found["status"].get(cause, 0)


def test_the_order_of_explainers_means_nothing(chain):
    before = (chain / "scores.csv").read_bytes()
    score(chain, "--explainers", "threshold_grad_cam", "grad_cam")
    assert (chain / "scores.csv").read_bytes() == before


def test_same_seed_gives_the_same_scores(chain):
    before = (chain / "summary.json").read_bytes(), (chain / "scores.csv").read_bytes()
    score(chain)
    assert before == ((chain / "summary.json").read_bytes(), (chain / "scores.csv").read_bytes())


def test_heatmaps_of_other_data_are_refused(chain):
    make_data(chain / "other-data.h5", seed=1)
    with pytest.raises(UserError, match="data digests differ"):
        score(chain, data="other-data.h5")


def test_heatmaps_of_another_geometry_are_refused(chain):
    with pytest.raises(UserError, match="geometry 'crop', the protocol asks for 'full'"):
        score(chain, "--protocol", "paper")


def test_a_sample_of_attributions_is_scored_row_by_row(chain):
    extract_attributions.main(
        ["--data", str(chain / "data.h5"), "--weights", str(chain / "weights.safetensors")]
        + ["--output", str(chain / "sampled.h5"), "--explainers", "saliency", "rise"]
        + ["--images", "9", "--masks", "20", "--seed", "1"]
    )
    score(chain, heatmaps="sampled.h5")
    table = pd.read_csv(chain / "scores.csv")
    score(chain)
    with HeatmapFile(chain / "sampled.h5") as maps, DataFile(chain / "data.h5") as data:
        assert len(maps) == 9 and maps.sampled and (np.diff(maps.rows) > 0).all()
        assert maps.image_ids == [data.image_ids[row] for row in maps.rows]
        assert len(table) == 18 and table["image_id"].tolist() == 2 * maps.image_ids
        for name in ("saliency", "rise"):
            found = maps.maps(name, 0, 9)
            rho = table.loc[table["explainer"] == name, "rho"]
            for row, one, value in zip(maps.rows, found, rho, strict=True):
                if row != 4:  # its human map is constant
                    human = data.human_maps(row, row + 1)[0]
                    assert value == pytest.approx(spearmanr(one.ravel(), human.ravel()).statistic)


def test_sweep_and_scores_agree_at_the_same_threshold(chain):
    scores = chain / "net_dcls" / "seed0.sweep.h5"
    out, choice = chain / "sweep.csv", chain / "choice.csv"
    sweep_threshold.main(
        ["--data", str(chain / "data.h5"), "--heatmaps", str(chain / "heatmaps.h5")]
        + ["--thresholds", "[0.6, 0.3, 0]", "--protocol", "released"]
        + ["--output", str(scores)]
    )
    collect_sweeps.main(
        [str(scores), *STATISTICS, "--threshold", "0.3", "--curves", str(out)]
        + ["--output", str(choice), "--markdown", str(chain / "choice.md")]
    )
    table = pd.read_csv(out).set_index("threshold")
    assert table.index.tolist() == [0, 0.3, 0.6]
    score(chain)
    summary = json.loads((chain / "summary.json").read_text())["threshold_grad_cam"]
    for column in ("n", "mean_rho", "score", "low", "high", "human_ceiling"):
        assert table.loc[0.3, column] == pytest.approx(summary[column])
    found = pd.read_csv(choice).iloc[0]
    assert found["best"] == table["score"].idxmax() and len(found["chosen"].split()) == 5
    assert found["score"] <= table["score"].max() + 1e-12
    assert found["usual_score"] == table.loc[0.3, "score"]


def test_sensitivity_ends_at_the_papers_protocol(chain):
    extract(chain, "full.h5", "--geometry", "full")
    scores, out = chain / "net_dcls" / "seed0.sensitivity.h5", chain / "sensitivity.csv"
    protocol_sensitivity.main(
        ["--data", str(chain / "data.h5"), "--output", str(scores)]
        + ["--heatmaps", str(chain / "heatmaps.h5"), str(chain / "full.h5")]
    )
    collect_sensitivity.main(
        [str(scores), *STATISTICS, "--output", str(out), "--markdown", str(chain / "s.md")]
        + ["--paper-protocol", str(chain / "paper.csv")]
    )
    table = pd.read_csv(out).set_index(["field", "explainer"])
    score(chain, "--protocol", "paper", heatmaps="full.h5")
    paper = json.loads((chain / "summary.json").read_text())
    score(chain, "--protocol", "released")
    released = json.loads((chain / "summary.json").read_text())
    score(chain)
    for name in ("grad_cam", "threshold_grad_cam"):
        row = table.loc["all fields", name]
        assert row["score"] == pytest.approx(paper[name]["score"])
        assert row["score_low"] == pytest.approx(paper[name]["low"])
        before = table.xs(name, level="explainer")
        assert (before["score"] - before["difference"]).to_numpy() == pytest.approx(
            released[name]["score"]
        )
    only_ceiling = table.loc["divide_by_ceiling", "grad_cam"]
    assert only_ceiling["score"] == pytest.approx(released["grad_cam"]["mean_rho"])
    assert table.loc["normalisation", "grad_cam"]["difference"] == 0
    with pytest.raises(UserError, match="no heatmap file has the geometry 'crop'"):
        protocol_sensitivity.main(
            ["--data", str(chain / "data.h5"), "--heatmaps", str(chain / "full.h5")]
            + ["--output", str(chain / "none.h5")]
        )


def test_one_heatmap_file_is_of_both_geometries_where_nothing_is_cropped(chain):
    tables = {}
    for files in (["one.h5"], ["one.h5", "other.h5"]):
        for name, geometry in zip(files, ("crop", "full"), strict=False):
            extract(chain, name, "--geometry", geometry, weights="whole.safetensors")
        made = chain / "".join(files)
        paths = map(str, (chain / name for name in files))
        out = ["--output", str(made), "--data", str(chain / "data.h5")]
        protocol_sensitivity.main([*out, "--heatmaps", *paths])
        tables[len(files)] = read_variants(made)
    assert "geometry" in tables[1].source.protocols
    for name, variants in tables[1].scores.items():
        for key, found in variants.items():
            np.testing.assert_array_equal(found.rho, tables[2].scores[name][key].rho)
    score(chain, "--protocol", "paper", heatmaps="one.h5")
    score(chain)


def test_a_shard_is_not_scored_as_if_it_were_the_whole(chain):
    extract(chain, "shard.h5", "--shard", "0/2")
    with pytest.raises(UserError, match="do not list the same images"):
        score(chain, heatmaps="shard.h5")


def test_activations_that_are_not_finite_are_named_and_counted(chain, capsys):
    spec = zoo.find("micro_convnext_tiny")
    model = zoo.build(spec)
    torch.nn.init.constant_(model.stem[1].weight, 3e38)  # finite itself
    save_weights(chain / "broken.safetensors", model, spec)
    extract(chain, "broken.h5", weights="broken.safetensors")
    assert "70 images have activations that are not finite" in capsys.readouterr().err
    score(chain, heatmaps="broken.h5")
    found = json.loads((chain / "summary.json").read_text())["grad_cam"]
    score(chain)
    assert found["score"] is None and found["low"] is None
    assert found["status"] == {"constant_human_map": 1, "nonfinite_heatmap": 69}


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--explainers", "grad_kam"], "explainer 'grad_kam' is not known; allowed: grad_cam"),
        (["--geometry", "wide"], "geometry 'wide' is not known; allowed: crop, full"),
        (["--target", "truth"], "target 'truth' is not known; allowed: label, prediction"),
    ],
)
def test_bad_arguments_are_said(chain, flags, message):
    with pytest.raises(UserError, match=message):
        extract(chain, "none.h5", *flags)
    assert not (chain / "none.h5").exists()


def test_collect_scores_has_a_row_per_run_and_explainer(chain, tmp_path):
    made = read_scores(chain / "scores.csv")
    for name, dcls in (("toy_dcls", True), ("my_net", True), ("toy", False)):
        (tmp_path / "weights" / name).mkdir(parents=True)
        source = made.source.model_copy(update={"dcls": dcls})
        path = tmp_path / "scores" / name / "seed0.parquet"
        write_scores(path, source, made.image_ids, made.labels, made.scores)
    top1 = tmp_path / "weights" / "toy_dcls" / "seed0.top1.json"
    top1.write_text('{"top1": 80.5, "top5": 95.0, "n": 70, "parameters": 7}')
    collect_scores.main(
        ["--scores", *(str(p) for p in sorted(tmp_path.rglob("seed0.parquet"))), *STATISTICS]
        + ["--twins", '{"toy_dcls": "toy", "my_net": "toy"}']
        + ["--top1", str(top1), "--output", str(tmp_path / "summary.csv")]
    )
    table = pd.read_csv(tmp_path / "summary.csv")
    assert table["model"].tolist() == ["toy"] * 6
    assert table["dcls"].tolist() == [0, 0, 1, 1, 1, 1]
    assert table["network"].tolist()[::2] == ["toy", "my_net", "toy_dcls"]
    assert table["top1"].isna().tolist() == [True] * 4 + [False] * 2
    assert set(table["n_constant_human_map"]) == {1}
    assert set(table["human_ceiling"]) == {CEILING}


def test_top1_of_the_scored_images_counts_each_image_once(chain, tmp_path):
    made = read_scores(chain / "scores.csv")
    count = len(made.labels)
    groups = np.maximum(np.arange(count), 1) - 1  # the first two records are of one image
    scores = {name: Scores(one.rho, one.status, groups) for name, one in made.scores.items()}
    right = np.where(np.arange(count) < 21, made.labels, made.labels + 1)
    path, part = tmp_path / "toy" / "seed0.parquet", tmp_path / "toy" / "seed0.rise.parquet"
    path.parent.mkdir()
    write_scores(path, made.source, made.image_ids, made.labels, scores, right)
    sampled = made.source.model_copy(update={"sampled": True})
    write_scores(part, sampled, made.image_ids, made.labels, scores, made.labels)

    def top1(files, *more):
        summary = [*STATISTICS, *more, "--output", str(tmp_path / "summary.csv")]
        collect_scores.main(["--scores", *map(str, files), *summary])
        return pd.read_csv(tmp_path / "summary.csv")["top1"].tolist()

    assert top1([part, path], "--own-top1", "toy") == pytest.approx([100 * 20 / (count - 1)] * 4)
    assert np.isnan(top1([path])).all() and np.isnan(top1([path], "--own-top1", "other")).all()
    write_scores(path, made.source, made.image_ids, made.labels, scores)  # nothing predicted
    assert np.isnan(top1([path], "--own-top1", "toy")).all()


def test_a_read_serves_many_images(chain, monkeypatch):
    reads = []
    read = DataFile.human_maps
    monkeypatch.setattr(
        DataFile, "human_maps", lambda data, *ends: reads.append(ends) or read(data, *ends)
    )
    score(chain)
    assert reads[0][0] == 0 and reads[-1][1] == 70
    assert len(reads) <= 3
