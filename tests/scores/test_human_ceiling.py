"""A human ceiling belongs to a data set: through the scripts, from the data file to the summary."""

import json

import collect_scores
import pandas as pd
import prepare_digits
import protocol_sensitivity
import pytest
import score_alignment
import small_study
import summarise_scores
import summarise_sensitivity
import summarise_sweep
import sweep_threshold
from human_alignment.data.data_file import DataFile

CEILING = 0.65753
ENDS = ["score", "low", "high"]
STATISTICS = ["--statistics", '{"resamples": 200}']


def scored(folder, data, heatmaps):
    """All tables of one run under `released`, by the kind of file."""
    folder.mkdir()
    run = folder / "near" / "seed0.csv"
    made_from = ["--data", str(data), "--heatmaps", str(heatmaps)]
    names = {end: str(run.with_suffix(end)) for end in (".json", ".sweep.h5", ".sweep.csv")}
    names |= {end: str(run.with_suffix(end)) for end in (".sweep.json", ".s.h5", ".s.csv")}
    score_alignment.main([*made_from, "--output", str(run)])
    summarise_scores.main([str(run), *STATISTICS, "--output", names[".json"]])
    summary = str(folder / "summary.csv")
    collect_scores.main(["--summaries", names[".json"], "--top1", "--output", summary])
    sweep_threshold.main(
        [*made_from, "--thresholds", "[0, 0.3, 0.8]", "--output", names[".sweep.h5"]]
    )
    summarise_sweep.main(
        [names[".sweep.h5"], *STATISTICS, "--output", names[".sweep.csv"]]
        + ["--choice", names[".sweep.json"]]
    )
    protocol_sensitivity.main([*made_from, "--output", names[".s.h5"]])
    summarise_sensitivity.main([names[".s.h5"], *STATISTICS, "--output", names[".s.csv"]])
    return {
        "source": json.loads(run.with_suffix(".source.json").read_text()),
        "json": json.loads(run.with_suffix(".json").read_text()),
        "summary": pd.read_csv(summary),
        "sweep": pd.read_csv(names[".sweep.csv"]),
        "choice": json.loads(run.with_suffix(".sweep.json").read_text()),
        "sensitivity": pd.read_csv(names[".s.csv"]),
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
        for name in ENDS:
            assert found[name] == plain["json"][explainer][name] / CEILING
    for table in ("summary", "sweep"):
        assert (known[table][ENDS] == plain[table][ENDS] / CEILING).all(axis=None)
        assert (known[table]["mean_rho"] == plain[table]["mean_rho"]).all()
        assert (known[table]["human_ceiling"] == CEILING).all()
    assert known["choice"]["chosen"] == plain["choice"]["chosen"]
    for name in ENDS:
        assert known["choice"][name] == plain["choice"][name] / CEILING


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
