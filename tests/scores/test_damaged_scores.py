"""Damaged files of the score stage are told, or give what was written."""

import json
import math
import shutil

import collect_measures
import collect_scores
import collect_sensitivity
import collect_sweeps
import compare_models
import damage
import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import small_study
from damage import JUNK, hdf5_damage, repeatable
from human_alignment.common.cli import UserError
from human_alignment.common.hdf5 import seal
from human_alignment.data.data_file import DataFile
from human_alignment.heatmaps.heatmap_file import HeatmapFile
from human_alignment.scores import score_file
from human_alignment.scores.collected import collect
from human_alignment.scores.comparisons import StudyRho, compare
from human_alignment.scores.measure_means import measures_table
from human_alignment.scores.protocol import RELEASED
from human_alignment.scores.protocol_variants import sweep_protocols
from human_alignment.scores.run_tables import gather, read_table
from human_alignment.scores.score_file import ScoreSource, read_scores, write_scores
from human_alignment.scores.scoring import score_under, source_fields
from human_alignment.scores.sweeps import COLUMNS
from human_alignment.scores.variant_file import VariantSource, read_variants, write_variants
from hypothesis import given, settings
from hypothesis import strategies as st

SWEEP = "threshold,n,mean_rho,score,low,high,human_ceiling\n0.3,9,0.5,0.5,0.4,0.6,\n0.6,9,,,,,\n"
KEPT = {".csv": "scores", ".parquet": "parquet"}  # folders of the same scores by format
CELLS = [None, -1, 0, 3, 2**62, 0.5, -2.5, 7e300, float("nan"), float("inf"), "", "ok", "image-003",
         "grad_cam", "constant_human_map", "x" * 5000]  # fmt: skip
TOP1 = {"top1": 80.5, "top5": 95.0, "n": 70, "parameters": 7}


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A small study with a file of scores under several protocols."""
    folder = tmp_path_factory.mktemp("sound")
    study = small_study.make(folder, 14, ending=".csv")
    for path in study.scores:  # the same as Parquet
        found = read_scores(path)
        records = found.image_ids, found.labels, found.scores, found.predicted
        again = folder / "parquet" / path.parent.name / "seed0.parquet"
        write_scores(again, found.source, *records)
    with DataFile(study.data) as data, HeatmapFile(study.heatmaps[0]) as heatmaps:
        protocols = sweep_protocols(RELEASED, [0.3, 0.6])
        names = sorted(heatmaps.explainers)
        source = VariantSource(**source_fields(data, heatmaps, names), protocols=protocols)
        found = score_under(data, heatmaps, names, protocols)
    write_variants(folder / "scores" / "near" / "seed0.sweep.h5", source, found)
    run = folder / "scores" / "near" / "seed0"
    run.with_suffix(".sweep.csv").write_text(SWEEP)
    run.with_suffix(".top1.json").write_text(json.dumps(TOP1))
    return folder


@pytest.fixture
def run(sound, tmp_path):
    """The files of one run, to be damaged: `<folder>/near/seed0` without an ending."""
    shutil.copytree(sound / "scores", tmp_path / "scores")
    return tmp_path / "scores" / "near" / "seed0"


def compared(paths):
    """The comparisons of one network's score files."""
    networks = pd.DataFrame({"model": ["near", "far"], "dcls": 0, "network": ["near", "far"]})
    return compare(StudyRho(paths), networks, resamples=50)


def edited(path, *keys, **values):
    """Change a JSON file: values of the object that lies under `keys`."""
    found = json.loads(path.read_text())
    inner = found
    for key in keys:
        inner = inner[key]
    inner.update(values)
    path.write_text(json.dumps(found))


@pytest.mark.parametrize(
    ("values", "message"),
    [({"top1": 250}, "top1 is 250; allowed: a number from 0 to 100"),
     ({"top1": None}, "top1 is None"),
     ({"n": 0}, "n is 0"), ({"top5": math.nan}, "top5 is nan")],
)  # fmt: skip
def test_an_impossible_accuracy_is_named(run, values, message):
    edited(run.with_suffix(".top1.json"), **values)
    with pytest.raises(UserError, match=f"seed0.top1.json: {message}"):
        collect([run.with_suffix(".csv")], [run.with_suffix(".top1.json")])
    run.with_suffix(".top1.json").write_text('{"top1"')
    with pytest.raises(UserError, match="seed0.top1.json is not complete JSON"):
        collect([run.with_suffix(".csv")], [run.with_suffix(".top1.json")])


def test_scores_of_other_images_are_neither_compared_nor_collected(run):
    other = run.parent.parent / "far" / "seed0.parquet"
    ids, rho = ["a", "b"], {"grad_cam": [0.5, 0.25]}
    small_study.write_score_file(other, ids, rho, data_digest="e" * 64)
    paths = [run.with_suffix(".csv"), other]
    message = "near/seed0.csv and .*far/seed0.parquet are of different data files: .* and eeeeeeee"
    with pytest.raises(UserError, match=message):
        compared(paths)
    with pytest.raises(UserError, match=message):
        collect(paths, [])


@pytest.mark.parametrize("how", ["a digit", "cut", "halved", "doubled"])
def test_a_score_file_that_was_changed_is_not_compared(run, how):
    path = run.with_suffix(".csv")
    lines = path.read_text().splitlines(keepends=True)
    header, rows = lines[0], lines[1:]
    texts = {
        "a digit": "".join(lines).replace("3", "4", 1),
        "cut": "".join(lines)[:-9],
        "halved": "".join([header, *rows[: len(rows) // 2]]),
        "doubled": "".join([header, *rows, *rows]),
    }
    path.write_text(texts[how])
    with pytest.raises(UserError, match="near/seed0.csv: "):
        compared([path])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SWEEP.replace("0.6,9,", "0.6,inf,"), "line 3: n is 'inf'; allowed: a finite number"),
        (SWEEP.replace("0.5,0.5", "0.5,high"), "line 2: score is 'high'"),
        (SWEEP.replace("mean_rho", "rho"), "lacks the column mean_rho; it has threshold, n, rho"),
        (SWEEP[:-5], "line 3 has not the 7 cells of the header"),
        ("", "cannot be read as a table"),
        ('"' + SWEEP, "cannot be read as a table|lacks the column"),
    ],
)
def test_a_damaged_table_of_a_run_is_named(run, text, message):
    path = run.with_suffix(".sweep.csv")
    path.write_text(text)
    with pytest.raises(UserError, match=f"near/seed0.sweep.csv.*({message})"):
        gather([path], numbers=COLUMNS)


@pytest.mark.parametrize("script", [collect_sweeps, collect_sensitivity, collect_measures])
def test_the_scripts_refuse_a_file_of_another_kind(tmp_path, script):
    table = tmp_path / "near" / "seed0.x.parquet"
    table.parent.mkdir()
    pd.DataFrame({"one": [1], "two": [2]}).to_parquet(table)
    outputs = ["--output", str(tmp_path / "o"), "--markdown", str(tmp_path / "m")]
    flags = {
        collect_sweeps: [str(table), "--threshold", "0.3", "--curves", str(tmp_path / "c")],
        collect_sensitivity: [str(table), "--paper-protocol", str(tmp_path / "p")],
        collect_measures: [str(table)],
    }
    message = "lacks the column" if script is collect_measures else "is not a complete file of"
    with pytest.raises(UserError, match=f"near/seed0.x.parquet {message}"):
        script.main([*flags[script], *outputs])


MEASURED = {
    "image_id": ["a", "b"], "explainer": ["grad_cam"] * 2, "status": ["ok"] * 2, "image": [0, 1],
    "pearson": [0.5, 0.25], "iou": [0.5, np.nan],
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pearson": ["a", "b"]}, "pearson is not a column of finite numbers"),
        ({"iou": [np.inf, 0.1]}, "iou is not a column of finite numbers"),
        ({"image": None}, "lacks the column image"),
        ({"explainer": None, "status": None}, "lacks the column explainer, status"),
        ({"pearson": None, "iou": None}, "lacks the column of a measure"),
    ],
)
def test_a_damaged_table_of_measures_is_named(tmp_path, change, message):
    path = tmp_path / "near" / "seed0.measures.parquet"
    path.parent.mkdir()
    kept = {name: values for name, values in (MEASURED | change).items() if values is not None}
    pd.DataFrame(kept).to_parquet(path)
    with pytest.raises(UserError, match=f"near/seed0.measures.parquet:? {message}"):
        measures_table([path])
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(UserError, match="near/seed0.measures.parquet cannot be read as Parquet"):
        measures_table([path])


def test_runs_with_other_measures_are_named(tmp_path):
    paths = [tmp_path / name / "seed0.measures.parquet" for name in ("near", "far")]
    for path, without in zip(paths, ([], ["iou"]), strict=True):
        path.parent.mkdir()
        pd.DataFrame(MEASURED).drop(columns=without).to_parquet(path)
    message = "far/seed0.* has the measures pearson, .*near/seed0.* has pearson, iou; evaluate both"
    with pytest.raises(UserError, match=message):
        measures_table(paths)


def scores_read(path):
    found = read_scores(path)
    values = [found.source.model_dump(), found.image_ids.tolist(), found.labels]
    return [*values, {name: [one.rho, one.status.tolist()] for name, one in found.scores.items()}]


def variants_read(path):
    found = read_variants(path)
    return [
        found.source.model_dump(),
        *([one.rho, one.status.tolist()] for by in found.scores.values() for one in by.values()),
    ]


def summarised(folder, ending):
    """The summary that the script makes of a score file, as text."""
    output = folder / "again.csv"
    files = ["--scores", str(folder / f"seed0{ending}"), "--top1"]
    collect_scores.main([*files, "--output", str(output), "--statistics", '{"resamples": 50}'])
    return output.read_text()


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
@settings(repeatable, max_examples=200)
@given(data=st.data())
def test_bytes_of_score_files_damaged_at_random(sound, tmp_path, ending, data):
    before, folder = sound / KEPT[ending] / "odd", tmp_path / "odd"
    shutil.copytree(before, folder, dirs_exist_ok=True)
    name = data.draw(st.sampled_from([f"seed0{ending}", "seed0.source.json"]))
    (folder / name).write_bytes(data.draw(damage.bytes_damaged((before / name).read_bytes())))
    kind, expected = f"score file, {name}", scores_read(before / f"seed0{ending}")
    damage.told_or_same(kind, lambda: scores_read(folder / f"seed0{ending}"), expected)


@settings(repeatable, max_examples=100)
@given(data=st.data())
def test_cells_of_parquet_damaged_and_sealed_again(sound, tmp_path, data):
    """The digest fits: what cannot be is told, and what can be is read as it stands."""
    before, folder = sound / "parquet" / "odd", tmp_path / "odd"
    shutil.copytree(before, folder, dirs_exist_ok=True)
    path = folder / "seed0.parquet"
    table = pd.read_parquet(path)
    name, row = data.draw(st.sampled_from([*table])), data.draw(st.integers(0, len(table) - 1))
    table[name] = table[name].astype(object)
    table.at[row, name] = data.draw(st.sampled_from(CELLS))
    schema = pq.read_schema(path)
    try:
        changed = pa.Table.from_pandas(table, schema, preserve_index=False)
    except (pa.ArrowException, OverflowError):  # no such cell can be in a file of these columns
        return
    pq.write_table(changed, path)
    values = json.loads((folder / "seed0.source.json").read_text())
    del values[score_file.DIGEST]
    digest = score_file._digest(ScoreSource.model_validate(values), path)
    (folder / "seed0.source.json").write_text(json.dumps(values | {score_file.DIGEST: digest}))

    def possible(found):
        assert all(len(one.rho) == 14 for one in found.scores.values())
        return all(
            np.where(one.status == "ok", np.abs(one.rho) <= 1, np.isnan(one.rho)).all()
            for one in found.scores.values()
        )

    readable("cell of Parquet", lambda: read_scores(path), possible)


@settings(repeatable, max_examples=30)
@given(data=st.data())
def test_summarising_damaged_score_files(sound, tmp_path, data):
    ending = data.draw(st.sampled_from([".csv", ".parquet"]))
    before, folder = sound / KEPT[ending] / "odd", tmp_path / ending / "odd"
    shutil.copytree(before, folder, dirs_exist_ok=True)
    content, expected = (before / f"seed0{ending}").read_bytes(), summarised(folder, ending)
    (folder / f"seed0{ending}").write_bytes(data.draw(damage.bytes_damaged(content)))
    damage.told_or_same("score file, summarised", lambda: summarised(folder, ending), expected)


@settings(repeatable, max_examples=200)
@given(data=st.data())
def test_bytes_of_variant_files_damaged_at_random(sound, tmp_path, data):
    before, path = sound / "scores" / "near" / "seed0.sweep.h5", tmp_path / "seed0.sweep.h5"
    path.write_bytes(data.draw(damage.bytes_damaged(before.read_bytes())))
    kind, expected = "scores under protocols, bytes", variants_read(before)
    damage.told_or_same(kind, lambda: variants_read(path), expected)


@settings(repeatable, max_examples=100)
@given(data=st.data())
def test_variant_files_damaged_at_random(sound, tmp_path, data):
    before, path = sound / "scores" / "near" / "seed0.sweep.h5", tmp_path / "seed0.sweep.h5"
    shutil.copy(before, path)
    _, act = data.draw(hdf5_damage(["rho", "status"], ["source"]))
    with h5py.File(path, "a") as file:
        act(file)
    kind, expected = "scores under protocols, changed", variants_read(before)
    if data.draw(st.integers(0, 3)):
        seal(path)
        kind, expected = "scores under protocols, changed and sealed again", damage.ANY
    damage.told_or_same(kind, lambda: variants_read(path), expected)


def junk_in(data, value):
    """A JSON value with one place in it replaced by junk, or taken out."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = data.draw(st.sampled_from(keys))
    inner = value[key]
    if isinstance(inner, dict | list) and inner and data.draw(st.booleans()):
        changed = junk_in(data, inner)
    elif data.draw(st.integers(0, 4)) == 0:
        return {k: v for k, v in value.items() if k != key} if isinstance(value, dict) else []
    else:
        changed = data.draw(st.sampled_from(JUNK))
    return value | {key: changed} if isinstance(value, dict) else [changed]


def readable(kind, read, possible):
    """Read a damaged text file without a digest: a clear error, or values that can be."""
    with damage.one_gigabyte():
        try:
            found = read()
        except UserError as error:
            assert len(str(error)) < 3000 and str(error).count("\n") < 15
            damage.COUNTS[kind, "clear error"] += 1
            return
    assert possible(found), found
    damage.COUNTS[kind, "values that can be"] += 1


def _finite(*values):
    return all(value is None or math.isfinite(value) for value in values)


@settings(repeatable, max_examples=150)
@given(data=st.data())
def test_accuracies_damaged_at_random(sound, tmp_path, data):
    folder = sound / "scores" / "near"
    path = tmp_path / "near" / "seed0.top1.json"
    path.parent.mkdir(exist_ok=True)
    before = (folder / path.name).read_bytes()
    if data.draw(st.booleans()):
        path.write_bytes(data.draw(damage.bytes_damaged(before)))
    else:
        path.write_text(json.dumps(junk_in(data, json.loads(before))))
    row = lambda: collect([folder / "seed0.csv"], [path], resamples=50).iloc[0]  # noqa: E731
    readable("top-1", row, lambda row: 0 <= row.top1 <= 100)


@settings(repeatable, max_examples=150)
@given(data=st.data())
def test_tables_of_runs_damaged_at_random(tmp_path, data):
    path = tmp_path / "seed0.sweep.csv"
    path.write_bytes(data.draw(damage.bytes_damaged(SWEEP.encode())))

    def possible(table):
        return (
            table[list(COLUMNS)]
            .map(lambda value: value != value or math.isfinite(value))
            .all(axis=None)
        )

    readable("table of a run", lambda: read_table(path, numbers=COLUMNS), possible)


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_collecting_and_comparing_sound_files_goes_through(sound, tmp_path, ending):
    paths = [str(sound / KEPT[ending] / name / f"seed0{ending}") for name in small_study.MODELS]
    summary = tmp_path / "summary.csv"
    collect_scores.main(["--scores", *paths, "--output", str(summary)])
    compare_models.main(
        ["--scores", *paths, "--summary", str(summary)]
        + ["--output", str(tmp_path / "compared.csv")]
        + ["--correlations", str(tmp_path / "correlations.csv")]
    )
    assert (tmp_path / "compared.csv").read_text().count("\n") > 1
