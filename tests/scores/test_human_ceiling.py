"""A human ceiling belongs to a data set: through the scripts, from the data file to the summary."""

import json

import collect_scores
import collect_sensitivity
import collect_sweeps
import pandas as pd
import prepare_digits
import protocol_sensitivity
import pytest
import score_alignment
import small_study
import sweep_threshold
from human_alignment.data.data_file import DataFile

CEILING = 0.65753
ENDS = ["score", "low", "high"]
STATISTICS = ["--statistics", '{"resamples": 200}']


def scored(folder, data, heatmaps):
    """All tables of one run under `released`, by the kind of file."""
    folder.mkdir()
    run = folder / "near" / "seed0.parquet"
    made_from = ["--data", str(data), "--heatmaps", str(heatmaps)]
    files = {end: str(run.with_suffix(end)) for end in (".json", ".sweep.h5", ".s.h5")}
    tables = ("summary", "sweep", "choice", "sensitivity", "paper")
    paths = {name: str(folder / f"{name}.csv") for name in tables}
    markdown = ["--markdown", str(folder / "table.md")]
    own = ["--output", str(run), "--summary", files[".json"]]
    score_alignment.main([*made_from, *STATISTICS, *own])
    collect_scores.main(["--scores", str(run), "--top1", *STATISTICS, "--output", paths["summary"]])
    sweep_threshold.main(
        [*made_from, "--thresholds", "[0, 0.3, 0.8]", "--output", files[".sweep.h5"]]
    )
    collect_sweeps.main(
        [files[".sweep.h5"], *STATISTICS, "--threshold", "0.3", *markdown]
        + ["--curves", paths["sweep"], "--output", paths["choice"]]
    )
    protocol_sensitivity.main([*made_from, "--output", files[".s.h5"]])
    collect_sensitivity.main(
        [files[".s.h5"], *STATISTICS, "--output", paths["sensitivity"], *markdown]
        + ["--paper-protocol", paths["paper"]]
    )
    return {
        "source": json.loads(run.with_suffix(".source.json").read_text()),
        "json": json.loads(run.with_suffix(".json").read_text()),
        **{name: pd.read_csv(path) for name, path in paths.items()},
    }


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The same heatmaps scored with the same images, without and with a ceiling."""
    folder = tmp_path_factory.mktemp("ceiling")
    small_study.write_data(folder / "plain.h5", 60)
    small_study.write_data(folder / "known.h5", 60, human_ceiling=CEILING)
    with DataFile(folder / "plain.h5") as data:
        small_study.write_heatmaps(folder / "maps.h5", data, "near", "released")
    return [scored(folder / kind, folder / f"{kind}.h5", folder / "maps.h5")
            for kind in ("plain", "known")]  # fmt: skip


def test_a_data_set_without_ceiling_is_not_divided(both):
    plain = both[0]
    assert plain["source"]["protocol"]["divide_by_ceiling"]
    assert plain["source"]["human_ceiling"] is None
    for found in plain["json"].values():
        assert found["score"] == found["mean_rho"] and found["human_ceiling"] is None
    for table in ("summary", "sweep"):
        assert (plain[table]["score"] == plain[table]["mean_rho"]).all()
        assert plain[table]["human_ceiling"].isna().all()
    assert plain["sensitivity"]["human_ceiling_before"].isna().all()


def test_with_a_ceiling_every_score_is_exactly_that_quotient(both):
    plain, known = both
    own = {"human_ceiling": CEILING, "content_digest": known["source"]["content_digest"]}
    assert known["source"] == {**plain["source"], **own}
    for explainer, found in known["json"].items():
        assert found["human_ceiling"] == CEILING
        assert found["score"] == plain["json"][explainer]["score"] / CEILING
        for name in ENDS:
            assert found[name] == pytest.approx(plain["json"][explainer][name] / CEILING, abs=1e-12)
    for table in ("summary", "sweep"):
        assert (known[table]["score"] == plain[table]["score"] / CEILING).all()
        ends = plain[table][ENDS].to_numpy() / CEILING
        assert known[table][ENDS].to_numpy() == pytest.approx(ends, abs=1e-12)
        assert (known[table]["mean_rho"] == plain[table]["mean_rho"]).all()
        assert (known[table]["human_ceiling"] == CEILING).all()
    assert (known["choice"]["chosen"] == plain["choice"]["chosen"]).all()
    assert (known["choice"]["score"] == plain["choice"]["score"] / CEILING).all()
    ends = plain["choice"][ENDS].to_numpy() / CEILING
    assert known["choice"][ENDS].to_numpy() == pytest.approx(ends, abs=1e-12)


def test_the_sensitivity_shows_the_ceiling_only_where_one_divides(both):
    plain, known = (found["sensitivity"].set_index(["field", "explainer"]) for found in both)
    assert "divide_by_ceiling" not in plain.index
    assert set(known.index) - set(plain.index) == {
        ("divide_by_ceiling", "grad_cam"),
        ("divide_by_ceiling", "threshold_grad_cam"),
    }
    columns = ["score", "difference", "low", "high"]
    shared = known.loc[plain.index]
    assert shared[columns].to_numpy() == pytest.approx(plain[columns].to_numpy() / CEILING)
    for explainer, found in both[0]["json"].items():
        row = known.loc["divide_by_ceiling", explainer]
        assert row["score"] == pytest.approx(found["mean_rho"])
        gap = found["mean_rho"] - found["mean_rho"] / CEILING
        assert row["difference"] == pytest.approx(gap)
    assert (known["human_ceiling_before"] == CEILING).all()


def test_digits_have_no_ceiling_and_are_not_divided(tmp_path):
    data = tmp_path / "digits.h5"
    prepare_digits.main(
        ["--output", str(data), "--train-output", str(tmp_path / "train.h5")]
        + ["--train-images", "2", "--test-images", "12"]
    )
    with DataFile(data) as digits:
        assert digits.human_ceiling is None
        small_study.write_heatmaps(tmp_path / "maps.h5", digits, "near", "released")
    score_alignment.main(
        ["--data", str(data), "--heatmaps", str(tmp_path / "maps.h5"), "--protocol", "released"]
        + ["--output", str(tmp_path / "s.csv"), "--summary", str(tmp_path / "s.json")]
    )
    for found in json.loads((tmp_path / "s.json").read_text()).values():
        assert found["score"] == found["mean_rho"] and found["human_ceiling"] is None
