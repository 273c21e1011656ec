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
import pytest
import small_study
import summarise_scores
from damage import JUNK, hdf5_damage, repeatable
from human_alignment.common.cli import UserError
from human_alignment.common.hdf5 import seal
from human_alignment.data.data_file import DataFile
from human_alignment.heatmaps.heatmap_file import HeatmapFile
from human_alignment.scores.comparisons import read_rho
from human_alignment.scores.protocol import RELEASED
from human_alignment.scores.protocol_variants import sweep_protocols
from human_alignment.scores.run_tables import Choice, best_thresholds, gather, read_table
from human_alignment.scores.score_file import read_scores
from human_alignment.scores.scoring import score_under, source_fields
from human_alignment.scores.summary import collect
from human_alignment.scores.summary_file import read_summary_file
from human_alignment.scores.sweeps import COLUMNS
from human_alignment.scores.variant_file import VariantSource, read_variants, write_variants
from hypothesis import given, settings
from hypothesis import strategies as st

SWEEP = "threshold,n,mean_rho,score,low,high,human_ceiling\n0.3,9,0.5,0.5,0.4,0.6,\n0.6,9,,,,,\n"
CHOICE = {"best": 0.6, "chosen": [0.6, 0.5], "n": 9, "score": 0.5, "low": 0.4, "high": 0.6}
TOP1 = {"top1": 80.5, "top5": 95.0, "n": 70, "parameters": 7}


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A small study with a file of scores under several protocols."""
    folder = tmp_path_factory.mktemp("sound")
    study = small_study.make(folder, 14)
    with DataFile(study.data) as data, HeatmapFile(study.heatmaps[0]) as heatmaps:
        protocols = sweep_protocols(RELEASED, [0.3, 0.6])
        names = sorted(heatmaps.explainers)
        source = VariantSource(**source_fields(data, heatmaps, names), protocols=protocols)
        found = score_under(data, heatmaps, names, protocols)
    write_variants(folder / "scores" / "near" / "seed0.sweep.h5", source, found)
    run = folder / "scores" / "near" / "seed0"
    run.with_suffix(".sweep.csv").write_text(SWEEP)
    run.with_suffix(".sweep.json").write_text(json.dumps(CHOICE))
    run.with_suffix(".top1.json").write_text(json.dumps(TOP1))
    return folder


@pytest.fixture
def run(sound, tmp_path):
    """The files of one run, to be damaged: `<folder>/near/seed0` without an ending."""
    shutil.copytree(sound / "scores", tmp_path / "scores")
    return tmp_path / "scores" / "near" / "seed0"


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
    [
        ({"n": -3}, "n is -3; allowed: a whole number, 0 or more"),
        ({"n": 99}, "99 images are scored of 14, with 14 records"),
        ({"n": 2.5}, "n is 2.5"),
        ({"score": math.inf}, "score is inf; allowed: null, or a finite number"),
        ({"low": math.nan}, "low is nan"),
        ({"mean_rho": 5}, "mean_rho is 5; allowed: null, or a number from -1 to 1"),
        ({"mean_rho": None}, "mean_rho is None for 13 images"),
        ({"score": 0.123}, "score is 0.123, but by mean_rho and human_ceiling it is"),
        ({"low": 0.9, "high": 0.1}, r"the interval is \(0.9, 0.1\)"),
        ({"low": None}, r"the interval is \(None,"),
        (
            {"status": {"ok": 14, "bad": 0}},
            "status is {'ok': 14, 'bad': 0}; allowed: numbers by ok",
        ),
        ({"status": {"ok": "x"}}, "status is {'ok': 'x'}"),
        ({"status": {"ok": 1}}, "14 records, of which 1 have a status"),
        ({"dcls": "no"}, "dcls is 'no'; allowed: true or false"),
        ({"human_ceiling": 7.0}, "human_ceiling is 7.0"),
        ({"colour": 1}, "unknown key 'colour'"),
        ({"protocol": None}, "protocol is None"),
    ],
)
def test_a_summary_with_an_impossible_value_is_named(run, values, message):
    path = run.with_suffix(".json")
    edited(path, "grad_cam", **values)
    with pytest.raises(UserError, match=f"seed0.json, grad_cam: .*{message}"):
        collect([path], [])


@pytest.mark.parametrize("text", ["", '{"grad_cam": {"n"', "[]", "{}", "3", "null", "[" * 99_999])
def test_a_summary_that_is_cut_or_none_is_named(run, text):
    path = run.with_suffix(".json")
    path.write_text(text)
    with pytest.raises(UserError, match="seed0.json"):
        collect([path], [])


@pytest.mark.parametrize(
    ("values", "message"),
    [({"top1": 250}, "top1 is 250; allowed: a number from 0 to 100"),
     ({"top1": None}, "top1 is None"),
     ({"n": 0}, "n is 0"), ({"top5": math.nan}, "top5 is nan")],
)  # fmt: skip
def test_an_impossible_accuracy_is_named(run, values, message):
    edited(run.with_suffix(".top1.json"), **values)
    with pytest.raises(UserError, match=f"seed0.top1.json: {message}"):
        collect([run.with_suffix(".json")], [run.with_suffix(".top1.json")])
    run.with_suffix(".top1.json").write_text('{"top1"')
    with pytest.raises(UserError, match="seed0.top1.json is not complete JSON"):
        collect([run.with_suffix(".json")], [run.with_suffix(".top1.json")])


def test_scores_and_summaries_of_other_images_are_not_compared(run):
    other = run.parent.parent / "far" / "seed0"
    ids, rho = ["a", "b"], {"grad_cam": [0.5, 0.25]}
    small_study.write_score_file(other.with_suffix(".csv"), ids, rho, data_digest="e" * 64)
    edited(other.with_suffix(".json"), "grad_cam", data_digest="e" * 64)
    message = "near/seed0.{0} and .*far/seed0.{0} are of different data files: .* and eeeeeeeeeeee;"
    with pytest.raises(UserError, match=message.format("csv")):
        read_rho([run.with_suffix(".csv"), other.with_suffix(".csv")])
    with pytest.raises(UserError, match="are of different data files"):
        collect([run.with_suffix(".json"), other.with_suffix(".json")], [])


def test_a_summary_whose_explainers_are_of_different_data_is_refused(run):
    edited(run.with_suffix(".json"), "threshold_grad_cam", data_digest="e" * 64)
    with pytest.raises(UserError, match="seed0.json"):
        collect([run.with_suffix(".json")], [])


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
        read_rho([path])


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


@pytest.mark.parametrize("values", [{"best": 7}, {"score": math.inf}, {"n": -3}, {"chosen": []},
                                    {"chosen": ["a"]}, {"low": None}, {"more": 1}])  # fmt: skip
def test_a_damaged_choice_is_named(run, values):
    path, table = run.with_suffix(".sweep.json"), run.with_suffix(".sweep.csv")
    edited(path, **values)
    with pytest.raises(UserError, match=f"near/seed0.sweep.json: .*{next(iter(values))}"):
        best_thresholds(gather([table], numbers=COLUMNS), [path], 0.3)
    path.write_text('{"best": 0.')
    with pytest.raises(UserError, match="near/seed0.sweep.json is not complete JSON"):
        best_thresholds(gather([table], numbers=COLUMNS), [path], 0.3)


@pytest.mark.parametrize("script", [collect_sweeps, collect_sensitivity, collect_measures])
def test_the_scripts_refuse_a_table_without_its_columns(tmp_path, script):
    table = tmp_path / "near" / "seed0.x.csv"
    table.parent.mkdir()
    table.write_text("one,two\n1,2\n")
    outputs = ["--output", str(tmp_path / "o"), "--markdown", str(tmp_path / "m")]
    flags = {
        collect_sweeps: ["--sweeps", str(table), "--choices", str(table), "--threshold", "0.3"]
        + ["--curves", str(tmp_path / "c")],
        collect_sensitivity: [str(table), "--paper-protocol", str(tmp_path / "p")],
        collect_measures: [str(table)],
    }
    with pytest.raises(UserError, match="near/seed0.x.csv lacks the column"):
        script.main([*flags[script], *outputs])


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


def summarised(folder):
    """The summary that the script makes of a score file, as text."""
    output = folder / "again.json"
    summarise_scores.main([str(folder / "seed0.csv"), "--output", str(output)])
    return output.read_text()


@settings(repeatable, max_examples=200)
@given(data=st.data())
def test_bytes_of_score_files_damaged_at_random(sound, tmp_path, data):
    before, folder = sound / "scores" / "odd", tmp_path / "odd"
    shutil.copytree(before, folder, dirs_exist_ok=True)
    name = data.draw(st.sampled_from(["seed0.csv", "seed0.source.json"]))
    (folder / name).write_bytes(data.draw(damage.bytes_damaged((before / name).read_bytes())))
    kind, expected = f"score file, {name}", scores_read(before / "seed0.csv")
    damage.told_or_same(kind, lambda: scores_read(folder / "seed0.csv"), expected)


@settings(repeatable, max_examples=30)
@given(data=st.data())
def test_summarising_damaged_score_files(sound, tmp_path, data):
    before, folder = sound / "scores" / "odd", tmp_path / "odd"
    shutil.copytree(before, folder, dirs_exist_ok=True)
    content = (before / "seed0.csv").read_bytes()
    (folder / "seed0.csv").write_bytes(data.draw(damage.bytes_damaged(content)))
    damage.told_or_same("score file, summarised", lambda: summarised(folder), summarised(before))


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


def possible_summary(found):
    return all(
        0 <= one.n <= one.n_images <= one.records == sum(one.status.values())
        and _finite(one.mean_rho, one.score, one.low, one.high, one.human_ceiling)
        and (one.mean_rho is None or -1 <= one.mean_rho <= 1)
        for one in found.values()
    )


@settings(repeatable, max_examples=300)
@given(data=st.data())
def test_summaries_damaged_at_random(sound, tmp_path, data):
    before, path = sound / "scores" / "odd" / "seed0.json", tmp_path / "seed0.json"
    if data.draw(st.booleans()):
        path.write_bytes(data.draw(damage.bytes_damaged(before.read_bytes())))
    else:
        path.write_text(json.dumps(junk_in(data, json.loads(before.read_text()))))
    readable("summary", lambda: read_summary_file(path), possible_summary)


@settings(repeatable, max_examples=150)
@given(data=st.data())
def test_accuracies_and_choices_damaged_at_random(sound, tmp_path, data):
    folder = sound / "scores" / "near"
    name = data.draw(st.sampled_from(["seed0.top1.json", "seed0.sweep.json"]))
    path = tmp_path / "near" / name
    path.parent.mkdir(exist_ok=True)
    if data.draw(st.booleans()):
        path.write_bytes(data.draw(damage.bytes_damaged((folder / name).read_bytes())))
    else:
        path.write_text(json.dumps(junk_in(data, json.loads((folder / name).read_text()))))
    if name == "seed0.top1.json":
        row = lambda: collect([folder / "seed0.json"], [path]).iloc[0]  # noqa: E731
        readable("top-1", row, lambda row: 0 <= row.top1 <= 100)
    else:
        sweeps = gather([folder / "seed0.sweep.csv"], numbers=COLUMNS)
        rows = lambda: best_thresholds(sweeps, [path], 0.3)  # noqa: E731
        numbers = [key for key in Choice.model_fields if key != "chosen"]
        readable("choice", rows, lambda table: _finite(*table[numbers].dropna(axis=1).iloc[0]))


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


def test_collecting_and_comparing_sound_files_goes_through(sound, tmp_path):
    paths = [sound / "scores" / name / "seed0.json" for name in small_study.MODELS]
    summary = tmp_path / "summary.csv"
    collect_scores.main(["--summaries", *map(str, paths), "--output", str(summary)])
    compare_models.main(
        ["--scores", *(str(path.with_suffix(".csv")) for path in paths)]
        + ["--summary", str(summary), "--output", str(tmp_path / "compared.csv")]
        + ["--correlations", str(tmp_path / "correlations.csv")]
    )
    assert (tmp_path / "compared.csv").read_text().count("\n") > 1
