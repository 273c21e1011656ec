"""What the scores of a study are worth: tables and comparisons from scores and controls."""

import json

import collect_controls
import compare_models
import numpy as np
import pandas as pd
import pytest
import repeated_study
import score_alignment
import score_controls
import score_references
import small_study
from human_alignment.common.cli import UserError
from human_alignment.data.data_file import DataFile, DataWriter
from human_alignment.scores import bootstrap, controlled, references
from human_alignment.scores.control_tables import ceiling_of_skill
from human_alignment.scores.controlled import ControlledStudy
from human_alignment.scores.human_ceilings import HumanCeilings
from human_alignment.scores.image_means import image_means
from human_alignment.scores.protocol import PAPER, RELEASED
from human_alignment.scores.reference_file import read_references
from human_alignment.scores.score_file import read_scores, write_scores
from human_alignment.scores.skill import partial_correlation
from scipy import stats

IMAGES = [*range(13), 0, 1, 0]  # image of each record
NETWORKS = ("net", "net_dcls", "alone")
RUNS = {"net": [0, 1], "net_dcls": [0], "alone": [0]}
SETTINGS = ["--statistics", '{"resamples": 300}']


class Files:
    """Files of a study in a folder, under the names that the pipeline gives them."""

    def __init__(self, folder):
        self.folder, self.data = folder, folder / "data.h5"
        self.runs = [f"{name}/seed{seed}" for name in NETWORKS for seed in RUNS[name]]

    def of(self, ending):
        return [self.folder / "scores" / f"{run}{ending}" for run in self.runs]

    @property
    def references(self):
        return [self.folder / f"references.{ending}" for ending in ("h5", "csv", "json")]

    def score(self):
        """Score references, and of each run heatmaps and controls."""
        rho, table, summary = map(str, self.references)
        data = ["--data", str(self.data)]
        outputs = ["--rho", rho, "--output", table, "--summary", summary]
        score_references.main([*data, *outputs, *SETTINGS])
        with DataFile(self.data) as held:
            for run, scores, controls in zip(
                self.runs, self.of(".parquet"), self.of(".controls.h5"), strict=True
            ):
                heatmaps = self.folder / "heatmaps" / f"{run}.h5"
                kind = {"net": "far", "net_dcls": "near"}.get(run.split("/")[0], "odd")
                small_study.write_heatmaps(heatmaps, held, kind, "released", run)
                both = [*data, "--heatmaps", str(heatmaps)]
                score_alignment.main([*both, "--output", str(scores)])
                score_controls.main([*both, "--references", rho, "--output", str(controls)])

    def collect(self, *more):
        rho, table, summary = map(str, self.references)
        collect_controls.main(
            [
                "--scores",
                *map(str, self.of(".parquet")),
                "--controls",
                *map(str, self.of(".controls.h5")),
            ]
            + ["--rho", rho, "--references", table, "--summary", summary]
            + ["--output", str(self.folder / "tables"), *SETTINGS, *more]
        )
        names = ("references", "skill", "partial", "smoothness", "spectra")
        return {name: pd.read_csv(self.folder / "tables" / f"{name}.csv") for name in names}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Three networks, one with two runs, on images of which two repeat."""
    return made(tmp_path_factory.mktemp("collected"))


def made(folder, ceiling=0.8, images=IMAGES):
    files = Files(folder)
    random = np.random.default_rng(0)
    about = dict(dataset="x", description="", num_classes=3, image_size=small_study.SIDE)
    with DataWriter(files.data, **about, human_ceiling=ceiling) as writer:
        for record, number in enumerate(images):
            place = small_study.places(20)[number]
            human = small_study.blob(*place, 16) + 0.1 * random.random((16, 16))
            picture = small_study.encode(small_study.image(number, *place))
            writer.append(picture, number % 3, f"r{record}", human.astype(np.float32))
    files.score()
    return files


@pytest.fixture(scope="module")
def tables(files):
    return files.collect()


def row_of(table, **values):
    for name, value in values.items():
        table = table[table[name] == value]
    (row,) = table.to_dict("records")
    return row


def test_the_tables_have_the_columns_and_rows_that_they_should(tables):
    first = ["model", "dcls", "explainer"]
    assert list(tables["skill"])[:7] == [*first, "reference", "skill", "low", "high"]
    assert list(tables["partial"])[:6] == [*first, "partial_rho", "low", "high"]
    assert list(tables["smoothness"])[:7] == [*first, "cutoff", "score", "low", "high"]
    assert list(tables["spectra"])[:5] == [*first, "frequency", "share"]
    assert list(tables["references"])[:6] == [
        "reference", "n_images", "mean_rho", "score", "low", "high",
    ]  # fmt: skip
    assert list(tables["references"]["reference"])[-2:] == [
        "other_image:grad_cam", "other_image:threshold_grad_cam",
    ]  # fmt: skip
    assert len(tables["skill"]) == 3 * 2 * 2 and len(tables["partial"]) == 3 * 2
    assert len(tables["smoothness"]) == 3 * 2 * 4
    assert list(tables["partial"]["network"]) == sum(
        [[n] * 2 for n in ("net", "net_dcls", "alone")], []
    )
    assert list(tables["partial"]["dcls"]) == [0, 0, 1, 1, 0, 0]
    assert list(tables["partial"]["model"]) == ["net"] * 4 + ["alone"] * 2


def test_runs_are_averaged_first_then_records_then_images(files, tables):
    held = read_references(files.references[0])
    study = ControlledStudy(files.of(".parquet"), files.of(".controls.h5"), held)
    rho = [read_scores(path).scores["grad_cam"].rho for path in files.of(".parquet")[:2]]
    images = image_means(np.mean(rho, axis=0), held.groups)
    row = row_of(tables["skill"], network="net", explainer="grad_cam", reference="centre")
    assert (row["n"], row["ceiling"], row["ceiling_rho"]) == (13, "published", 0.8)
    assert row["mean_rho"] == pytest.approx(images.mean(), abs=1e-12)
    expected = (row["mean_rho"] - row["reference_rho"]) / (0.8 - row["reference_rho"])
    assert row["skill"] == pytest.approx(expected, abs=1e-12)
    assert row["low"] < row["skill"] < row["high"]
    full = row_of(
        tables["smoothness"].fillna({"cutoff": 0}), network="net", explainer="grad_cam", cutoff=0
    )
    assert full["score"] == pytest.approx(images.mean() / 0.8, abs=1e-12)
    (one,) = [
        r for r in study.rows() if (r.names["network"], r.names["explainer"]) == ("net", "grad_cam")
    ]
    np.testing.assert_array_equal(one.rho, images)
    row = row_of(tables["partial"], network="net", explainer="grad_cam")
    assert row["partial_rho"] == pytest.approx(np.nanmean(one.partial), abs=1e-12)


def test_the_reference_of_skill_is_what_the_gaussian_scores(files, tables):
    (centre,) = tables["references"].query("reference == 'centre'").to_dict("records")
    skill = tables["skill"].query("reference == 'centre' and network in ('net', 'net_dcls')")
    assert len(skill) == 4
    np.testing.assert_allclose(skill["reference_rho"], centre["mean_rho"], atol=1e-12)


def test_heatmaps_of_the_centre_and_noise_have_no_skill_beyond_it(tmp_path, monkeypatch):
    """Human maps share the middle of the image, and have a peak of their own each."""
    random = np.random.default_rng(1)
    side, count = small_study.SIDE, 40
    human = [
        references.centre(16, 1.0) + 2 * small_study.blob(*place, 16)
        for place in random.uniform(0.2, 0.8, (count, 2))
    ]
    data = tmp_path / "data.h5"
    repeated_study.write(data, [*range(count)], [0, 1] * 20, np.float32(human), side)
    noisy = references.centre(side, 1.0) + 0.03 * repeated_study.smooth(random, count, side)
    monkeypatch.setattr(small_study, "raw_maps", lambda *_: np.float32(noisy))
    own = Files(tmp_path)
    own.runs = ["noisy/seed0"]
    own.score()
    found = own.collect()["skill"].query("reference == 'centre' and explainer == 'grad_cam'")
    (row,) = found.to_dict("records")
    assert row["reference_rho"] > 0.3 and abs(row["skill"]) < 0.01
    assert row["low"] < 0 < row["high"]


def test_partial_correlations_are_those_of_residuals_of_ranks(files):
    """By the textbook: of what the centre's ranks leave of the ranks of map and human map."""
    from human_alignment.data.resize import resize_bilinear
    from human_alignment.heatmaps.heatmap_file import HeatmapFile
    from human_alignment.scores.control_file import read_controls
    from human_alignment.scores.references import centre

    held = read_references(files.references[0])
    controls = read_controls(files.of(".controls.h5")[2])
    side = small_study.SIDE
    with (
        DataFile(files.data) as data,
        HeatmapFile(files.folder / "heatmaps" / f"{files.runs[2]}.h5") as heatmaps,
    ):
        human = resize_bilinear(data.human_maps(0, len(data)), side, side).reshape(len(data), -1)
        maps = resize_bilinear(heatmaps.maps("grad_cam", 0, len(data)), side, side)
        maps = maps.reshape(len(data), -1)
    own = read_scores(files.of(".parquet")[2]).scores["grad_cam"].rho
    found = partial_correlation(
        own, controls.controls.scores["grad_cam"]["centre"].rho, held.scores["centre"].rho
    )
    for row in range(len(own)):
        middle = stats.rankdata(centre(side, held.ratio[row]).reshape(-1))
        design = np.stack([np.ones(len(middle)), middle], axis=1)
        ranks = [stats.rankdata(one) for one in (maps[row], human[row])]
        left = [r - design @ np.linalg.lstsq(design, r, rcond=None)[0] for r in ranks]
        assert found[row] == pytest.approx(np.corrcoef(*left)[0, 1], abs=1e-10)


def test_an_image_of_another_network_is_chance_and_the_near_network_beats_it(tables):
    skill = tables["skill"]
    near = row_of(skill, network="net_dcls", explainer="grad_cam", reference="other_image")
    assert near["low"] > 0
    row = row_of(tables["references"], reference="other_image:grad_cam")
    assert row["n_images"] == 13 and row["undefined"] == 0
    assert row["score"] == pytest.approx(row["mean_rho"] / 0.8)


def test_shares_of_the_spectrum_add_up_and_smooth_maps_lose_what_is_above_the_cutoff(tables):
    shares = tables["spectra"].groupby(["network", "explainer"])["share"].sum()
    np.testing.assert_allclose(shares, 1, rtol=0, atol=1e-9)
    assert set(tables["spectra"]["frequency"]) == {0.5 * place for place in range(1, 10)}
    cutoffs = tables["smoothness"]["cutoff"].tolist()[:4]
    assert cutoffs[:3] == [0.5, 1, 2] and np.isnan(cutoffs[3])


def ceilings(published, others):
    one = {"n": 0, "mean_rho": others, "low": None, "high": None, "note": ""}
    return HumanCeilings(published=published, others=one, pairwise=one)


def test_the_ceiling_of_skill_is_the_published_one_or_else_that_of_repeats_or_else_1():
    assert ceiling_of_skill(RELEASED, ceilings(0.6, 0.7)) == ("published", 0.6)
    assert ceiling_of_skill(PAPER, ceilings(0.6, 0.7)) == ("others", 0.7)
    assert ceiling_of_skill(RELEASED, ceilings(None, 0.7)) == ("others", 0.7)
    assert ceiling_of_skill(RELEASED, ceilings(None, None)) == ("perfect", 1.0)


def test_the_ceiling_of_repeats_is_taken_where_none_is_published(tmp_path, tables):
    own = made(tmp_path, ceiling=None)
    found = own.collect()["skill"]
    assert set(found["ceiling"]) == {"others"}
    summary = json.loads((tmp_path / "references.json").read_text())
    value = summary["human_ceiling"]["others"]["mean_rho"]
    assert found["ceiling_rho"].tolist() == [value] * len(found)
    assert found["mean_rho"].tolist() == tables["skill"]["mean_rho"].tolist()


def test_differences_under_controls_join_the_comparisons(tmp_path, files):
    summary = pd.DataFrame(
        {
            "model": ["net", "net", "alone"], "dcls": [0, 1, 0], "network": NETWORKS,
            "run": "seed0", "explainer": "grad_cam", "parameters": 1, "top1": np.nan,
            "n": 9, "n_images": 9, "mean_rho": 0.1, "score": 0.1, "low": 0.0, "high": 0.2,
            "human_ceiling": 0.8,
        }
    )  # fmt: skip
    summary.to_csv(tmp_path / "summary.csv", index=False)
    compare_models.main(
        ["--scores", *map(str, files.of(".parquet")), "--summary", str(tmp_path / "summary.csv")]
        + ["--controls", *map(str, files.of(".controls.h5"))]
        + ["--references", str(files.references[0]), "--output", str(tmp_path / "c.csv")]
        + ["--correlations", str(tmp_path / "k.csv"), *SETTINGS]
    )
    table = pd.read_csv(tmp_path / "c.csv")
    kinds = list(dict.fromkeys(table["comparison"]))
    assert kinds == [
        "dcls - plain", "threshold_grad_cam - grad_cam", "dcls - plain, given the centre",
        "dcls - plain, up to 0.5 cycles", "dcls - plain, up to 1 cycle",
        "dcls - plain, up to 2 cycles",
    ]  # fmt: skip
    held = read_references(files.references[0])
    study = ControlledStudy(files.of(".parquet"), files.of(".controls.h5"), held)
    by_name = {(one.names["network"], one.names["explainer"]): one for one in study.rows()}
    dcls, plain = by_name["net_dcls", "grad_cam"], by_name["net", "grad_cam"]
    for kind, gap in (
        (kinds[2], dcls.partial - plain.partial),
        (kinds[4], dcls.smooth[1] - plain.smooth[1]),
    ):
        row = row_of(table, comparison=kind, explainer="grad_cam")
        assert (row["model"], row["network"], row["n"]) == ("net", "net_dcls", 13)
        assert row["difference"] == pytest.approx(np.nanmean(gap), abs=1e-12)
        assert row["low"] <= row["difference"] <= row["high"]
        assert row["p_holm"] == row["p_value"]  # one pair


def test_controls_without_references_are_told(tmp_path, files):
    with pytest.raises(UserError, match="--controls need --references"):
        compare_models.main(
            ["--scores", str(files.of(".parquet")[0]), "--summary", "x", "--output", "x"]
            + ["--correlations", "x", "--controls", str(files.of(".controls.h5")[0])]
        )


def read(files, scores=None, controls=None, references=None):
    held = read_references(references or files.references[0])
    scores, controls = scores or files.of(".parquet"), controls or files.of(".controls.h5")
    return list(ControlledStudy(scores, controls, held).rows())


def test_files_that_do_not_belong_together_are_told(tmp_path, files):
    with pytest.raises(UserError, match="alone/seed0.controls.h5 has controls of grad_cam, but no"):
        read(files, scores=files.of(".parquet")[:-1])
    other = made(tmp_path / "other", images=[*range(14)])
    with pytest.raises(UserError, match="controls.h5 was not made with these references"):
        read(files, references=other.references[0])
    with pytest.raises(UserError, match="were not made from the same: data_digest differs"):
        read(files, scores=other.of(".parquet"))
    held = read_scores(files.of(".parquet")[0])
    path = tmp_path / "net" / "seed0.parquet"
    source = held.source.model_copy(update={"weights_digest": "e" * 64})
    write_scores(path, source, held.image_ids, held.labels, held.scores)
    with pytest.raises(UserError, match="were not made from the same: weights_digest differs"):
        read(files, scores=[path], controls=files.of(".controls.h5")[:1])


def test_networks_one_after_the_other_give_what_all_at_once_give(files, tables, monkeypatch):
    monkeypatch.setattr(bootstrap, "_BLOCK", 1)
    for name, again in files.collect().items():
        pd.testing.assert_frame_equal(again, tables[name], rtol=0, atol=1e-12)


def test_only_the_files_of_a_network_are_read_for_it(files, monkeypatch):
    read = []
    known = controlled.read_controls
    monkeypatch.setattr(controlled, "read_controls", lambda path: read.append(path) or known(path))
    held = read_references(files.references[0])
    study = ControlledStudy(files.of(".parquet"), files.of(".controls.h5"), held)
    assert study.networks == [*NETWORKS] and not read
    names = [one.names["explainer"] for one in study.of("net")]
    assert names == ["grad_cam", "threshold_grad_cam"]
    assert read == files.of(".controls.h5")[:2]
    assert study.of("unknown") == [] and study.compared("unknown") == {}


def test_scores_as_csv_give_the_same_tables(files, tables, tmp_path):
    rho, table, summary = map(str, files.references)
    paths = []
    for path in files.of(".parquet"):
        found = read_scores(path)
        paths.append(tmp_path / path.parent.name / f"{path.stem}.csv")
        write_scores(paths[-1], found.source, found.image_ids, found.labels, found.scores)
    collect_controls.main(
        ["--scores", *map(str, paths), "--controls", *map(str, files.of(".controls.h5"))]
        + ["--rho", rho, "--references", table, "--summary", summary]
        + ["--output", str(tmp_path), *SETTINGS]
    )
    for name, made in tables.items():
        pd.testing.assert_frame_equal(pd.read_csv(tmp_path / f"{name}.csv"), made)


def test_a_study_without_controls_has_empty_tables(files, tmp_path):
    rho, table, summary = map(str, files.references)
    collect_controls.main(
        ["--rho", rho, "--references", table, "--summary", summary, "--output", str(tmp_path)]
    )
    assert pd.read_csv(tmp_path / "skill.csv").empty
    assert list(pd.read_csv(tmp_path / "references.csv")["reference"])[0] == "centre"


@pytest.mark.parametrize(
    ("text", "message"),
    [("{}", "human_ceiling|it is"), ('{"human_ceiling": {"published": 2}}', "published is 2")],
)
def test_a_summary_of_references_without_ceilings_is_told(files, tmp_path, text, message):
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(UserError, match=message):
        files.collect("--summary", str(tmp_path / "r.json"))
