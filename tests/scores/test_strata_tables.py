"""Tables of scores by stratum, made by the script from files of a small study with seeds."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import small_study
import stratify_scores
from human_alignment.common.cli import UserError
from human_alignment.data.data_file import DataFile, DataWriter
from human_alignment.data.digits import encode
from human_alignment.scores import bootstrap
from human_alignment.scores.bootstrap import bootstrap_interval
from human_alignment.scores.image_means import image_means
from human_alignment.scores.score_file import read_scores, write_scores
from human_alignment.scores.statistics import holm
from human_alignment.scores.strata_tables import COLUMNS, GAINS
from scipy import stats
from small_study import compared

IMAGES, CLASSES = 60, 3
RUNS = ["net/seed0", "net/seed1", "net_dcls/seed0", "net_dcls/seed1", "alone/seed0"]
STATISTICS = ["--statistics", '{"resamples": 100}']


def write_data(path, labels, classes=CLASSES, repeated=0, **about):
    """An image of its own for each label; the last `repeated` records repeat the first images."""
    attributes = dict(dataset="toy", description="", num_classes=classes, image_size=16)
    random = np.random.default_rng(5)
    with DataWriter(path, **attributes | about) as writer:
        for number, label in enumerate(labels):
            shown = number % (len(labels) - repeated)
            picture = np.full((16, 16, 3), 2 * shown, np.uint8)
            human = small_study.blob(*random.uniform(0.1, 0.9, 2), 16) ** random.uniform(0.3, 3)
            writer.append(encode(picture), label, f"image-{number}", human)
    return path


def write_run(folder, run, data, rho, predicted, **source):
    """The score file of a run, as `<folder>/scores/<run>.parquet`."""
    held = {"data_digest": data.digest, "groups": data.groups, "predicted": predicted} | source
    path = folder / "scores" / f"{run}.parquet"
    small_study.write_score_file(path, data.image_ids, rho, **held)


def stratify(folder, runs=RUNS, *more, ending=".parquet"):
    """Run the script on a folder's files; both tables."""
    stratify_scores.main(
        ["--data", str(folder / "data.h5")]
        + ["--scores", *(str(folder / "scores" / f"{run}{ending}") for run in runs)]
        + [*STATISTICS, "--output", str(folder / "strata.csv")]
        + ["--gains", str(folder / "gains.csv"), *more]
    )
    return pd.read_csv(folder / "strata.csv"), pd.read_csv(folder / "gains.csv")


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Sixty images, ten of them twice; two seeds of a pair and a third network; some undefined.

    Returns the folder, rho by run and explainer (n,), and what each run predicts (n,).
    """
    folder, random = tmp_path_factory.mktemp("strata"), np.random.default_rng(3)
    labels = random.integers(0, CLASSES, IMAGES)
    labels = np.concatenate([labels, labels[:10]])
    write_data(folder / "data.h5", labels.tolist(), repeated=10, human_ceiling=0.5)
    rho, predicted = {}, {}
    with DataFile(folder / "data.h5") as data:
        for run in RUNS:
            own = random.uniform(0, 0.6, (2, len(labels))) + 0.1 * (labels == 1)
            own[:, [3, 20]] = np.nan
            own[0, random.integers(0, len(labels), 3)] = np.nan
            rho[run] = {"grad_cam": own[0], "threshold_grad_cam": own[1], "rise": own[1] / 2}
            predicted[run] = random.integers(0, CLASSES, len(labels))
            predicted[run][IMAGES:] = predicted[run][:10]
            more = {"human_ceiling": 0.5}
            write_run(folder, run, data, rho[run], predicted[run], **more)
    return folder, rho, predicted


@pytest.fixture(scope="module")
def tables(small):
    return stratify(small[0])


def by_image(small, name, explainer):
    """Rho of a network by image, averaged over its runs."""
    with DataFile(small[0] / "data.h5") as data:
        runs = [image_means(small[1][run][explainer], data.groups)
                for run in RUNS if run.startswith(f"{name}/")]  # fmt: skip
    return np.mean(runs, axis=0)


def test_columns_networks_and_explainers(tables):
    strata, gains = tables
    assert list(strata) == COLUMNS and list(gains) == GAINS
    assert list(dict.fromkeys(strata["network"])) == ["net", "net_dcls", "alone"]
    assert list(dict.fromkeys(strata["explainer"])) == ["grad_cam", "threshold_grad_cam"]
    kinds = ["class", "object_area", "centre_distance", "prediction"]
    assert list(dict.fromkeys(strata["stratification"])) == kinds
    assert list(dict.fromkeys(gains["network"])) == ["net_dcls"]
    assert list(dict.fromkeys(gains["stratification"])) == kinds[:-1]


def test_strata_add_up_to_the_networks_mean(small, tables):
    strata, _ = tables
    for (name, explainer, _), part in strata.groupby(["network", "explainer", "stratification"]):
        values = by_image(small, name, explainer)
        known = values[~np.isnan(values)]
        total = (part["n_images"] * part["mean_rho"]).sum() / part["n_images"].sum()
        assert total == pytest.approx(known.mean(), abs=1e-12)
        assert part["n_images"].sum() == pytest.approx(len(known))
        assert set(part["n_left_out"]) == {IMAGES - len(known)}
        assert part["share"].sum() == pytest.approx(1)
    assert (strata["n_left_out"] > 0).all()


def test_a_class_against_brute_force(small, tables):
    strata, gains = tables
    with DataFile(small[0] / "data.h5") as data:
        labels = data.labels[np.unique(data.groups)]
    chosen = (strata["network"] == "net_dcls") & (strata["explainer"] == "grad_cam")
    part = strata[chosen & (strata["stratification"] == "class")].set_index("stratum")
    values = by_image(small, "net_dcls", "grad_cam")
    gain = values - by_image(small, "net", "grad_cam")
    p_values = []
    for label in range(CLASSES):
        row = part.loc[f"class {label}"]
        own = values[(labels == label) & ~np.isnan(values)]
        others = values[(labels != label) & ~np.isnan(values)]
        low, high = bootstrap_interval(own, resamples=100)
        numbers = [len(own), own.mean(), own.mean() / 0.5, low / 0.5, high / 0.5]
        columns = ["n_images", "mean_rho", "score", "low", "high"]
        np.testing.assert_allclose(row[columns].astype(float), numbers, atol=1e-13)
        assert row["difference"] == pytest.approx(own.mean() - others.mean(), abs=1e-13)
        p_values.append(stats.mannwhitneyu(own, others).pvalue)
        assert row["p_value"] == pytest.approx(p_values[-1], rel=1e-9)
        paired = compared(gain[labels == label], np.zeros(sum(labels == label)), resamples=100)
        found = gains[(gains["explainer"] == "grad_cam") & (gains["stratum"] == f"class {label}")]
        for column in ("n", "difference", "low", "high", "p_value"):
            assert found[column].item() == pytest.approx(getattr(paired, column), abs=1e-13)
    np.testing.assert_allclose(part["p_holm"], holm(np.array(p_values)), rtol=1e-9)


def test_predictions_are_strata_of_each_run_then_averaged(small, tables):
    strata, _ = tables
    folder, rho, predicted = small
    with DataFile(folder / "data.h5") as data:
        first = np.unique(data.groups, return_index=True)[1]
        labels, groups = data.labels, data.groups
    known = ~np.isnan(by_image(small, "net", "grad_cam"))
    count, total, lows, p_values = [], 0, [], []
    for run in ("net/seed0", "net/seed1"):
        values = image_means(rho[run]["grad_cam"], groups)
        right = (predicted[run] == labels)[first] & known
        count.append(right.sum())
        total += values[right].sum()
        lows.append(bootstrap_interval(values[right], resamples=100)[0] / 0.5)
        p_values.append(stats.mannwhitneyu(values[right], values[known & ~right]).pvalue)
    chosen = (strata["network"] == "net") & (strata["explainer"] == "grad_cam")
    row = strata[chosen & (strata["stratum"] == "right")].iloc[0]
    assert row["n_images"] == np.mean(count)
    assert row["mean_rho"] == pytest.approx(total / sum(count), abs=1e-13)
    assert row["low"] == pytest.approx(np.mean(lows), abs=1e-13)
    assert row["p_value"] == pytest.approx(min(1, sum(p_values)), rel=1e-9)


def test_terciles_are_of_the_images_and_alike_for_all_networks(tables):
    strata, _ = tables
    part = strata[strata["stratification"] == "centre_distance"]
    names = part["stratum"].unique()
    assert len(names) == 3 and names[0].startswith("central (up to 0.")
    assert names[1].startswith("between (up to 0.") and names[2] == "peripheral"
    counts = part.groupby("network")["n_images"].agg(["min", "max"])
    assert (counts["min"] >= 15).all() and (counts["max"] <= 20).all()


def test_twins_of_other_names_are_compared(small):
    _, gains = stratify(small[0], RUNS, "--twins", json.dumps({"alone": "net"}))
    assert set(gains["network"]) == {"alone"} and set(gains["model"]) == {"net / alone"}


def test_scores_as_csv_give_the_same_strata(small, tables, tmp_path):
    """Images and predictions are then in the source."""
    for run in RUNS:
        found = read_scores(small[0] / "scores" / f"{run}.parquet")
        records = found.image_ids, found.labels, found.scores, found.predicted
        write_scores(tmp_path / "scores" / f"{run}.csv", found.source, *records)
    shutil.copy(small[0] / "data.h5", tmp_path)
    for made, again in zip(tables, stratify(tmp_path, ending=".csv"), strict=True):
        pd.testing.assert_frame_equal(made, again)


def test_a_run_without_predictions_leaves_those_of_the_others(small, tables, tmp_path):
    shutil.copytree(small[0], tmp_path, dirs_exist_ok=True)
    path = tmp_path / "scores" / "alone" / "seed0.parquet"
    found = read_scores(path)
    write_scores(path, found.source, found.image_ids, found.labels, found.scores)
    strata, _ = stratify(tmp_path)
    before = tables[0]
    left = (before["network"] != "alone") | (before["stratification"] != "prediction")
    pd.testing.assert_frame_equal(strata, before[left].reset_index(drop=True))


def test_all_networks_at_once_give_what_blocks_of_rows_give(small, tables, monkeypatch):
    monkeypatch.setattr(bootstrap, "_BLOCK", 1)
    for made, again in zip(tables, stratify(small[0]), strict=True):
        pd.testing.assert_frame_equal(made, again, rtol=0, atol=1e-12)


def one_run(folder, labels, rho, predicted=None, **about):
    write_data(folder / "data.h5", labels, **about)
    with DataFile(folder / "data.h5") as data:
        hits = data.labels if predicted is None else predicted
        write_run(folder, "alone/seed0", data, rho, np.maximum(hits, 0))
    return stratify(folder, ["alone/seed0"])


def test_one_image_keeps_its_rows_and_leaves_empty_what_cannot_be_computed(tmp_path):
    strata, gains = one_run(tmp_path, [1], {"eigen_cam": [0.3], "rise": [0.1]})
    assert gains.empty and list(gains) == GAINS
    assert set(strata["explainer"]) == {"eigen_cam"}  # the first, in a study without the paper's
    assert strata["n_images"].tolist() == [1, 1, 0, 0, 1, 0, 0, 1, 0]
    full = strata[strata["n_images"] == 1]
    assert set(full["mean_rho"]) == {0.3} and set(full["score"]) == {0.3}
    unknown = ["low", "high", "difference", "p_value", "p_holm"]
    assert strata[unknown].isna().all(axis=None)
    assert strata.loc[strata["n_images"] == 0, "mean_rho"].isna().all()


def test_one_class_has_no_others(tmp_path):
    random = np.random.default_rng(0)
    rho = {"grad_cam": random.uniform(0, 1, 12)}
    strata, _ = one_run(tmp_path, [2] * 12, rho, predicted=np.arange(12) % 3)
    row = strata[strata["stratification"] == "class"].iloc[0]
    assert row["stratum"] == "class 2" and row["n_images"] == 12 and row["low"] < row["high"]
    assert np.isnan(row["difference"]) and np.isnan(row["p_holm"])
    area = strata[strata["stratification"] == "object_area"]
    assert area["n_images"].tolist() == [4, 4, 4] and area["p_holm"].notna().all()


def test_no_score_at_all(tmp_path):
    strata, _ = one_run(tmp_path, [0, 1, 1], {"grad_cam": [np.nan] * 3})
    assert (strata["n_images"] == 0).all() and set(strata["n_left_out"]) == {3}
    assert strata[["mean_rho", "score", "low", "share"]].isna().all(axis=None)


def test_without_labels_there_are_no_classes_and_no_right_prediction(tmp_path):
    strata, _ = one_run(tmp_path, [None] * 6, {"grad_cam": np.linspace(0, 0.5, 6)})
    assert set(strata["stratification"]) == {"object_area", "centre_distance"}


def test_imagenets_classes_have_superclasses(tmp_path):
    labels = [151, 268, 0, 397, 398, 999]
    strata, _ = one_run(tmp_path, labels, {"grad_cam": np.linspace(0, 0.5, 6)}, classes=1000)
    part = strata[strata["stratification"] == "superclass"].set_index("stratum")
    assert part["n_images"].to_dict() == {"dogs": 2, "other animals": 2, "everything else": 2}
    np.testing.assert_allclose(part["mean_rho"], [0.05, 0.25, 0.45])
    assert "Chihuahua (151)" in set(strata["stratum"])
    own = {"classes": 1000, "class_names": [f"kind {number}" for number in range(1000)]}
    strata, _ = one_run(tmp_path, labels, {"grad_cam": np.linspace(0, 0.5, 6)}, **own)
    assert "superclass" not in set(strata["stratification"])
    assert "kind 151 (151)" in set(strata["stratum"])


def test_files_that_do_not_belong_together_are_refused(small, tmp_path):
    scores = str(small[0] / "scores" / "net" / "seed0.parquet")
    write_data(tmp_path / "data.h5", [0, 1])
    with DataFile(tmp_path / "data.h5") as data:
        write_run(tmp_path, "net/seed0", data, {"rise": [0.1, 0.2]}, [0, 1], sampled=True)
        write_run(tmp_path, "net/seed1", data, {"rise": [0.1, 0.2]}, [0, 1])
        more = {"human_ceiling": 0.7}
        write_run(tmp_path, "alone/seed0", data, {"rise": [0.1, 0.2]}, [0, 1], **more)
    with pytest.raises(UserError, match="seed0.parquet has scores of other images than .*data.h5"):
        stratify_scores.main(
            ["--data", str(tmp_path / "data.h5"), "--scores", scores]
            + ["--output", str(tmp_path / "strata.csv")]
        )
    with pytest.raises(UserError, match="seed0.parquet has scores of a sample"):
        stratify(tmp_path, ["net/seed0"])
    with pytest.raises(UserError, match="alone/seed0.parquet was scored under another protocol"):
        stratify(tmp_path, ["net/seed1", "alone/seed0"])
    assert not (tmp_path / "strata.csv").exists()
