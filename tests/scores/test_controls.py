"""Controls of one network, against brute force and against what must come out."""

import numpy as np
import pytest
import score_controls
import score_references
import small_study
from human_alignment.common.cli import UserError
from human_alignment.data.data_file import DataFile
from human_alignment.data.resize import resize_bilinear
from human_alignment.heatmaps.heatmap_file import HeatmapFile
from human_alignment.scores import controls, references
from human_alignment.scores.control_file import read_controls
from human_alignment.scores.postprocess import postprocess
from human_alignment.scores.protocol import RELEASED
from human_alignment.scores.reference_file import read_references
from human_alignment.scores.score_file import read_scores
from human_alignment.scores.skill import partial_correlation
from human_alignment.scores.smoothing import low_pass, spectrum
from human_alignment.scores.spearman import OK
from scipy import stats

COUNT, SIDE = 14, small_study.SIDE


def main(study, run, *more, references=None):
    """Run the script on one network of a study; the file it writes, as read."""
    output = study.data.with_name("controls.h5")
    score_controls.main(
        ["--data", str(study.data), "--heatmaps", str(study.heatmaps[run])]
        + ["--references", str(references or study.data.with_name("r.h5"))]
        + ["--protocol", study.protocol, "--output", str(output), *more]
    )
    return read_controls(output)


def make(folder, count=COUNT, preset="released", **about):
    """A small study with its references."""
    study = small_study.make(folder, count, preset, **about)
    score_on(study)
    return study


def score_on(study):
    """Score the references on a study's data file."""
    folder = study.data.parent
    score_references.main(
        ["--data", str(study.data), "--protocol", study.protocol]
        + ["--output", str(folder / "r.csv"), "--summary", str(folder / "r.json")]
        + ["--rho", str(folder / "r.h5")]
    )


@pytest.fixture(scope="module", params=["released", "paper"])
def study(request, tmp_path_factory):
    return make(tmp_path_factory.mktemp("controls"), preset=request.param)


def shown_human(data, row):
    return resize_bilinear(data.human_maps(row, row + 1), SIDE, SIDE).reshape(-1)


@pytest.mark.parametrize("run", [0, 2])
def test_every_control_equals_brute_force(study, run):
    found = main(study, run, "--seed", "5", "--cutoffs", "1", "0.5", "9")
    assert found.source.cutoffs == [0.5, 1, 9] and found.source.seed == 5
    protocol = found.source.protocol
    held = read_references(study.data.with_name("r.h5"))
    np.testing.assert_array_equal(found.ratio, held.ratio)
    with DataFile(study.data) as data, HeatmapFile(study.heatmaps[run]) as heatmaps:
        partners = references.other_image(data.groups, 5)
        for name in heatmaps.explainers:
            raw = heatmaps.maps(name, 0, COUNT)
            maps = postprocess(protocol, name, raw, SIDE).reshape(COUNT, -1)
            met = {
                "centre": [references.centre(SIDE, ratio).reshape(-1) for ratio in held.ratio],
                "other_image": [shown_human(data, row) for row in partners],
            }
            assert_equal(found.controls.scores[name], met, maps)
            own = [shown_human(data, row) for row in range(COUNT)]
            for cutoff in (0.5, 1, 9):
                smooth = postprocess(protocol, name, low_pass(raw, cutoff), SIDE)
                scores = {cutoff: found.controls.smooth[name][cutoff]}
                assert_equal(scores, {cutoff: own}, smooth.reshape(COUNT, -1))
            share, count = found.controls.spectra[name]
            each = spectrum(raw)
            assert count == (~np.isnan(each[:, 0])).sum()
            np.testing.assert_allclose(share, np.nanmean(each, axis=0), rtol=0, atol=1e-12)


def assert_equal(scores, met, maps):
    """Scores by kind are the correlations of maps (n, p) with others by kind."""
    for kind, others in met.items():
        assert (scores[kind].status == OK).sum() >= 10
        for row in np.flatnonzero(scores[kind].status == OK):
            expected = stats.spearmanr(maps[row], others[row]).statistic
            assert scores[kind].rho[row] == pytest.approx(expected, abs=1e-12)
        for row in np.flatnonzero(scores[kind].status != OK):
            flat = np.ptp(others[row]) == 0 or not np.isfinite(maps[row]).all()
            assert flat or np.ptp(maps[row]) == 0


def test_a_cutoff_above_the_highest_frequency_gives_the_score_itself(study):
    found = main(study, 2, "--cutoffs", "5")
    scores = read_scores(study.scores[2]).scores
    for name, one in scores.items():
        np.testing.assert_array_equal(found.controls.smooth[name][5].rho, one.rho)
        assert found.controls.smooth[name][5].status.tolist() == one.status.tolist()


@pytest.mark.parametrize("batch", [1, 5, 50])
def test_results_do_not_depend_on_the_batch(study, monkeypatch, batch):
    expected = main(study, 0)
    monkeypatch.setattr(controls, "_BATCH", batch)
    found = main(study, 0)
    for name, kinds in expected.controls.scores.items():
        for kind, one in kinds.items():
            np.testing.assert_array_equal(found.controls.scores[name][kind].rho, one.rho)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["a", "threshold_grad_cam", "grad_cam"], ["grad_cam", "threshold_grad_cam"]),
        (["layer_cam", "threshold_grad_cam"], ["threshold_grad_cam"]),
        (["rise", "layer_cam"], ["rise"]),
    ],
)
def test_the_papers_explainers_are_smoothed_or_else_the_first(given, expected):
    assert controls.smoothed_explainers(given) == expected


def test_one_image_has_no_other_and_no_centre(tmp_path):
    path = tmp_path / "heatmaps.h5"
    study = small_study.SmallStudy(tmp_path / "data.h5", [path], [], "released")
    small_study.write_data(study.data, 1)
    with DataFile(study.data) as data:
        small_study.write_heatmaps(path, data, "near", "released")
    score_on(study)
    found = main(study, 0).controls
    for kind in controls.KINDS:
        one = found.scores["grad_cam"][kind]
        assert np.isnan(one.rho).all() and one.status.tolist() == ["no_other_image"]
    assert found.smooth["grad_cam"][1].status.tolist() == ["ok"]


def test_a_map_of_the_centre_and_noise_keeps_nothing_given_the_centre():
    """The partial correlation of such maps with human maps that share only the centre."""
    random = np.random.default_rng(0)
    middle = references.centre(24, 1.0).reshape(-1)
    partial = []
    for _ in range(200):
        human, heatmap = middle + 0.4 * random.normal(size=(2, middle.size))
        rho = [
            np.array([stats.spearmanr(one, other).statistic])
            for one, other in ((heatmap, human), (heatmap, middle), (human, middle))
        ]
        assert rho[0][0] > 0.1
        partial.append(partial_correlation(*rho)[0])
    assert abs(np.mean(partial)) < 4 * np.std(partial) / np.sqrt(200) + 0.01


def test_references_of_another_data_file_are_refused(tmp_path, study):
    other = make(tmp_path, 9)
    with pytest.raises(UserError, match="r.h5 was not scored on .*data.h5: their data digests"):
        main(study, 0, references=other.data.with_name("r.h5"))


@pytest.mark.parametrize(
    "flags", [["--cutoffs", "0"], ["--cutoffs", "1", "nan", "2"], ["--seed", "-1"]]
)
def test_bad_flags_are_told(study, flags):
    with pytest.raises(UserError, match="allowed: numbers above 0, and a seed of 0 or more"):
        main(study, 0, *flags)


def test_heatmaps_under_another_protocol_are_refused(tmp_path):
    study = make(tmp_path)
    with pytest.raises(UserError, match="was extracted with geometry 'crop'"):
        main(study, 0, "--protocol", "paper")
    assert RELEASED.geometry == "crop"
