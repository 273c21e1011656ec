"""References scored on small data files, against brute force and against what must come out."""

import json

import numpy as np
import pandas as pd
import pytest
import repeated_study
import score_references
import small_study
import summarise_references
from human_alignment.common.cli import UserError
from human_alignment.data.data_file import DataFile
from human_alignment.data.images import present
from human_alignment.data.resize import resize_bilinear
from human_alignment.heatmaps.heatmap_file import HeatmapFile
from human_alignment.scores import reference_scoring, references
from human_alignment.scores.postprocess import postprocess
from human_alignment.scores.protocol import PAPER, RELEASED
from human_alignment.scores.reference_file import read_references
from scipy import stats

IMAGES = [0, 1, 2, 0, 3, 4, 5, 1, 0, 6, 7, 8, 9, 10]
LABELS = [0, 1, 0, 0, 1, 0, 1, 1, 0, 0, 1, 0, 1, 2]  # the last is the only one of its class
SIDE = 28


@pytest.fixture(scope="module")
def data_path(tmp_path_factory):
    random = np.random.default_rng(0)
    maps = repeated_study.smooth(random, len(IMAGES), 16)
    path = tmp_path_factory.mktemp("repeated") / "data.h5"
    return repeated_study.write(path, IMAGES, LABELS, maps, human_ceiling=0.8)


@pytest.fixture(scope="module")
def found(data_path):
    with DataFile(data_path) as data:
        return reference_scoring.score_references(data, RELEASED, [], folds=5, seed=0)


def expected_maps(data, row):
    """Each reference's map of a record by brute force, without the centre."""
    groups, maps = data.groups, np.float64(data.human_maps(0, len(data)))
    apart = groups != groups[row]
    alike = apart & (data.labels == data.labels[row])
    image = present(data, row)
    return {
        "mean_human_map": maps[apart].mean(axis=0),
        "class_mean_human_map": maps[alike].mean(axis=0) if alike.any() else None,
        "edge_strength": references.edge_strength(image),
        "local_contrast": references.local_contrast(image),
    }


def rho_of(one, other):
    shown = [
        resize_bilinear(np.float32(part)[None], SIDE, SIDE).reshape(-1) for part in (one, other)
    ]
    return stats.spearmanr(*shown).statistic


def test_every_reference_equals_brute_force(data_path, found):
    with DataFile(data_path) as data:
        for row in range(len(IMAGES)):
            human = data.human_maps(row, row + 1)[0]
            for name, one in expected_maps(data, row).items():
                rho, status = found.scores[name].rho[row], found.scores[name].status[row]
                if one is None:
                    assert (row, status) == (13, "no_other_image") and np.isnan(rho)
                else:
                    assert status == "ok"
                    assert rho == pytest.approx(rho_of(human, one), abs=1e-12)
            middle = references.centre(SIDE, found.ratio[row])
            assert found.scores["centre"].rho[row] == pytest.approx(
                rho_of(human, middle), abs=1e-12
            )


def test_records_of_one_image_have_one_ratio_and_no_ratio_is_fitted_on_its_own_image(found):
    groups = found.groups
    assert all(len(set(found.ratio[groups == group])) == 1 for group in groups)
    rho = np.random.default_rng(1).uniform(-1, 1, (len(references.RATIOS), len(groups)))
    place, chosen = reference_scoring.fit_ratios(rho, groups, folds=99, seed=0)
    assert len(chosen) == len(set(groups))  # as many folds as images
    for row, group in enumerate(groups):
        others = [rho[:, groups == one].mean(axis=1) for one in set(groups) if one != group]
        assert place[row] == np.argmax(np.mean(others, axis=0))


def test_a_ratio_that_fits_all_images_is_found(tmp_path):
    """Human maps are wide Gaussians with noise."""
    random = np.random.default_rng(2)
    maps = [references.centre(16, 2.0) + 0.05 * random.random((16, 16)) for _ in range(20)]
    path = repeated_study.write(tmp_path / "d.h5", [*range(20)], [0, 1] * 10, np.float32(maps))
    with DataFile(path) as data:
        found = reference_scoring.score_references(data, RELEASED, [], folds=4, seed=0)
    assert found.chosen == [2.0] * 4 and set(found.ratio) == {2.0}
    assert found.scores["centre"].rho.mean() > 0.9


@pytest.mark.parametrize("batch", [1, 3, 50])
def test_results_do_not_depend_on_the_batch(data_path, found, monkeypatch, batch):
    monkeypatch.setattr(reference_scoring, "_BATCH", batch)
    with DataFile(data_path) as data:
        again = reference_scoring.score_references(data, RELEASED, [], folds=5, seed=0)
    for name, one in found.scores.items():
        np.testing.assert_allclose(again.scores[name].rho, one.rho, rtol=0, atol=1e-12)
    for kind, values in found.agreement.items():
        np.testing.assert_allclose(again.agreement[kind], values, rtol=0, atol=1e-12)


def test_agreement_of_humans_equals_brute_force(data_path, found):
    with DataFile(data_path) as data:
        groups, maps = data.groups, np.float64(data.human_maps(0, len(data)))
    others, pairwise = [], []
    for group in (0, 1):
        own = [maps[row] for row in np.flatnonzero(groups == group)]
        rest = [[*own[:place], *own[place + 1 :]] for place in range(len(own))]
        mean = lambda some: np.mean(some, axis=0)  # noqa: E731
        others.append(
            np.mean([rho_of(one, mean(left)) for one, left in zip(own, rest, strict=True)])
        )
        pairs = [rho_of(a, b) for place, a in enumerate(own) for b in own[place + 1 :]]
        pairwise.append(np.mean(pairs))
    for kind, expected in (("others", others), ("pairwise", pairwise)):
        np.testing.assert_allclose(found.agreement[kind][:2], expected, rtol=0, atol=1e-12)
        assert np.isnan(found.agreement[kind][2:]).all()


def test_known_noise_gives_the_known_agreement(tmp_path):
    """Each record is its image's map and noise of equal size: normal values, each for itself.

    Two records correlate by 1/2 (Pearson), one with the mean of two others by 1/2 / sqrt(3/4).
    Spearman's rho of normal values is 6/pi asin(r/2).
    """
    random = np.random.default_rng(3)
    truth = np.repeat(random.normal(size=(60, 64, 64)), 3, axis=0)
    maps = truth + random.normal(size=truth.shape)
    images = np.repeat(np.arange(60), 3).tolist()
    data = repeated_study.write(tmp_path / "d.h5", images, [0] * 180, np.float32(maps + 9), 64)
    summary = main(tmp_path, data)["human_ceiling"]
    spearman = lambda r: 6 / np.pi * np.arcsin(r / 2)  # noqa: E731
    assert summary["pairwise"]["mean_rho"] == pytest.approx(spearman(0.5), abs=0.01)
    assert summary["others"]["mean_rho"] == pytest.approx(spearman(0.5 / 0.75**0.5), abs=0.01)
    for kind in ("pairwise", "others"):
        one = summary[kind]
        assert one["n"] == 60 and one["low"] < one["mean_rho"] < one["high"] and one["note"] == ""


def main(folder, data, *more):
    """Run the script; its summary."""
    score_references.main(
        ["--data", str(data), "--output", str(folder / "r.csv"), "--rho", str(folder / "r.h5")]
        + ["--summary", str(folder / "r.json"), "--statistics", '{"resamples": 200}', *more]
    )
    return json.loads((folder / "r.json").read_text())


def test_the_script_writes_a_table_a_summary_and_every_rho(tmp_path, data_path, found):
    summary = main(tmp_path, data_path)
    table = pd.read_csv(tmp_path / "r.csv", keep_default_na=False)
    assert list(table)[:6] == ["reference", "n_images", "mean_rho", "score", "low", "high"]
    assert list(table["reference"]) == list(reference_scoring.NAMES)
    held = read_references(tmp_path / "r.h5")
    for name, one in found.scores.items():
        np.testing.assert_array_equal(held.scores[name].rho, one.rho)
        assert held.scores[name].status.tolist() == one.status.tolist()
    np.testing.assert_array_equal(held.ratio, found.ratio)
    rho = found.scores["mean_human_map"].rho
    images = [rho[found.groups == group].mean() for group in sorted(set(found.groups))]
    row = table[table["reference"] == "mean_human_map"].iloc[0]
    assert row.n_images == 11 and row.undefined == 0
    assert float(row.mean_rho) == pytest.approx(np.mean(images), abs=1e-12)
    assert float(row.score) == pytest.approx(np.mean(images) / 0.8, abs=1e-12)
    assert float(row.low) < float(row.score) < float(row.high)
    own = summary["references"]["class_mean_human_map"]
    assert own["status"] == {"ok": 13, "no_other_image": 1} and own["n_images"] == 10
    assert summary["references"]["centre"]["ratios"] == found.chosen
    assert summary["human_ceiling"]["published"] == 0.8
    assert summary["human_ceiling"]["others"]["n"] == 2


def test_summarising_the_stored_rho_gives_the_same(tmp_path, data_path):
    summary = main(tmp_path, data_path)
    summarise_references.main(
        [str(tmp_path / "r.h5"), "--output", str(tmp_path / "s.csv")]
        + ["--summary", str(tmp_path / "s.json"), "--statistics", '{"resamples": 200}']
    )
    assert json.loads((tmp_path / "s.json").read_text()) == summary
    assert (tmp_path / "s.csv").read_text() == (tmp_path / "r.csv").read_text()


def test_nothing_to_write_is_told_before_anything_is_scored(data_path):
    with pytest.raises(UserError, match="nothing is to be written; give --rho, --output or"):
        score_references.main(["--data", str(data_path)])


def test_constant_maps_and_the_ceiling_are_as_the_protocol_says(tmp_path):
    """Images of one colour have no edges."""
    maps = repeated_study.smooth(np.random.default_rng(4), 6, 16)
    with small_study.DataWriter(
        tmp_path / "d.h5", dataset="x", description="", num_classes=2, image_size=28,
        human_ceiling=0.5,
    ) as writer:  # fmt: skip
        for place, one in enumerate(maps):
            flat = np.full((28, 28, 3), 40 * place, np.uint8)
            writer.append(small_study.encode(flat), place % 2, f"{place}", one)
    skipped = main(tmp_path, tmp_path / "d.h5")["references"]["edge_strength"]
    assert skipped["n_images"] == 0 and skipped["mean_rho"] is None
    assert skipped["note"] == "It cannot be computed: the map has one value only."
    counted = main(tmp_path, tmp_path / "d.h5", "--protocol", "paper")["references"]
    assert counted["edge_strength"]["score"] == 0 and counted["edge_strength"]["n_images"] == 6
    assert counted["centre"]["score"] == counted["centre"]["mean_rho"]  # nothing divides


def notes(folder, images, labels, maps, **more):
    """Rows of the table by reference, and the summary, of a data file."""
    data = repeated_study.write(folder / "d.h5", images, labels, maps, **more)
    summary = main(folder, data)
    return pd.read_csv(folder / "r.csv").set_index("reference"), summary


def assert_missing(row, reason):
    assert row["n_images"] == 0 and row[["mean_rho", "score", "low", "high"]].isna().all()
    assert reason in row["note"]


def test_one_image_has_no_reference_from_others(tmp_path):
    maps = repeated_study.smooth(np.random.default_rng(5), 3, 16)
    table, summary = notes(tmp_path, [0, 0, 0], [0, 0, 0], maps)
    for name in ("centre", "mean_human_map"):
        assert_missing(table.loc[name], "there is no other image to make the map from")
    assert_missing(table.loc["class_mean_human_map"], "not of several classes")
    edges = table.loc["edge_strength"]
    assert edges["n_images"] == 1 and np.isfinite(edges["mean_rho"]) and np.isnan(edges["low"])
    assert edges["note"] == "One image has no interval."
    assert summary["human_ceiling"]["others"]["n"] == 1


@pytest.mark.parametrize("label", [1, None])
def test_one_class_or_none_has_no_mean_of_the_class(tmp_path, label):
    maps = repeated_study.smooth(np.random.default_rng(6), 4, 16)
    table, summary = notes(tmp_path, [0, 1, 2, 3], [label] * 4, maps)
    assert_missing(table.loc["class_mean_human_map"], "not of several classes")
    assert table.loc["mean_human_map"]["n_images"] == 4
    assert summary["references"]["class_mean_human_map"]["status"] == {"no_other_class": 4}
    for kind in ("others", "pairwise"):  # nothing repeats
        one = summary["human_ceiling"][kind]
        assert (one["n"], one["mean_rho"], one["low"]) == (0, None, None)
        assert one["note"].startswith("It cannot be computed: no image has two human maps")
    assert summary["human_ceiling"]["published"] is None


def test_constant_human_maps_have_no_reference(tmp_path):
    table, summary = notes(tmp_path, [0, 1, 1], [0, 1, 1], np.ones((3, 16, 16), np.float32))
    for name in reference_scoring.NAMES:
        assert_missing(table.loc[name], "human maps are constant")
    assert summary["human_ceiling"]["pairwise"]["mean_rho"] is None


def test_images_of_one_pixel_are_scored_as_constant(tmp_path):
    maps = repeated_study.smooth(np.random.default_rng(7), 3, 16)
    table, _ = notes(tmp_path, [0, 1, 2], [0, 1, 0], maps, side=1)
    assert (table["n_images"] == 0).all() and table["note"].notna().all()


@pytest.mark.parametrize("protocol", [RELEASED, PAPER])
def test_a_networks_maps_meet_the_human_maps_of_other_images(tmp_path, protocol):
    preset = "released" if protocol == RELEASED else "paper"
    study = small_study.make(tmp_path, 14, preset)
    summary = main(
        tmp_path, study.data, "--heatmaps", str(study.heatmaps[2]), "--seed", "3",
        "--protocol", preset,
    )  # fmt: skip
    held = read_references(tmp_path / "r.h5").scores
    with DataFile(study.data) as data, HeatmapFile(study.heatmaps[2]) as heatmaps:
        partners = references.other_image(data.groups, 3)
        for name in heatmaps.explainers:
            found = held[f"other_image:{name}"]
            maps = postprocess(protocol, name, heatmaps.maps(name, 0, 14), small_study.SIDE)
            for row, partner in enumerate(partners):
                human = resize_bilinear(data.human_maps(partner, partner + 1), 32, 32)
                if found.status[row] == "ok":
                    expected = stats.spearmanr(human.reshape(-1), maps[row].reshape(-1)).statistic
                    assert found.rho[row] == pytest.approx(expected, abs=1e-12)
                else:
                    odd = row in (small_study.CONSTANT_MAP, small_study.NONFINITE)
                    assert odd or partner == small_study.CONSTANT_HUMAN
    assert summary["references"]["other_image:grad_cam"]["status"]["ok"] == 11


def test_heatmaps_of_other_images_or_another_protocol_are_refused(tmp_path, data_path):
    study = small_study.make(tmp_path, 14)
    more = ["--heatmaps", str(study.heatmaps[0])]
    with pytest.raises(UserError, match="was not extracted from"):
        main(tmp_path, data_path, *more)
    with pytest.raises(UserError, match="was extracted with geometry 'crop'"):
        main(tmp_path, study.data, *more, "--protocol", "paper")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--folds", "1"], "--folds is 1 and --seed 0; allowed: 2 or more folds"),
        (["--seed", "-1"], "allowed: 2 or more folds, a seed of 0 or more"),
        (["--maps", "centre=x"], "--maps: the name 'centre' is given twice, or is that of a ref"),
        (["--maps", "a=x", "a=y"], "--maps: the name 'a' is given twice"),
        (["--maps", "a=/no/such"], "the maps 'a', /no/such, does not exist; allowed: a folder"),
    ],
)
def test_bad_flags_are_told(tmp_path, data_path, flags, message):
    with pytest.raises(UserError) as error:
        main(tmp_path, data_path, *flags)
    assert message in str(error.value)
    assert not (tmp_path / "r.csv").exists()


def test_a_training_file_is_refused(tmp_path, digits_to_train):
    with pytest.raises(UserError, match="holds no human maps"):
        main(tmp_path, digits_to_train)


def test_flags_that_are_no_name_and_path_are_told(tmp_path, data_path, capsys):
    with pytest.raises(SystemExit):
        main(tmp_path, data_path, "--maps", "without-path")
    assert "'without-path' is not NAME=PATH" in capsys.readouterr().err
