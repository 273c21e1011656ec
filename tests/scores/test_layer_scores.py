"""Scores of the layer that the protocol names, and what the other layer changes."""

import json

import collect_sensitivity
import evaluate_measures
import numpy as np
import pandas as pd
import protocol_sensitivity
import pytest
import score_alignment
import small_study
import sweep_threshold
from human_alignment.common.cli import UserError
from human_alignment.data.data_file import DataFile
from human_alignment.heatmaps.heatmap_file import HeatmapFile, HeatmapWriter
from human_alignment.scores.protocol import RELEASED
from human_alignment.scores.scoring import score_under
from human_alignment.scores.variant_file import read_variants

COUNT = 30
BEHIND = '{"preset": "released", "layer": "behind_norm"}'
STATISTICS = ["--statistics", '{"resamples": 200}']
HEADER = {
    "model": "toy", "dcls": False, "parameters": 7, "weights_digest": "w" * 64, "geometry": "crop",
    "target": "label", "explainers": ["grad_cam", "threshold_grad_cam"], "versions": "torch 0",
    "images": COUNT,
}  # fmt: skip


def write_heatmaps(path, data, layers, norm):
    """Maps near the human ones before the norm, and far from them behind it."""
    near, far = (small_study.raw_maps(name, COUNT) for name in ("near", "far"))
    maps = {"grad_cam": near**2, "threshold_grad_cam": near}
    if norm and "behind_norm" in layers:
        maps |= {"grad_cam.behind_norm": far**2, "threshold_grad_cam.behind_norm": far}
    columns = dict.fromkeys(("label", "target", "predicted"), data.labels) | maps
    columns |= {"image_id": np.char.encode(data.image_ids, "utf-8")}
    columns |= {"target_rank": np.zeros(COUNT, "i4"), "target_logit": np.zeros(COUNT, "f4")}
    header = HEADER | {"data_digest": data.digest, "layers": layers, "norm": norm}
    writer = HeatmapWriter(path, header, rows=(0, COUNT), chunk=COUNT)
    writer.put(0, columns | {"nonfinite": np.zeros(COUNT, bool)})
    writer.finish()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("layer_scores")
    small_study.write_data(folder / "data.h5", COUNT)
    with DataFile(folder / "data.h5") as data:
        both = ["before_norm", "behind_norm"]
        write_heatmaps(folder / "both.h5", data, both, True)
        write_heatmaps(folder / "one.h5", data, both[:1], True)
        write_heatmaps(folder / "no_norm.h5", data, both, False)
        small_study.write_heatmaps(folder / "far.h5", data, "far", "released")
    return folder


def flags(folder, heatmaps, output):
    return [
        *("--data", str(folder / "data.h5"), "--heatmaps", str(folder / heatmaps)),
        *("--output", str(folder / output)),
    ]


def summary(folder, heatmaps, protocol):
    """The scoring script's summary by explainer."""
    path = folder / "summary.json"
    more = ["--protocol", protocol, "--summary", str(path), *STATISTICS]
    score_alignment.main([*flags(folder, heatmaps, "scores.csv"), *more])
    return json.loads(path.read_text())


def test_scores_are_of_the_layer_that_the_protocol_names(folder):
    before, behind = (summary(folder, "both.h5", one) for one in ("released", BEHIND))
    far = summary(folder, "far.h5", "released")
    for name in ("grad_cam", "threshold_grad_cam"):
        assert before[name]["score"] > 0.9 > behind[name]["score"] == far[name]["score"]
    assert summary(folder, "one.h5", "released")["grad_cam"]["score"] == before["grad_cam"]["score"]


def test_several_protocols_are_scored_at_once_each_at_its_layer(folder):
    protocols = {"before": RELEASED, "behind": RELEASED.changed(layer="behind_norm")}
    with DataFile(folder / "data.h5") as data, HeatmapFile(folder / "both.h5") as heatmaps:
        found = score_under(data, heatmaps, ["grad_cam"], protocols)["grad_cam"]
    for name, protocol in (("before", "released"), ("behind", BEHIND)):
        mean = summary(folder, "both.h5", protocol)["grad_cam"]["mean_rho"]
        assert np.nanmean(found[name].rho) == pytest.approx(mean)


def test_measures_and_sweep_take_the_same_layer(folder):
    tables = []
    for file, protocol in (("both.h5", BEHIND), ("far.h5", "released")):
        more = ["--measures", "pearson", "--protocol", protocol]
        evaluate_measures.main([*flags(folder, file, "measures.csv"), *more])
        tables.append(pd.read_csv(folder / "measures.csv"))
        more = ["--thresholds", "[0, 0.3]", "--protocol", protocol]
        sweep_threshold.main([*flags(folder, file, "sweep.h5"), *more])
        swept = read_variants(folder / "sweep.h5").scores["threshold_grad_cam"]
        tables.append(pd.DataFrame({key: one.rho for key, one in swept.items()}))
    pd.testing.assert_frame_equal(tables[0], tables[2])
    pd.testing.assert_frame_equal(tables[1], tables[3])


def sensitivity(folder, heatmaps, protocol="released"):
    """The sensitivity's rows by field and explainer."""
    more, held = ["--protocol", protocol], "toy/seed0.sensitivity.h5"
    protocol_sensitivity.main([*flags(folder, heatmaps, held), *more])
    table = folder / "sensitivity.csv"
    outputs = ["--markdown", str(folder / "s.md"), "--paper-protocol", str(folder / "p.csv")]
    collect_sensitivity.main([str(folder / held), *STATISTICS, "--output", str(table), *outputs])
    return pd.read_csv(table).set_index(["field", "explainer"])


@pytest.mark.parametrize(
    "base, other, value", [("released", BEHIND, "behind_norm"), (BEHIND, "released", "before_norm")]
)
def test_the_sensitivity_measures_the_other_layer(folder, base, other, value):
    table = sensitivity(folder, "both.h5", base)
    for name in ("grad_cam", "threshold_grad_cam"):
        row = table.loc["layer", name]
        start, changed = (summary(folder, "both.h5", one)[name]["score"] for one in (base, other))
        assert row["value"] == value and row["score"] == pytest.approx(changed)
        assert row["difference"] == pytest.approx(changed - start) != 0
        assert row["low"] <= row["difference"] <= row["high"]


@pytest.mark.parametrize("heatmaps", ["one.h5", "no_norm.h5"])
def test_without_maps_that_differ_there_is_no_such_row(folder, heatmaps):
    assert "layer" not in sensitivity(folder, heatmaps).index.get_level_values("field")


def test_a_network_without_the_norm_has_one_score_under_either(folder):
    before, behind = (summary(folder, "no_norm.h5", one) for one in ("released", BEHIND))
    assert before["grad_cam"]["score"] == behind["grad_cam"]["score"]


def test_heatmaps_without_the_layer_are_refused_with_the_remedy(folder):
    remedy = "no maps of the layer 'behind_norm'; extract again with --layers before_norm behind"
    with pytest.raises(UserError, match=remedy) as caught:
        summary(folder, "one.h5", BEHIND)
    assert str(folder / "one.h5") in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(UserError, match=remedy):
        evaluate_measures.main(
            [*flags(folder, "one.h5", "none.csv"), "--measures", "pearson", "--protocol", BEHIND]
        )
