"""The score file and the file of scores under several protocols: written whole, read checked."""

import csv
import json
import subprocess
import sys

import export_scores
import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from human_alignment.common.cli import UserError
from human_alignment.scores import score_file
from human_alignment.scores.protocol import PAPER, RELEASED
from human_alignment.scores.score_file import (
    DIGEST,
    Scores,
    ScoreSource,
    Source,
    read_scores,
    source_path,
    write_scores,
)
from human_alignment.scores.variant_file import VariantSource, read_variants, write_variants

STATUS = np.array(["ok", "constant_human_map", "nonfinite_heatmap", "ok"])
GROUPS = np.array([4, 5, 4, 8])
IDS, LABELS = ["a", 'b,"c"', "d", "e"], np.array([3, 1, 4, 1], np.int32)
PREDICTED = np.array([3, 7, 4, 0], np.int32)
KINDS = {"ok": 2, "constant_human_map": 1, "nonfinite_heatmap": 1}
SOURCE = Source(
    model="net", dcls=False, parameters=7, weights_digest="w", data_digest="d",
    explainers=["grad_cam", "rise"], images=4, data_images=9, sampled=True,
    human_ceiling=0.65753,
)  # fmt: skip


def scores(scale):
    rho = np.where(STATUS == "ok", np.array([1 / 3, 0, 0, -1e-17]) * scale, np.nan)
    return Scores(rho, STATUS, GROUPS)


def written(path, predicted=PREDICTED):
    """A score file of two explainers and four records."""
    source = ScoreSource(**SOURCE.model_dump(), protocol=RELEASED)
    found = {"grad_cam": scores(1), "rise": scores(-1)}
    write_scores(path, source, IDS, LABELS, found, predicted)
    return path


@pytest.fixture
def path(tmp_path):
    """A score file as CSV."""
    return written(tmp_path / "net" / "seed0.csv")


@pytest.fixture
def parquet(tmp_path):
    """The same as Parquet."""
    return written(tmp_path / "parquet" / "seed0.parquet")


@pytest.fixture
def variants(tmp_path):
    """A file of two explainers, two protocols and four images."""
    source = VariantSource(**SOURCE.model_dump(), protocols={"one": RELEASED, "two": PAPER})
    found = {name: {"one": scores(1), "two": scores(0.5)} for name in SOURCE.explainers}
    write_variants(tmp_path / "seed0.sweep.h5", source, found)
    return tmp_path / "seed0.sweep.h5"


def is_what_was_written(found):
    assert found.image_ids.tolist() == IDS and found.labels.tolist() == LABELS.tolist()
    assert list(found.scores) == ["grad_cam", "rise"]
    for name, scale in (("grad_cam", 1), ("rise", -1)):
        np.testing.assert_array_equal(found.scores[name].rho, scores(scale).rho)
        assert found.scores[name].status.tolist() == STATUS.tolist()
        assert found.scores[name].groups.tolist() == GROUPS.tolist()


def test_what_is_written_is_read(path):
    assert path.read_text() == (
        "image_id,label,explainer,rho,status\n"
        "a,3,grad_cam,0.3333333333333333,ok\n"
        '"b,""c""",1,grad_cam,,constant_human_map\n'
        "d,4,grad_cam,,nonfinite_heatmap\n"
        "e,1,grad_cam,-1e-17,ok\n"
        "a,3,rise,-0.3333333333333333,ok\n"
        '"b,""c""",1,rise,,constant_human_map\n'
        "d,4,rise,,nonfinite_heatmap\n"
        "e,1,rise,1e-17,ok\n"
    )
    found = read_scores(path)
    is_what_was_written(found)
    assert found.predicted.tolist() == PREDICTED.tolist()
    made_from = SOURCE.model_dump() | {"groups": GROUPS.tolist(), "predicted": PREDICTED.tolist()}
    counts = {"n_images": 3, "status": dict.fromkeys(SOURCE.explainers, KINDS)}
    assert found.source == ScoreSource(**made_from, **counts, protocol=RELEASED)


def test_parquet_holds_what_csv_does_and_images_and_predictions(parquet, path):
    found = read_scores(parquet)
    is_what_was_written(found)
    assert found.predicted.tolist() == PREDICTED.tolist()
    counts = {"n_images": 3, "status": dict.fromkeys(SOURCE.explainers, KINDS)}
    assert found.source == ScoreSource(**SOURCE.model_dump(), **counts, protocol=RELEASED)
    table = pd.read_parquet(parquet)
    columns = ["image_id", "label", "explainer", "rho", "status", "image", "predicted"]
    assert list(table) == columns and len(table) == 8
    assert table["image"].tolist() == GROUPS.tolist() * 2
    assert table["predicted"].tolist() == PREDICTED.tolist() * 2
    with open(path, newline="") as stream:
        rows = list(csv.DictReader(stream))
    for name in ("image_id", "explainer", "status"):
        assert table[name].tolist() == [row[name] for row in rows]
    assert table["label"].tolist() == [int(row["label"]) for row in rows]
    rho = [float(row["rho"] or "nan") for row in rows]
    np.testing.assert_array_equal(table["rho"], rho)


def test_predictions_that_are_not_known_are_none(tmp_path):
    for ending in ("csv", "parquet"):
        path = written(tmp_path / f"seed0.{ending}", predicted=None)
        assert read_scores(path).predicted is None
        one = written(tmp_path / f"seed1.{ending}", predicted=[3, -1, 4, 0])
        assert read_scores(one).predicted is None
    assert set(pd.read_parquet(tmp_path / "seed0.parquet")["predicted"]) == {-1}


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_records_keep_their_image_also_where_none_repeats(tmp_path, ending):
    """A sample of the images: networks with other samples are paired by these numbers."""
    source = ScoreSource(**SOURCE.model_dump(), protocol=RELEASED)
    images = np.array([2, 5, 11, 17])
    found = {name: Scores(scores(1).rho, STATUS, images) for name in SOURCE.explainers}
    write_scores(tmp_path / f"seed0.{ending}", source, IDS, LABELS, found)
    read = read_scores(tmp_path / f"seed0.{ending}")
    assert read.scores["rise"].groups.tolist() == images.tolist()


def test_the_csv_of_a_parquet_file_is_that_which_scoring_writes(parquet, path, tmp_path):
    export_scores.main([str(parquet), "--output", str(tmp_path / "out" / "seed0.csv")])
    assert (tmp_path / "out" / "seed0.csv").read_bytes() == path.read_bytes()
    assert [one.name for one in (tmp_path / "out").iterdir()] == ["seed0.csv"]
    parquet.write_bytes(parquet.read_bytes()[:-1])
    with pytest.raises(UserError, match="seed0.parquet: "):
        export_scores.main([str(parquet), "--output", str(tmp_path / "none.csv")])
    assert not (tmp_path / "none.csv").exists()


def test_a_file_written_again_in_the_other_format_holds_the_same(path, parquet, tmp_path):
    for made, again in ((path, parquet), (parquet, path)):
        found, other = read_scores(made), tmp_path / "again" / again.name
        write_scores(
            other, found.source, found.image_ids, found.labels, found.scores, found.predicted
        )
        for ending in (".source.json", again.suffix):
            assert other.with_suffix(ending).read_bytes() == again.with_suffix(ending).read_bytes()


@pytest.mark.parametrize("name", ["seed0.txt", "seed0", "seed0.CSV"])
def test_another_ending_is_refused(tmp_path, name):
    message = f"{name}: a score file ends in .parquet or .csv"
    with pytest.raises(UserError, match=message):
        written(tmp_path / name)
    with pytest.raises(UserError, match=message):
        read_scores(tmp_path / name)
    assert not list(tmp_path.iterdir())


def changed(table, name, value, row=2):
    """A table of which one cell is changed."""
    values = table[name].to_pylist()
    values[row] = value
    place = table.schema.get_field_index(name)
    return table.set_column(place, table.schema.field(place), pa.array(values, table[name].type))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop_columns(["predicted"]), "its columns are image_id .*, not"),
        (lambda table: table.append_column("more", table["image"]), "its columns are .* more"),
        (lambda table: table.select(table.column_names[::-1]), "its columns are predicted"),
        (lambda table: table.set_column(3, "rho", table["rho"].cast(pa.float32())),
         r"its columns are .*rho \(float\).* not .*rho \(double\)"),
        (lambda table: table.set_column(0, "image_id", table["image_id"].cast(pa.string())),
         r"image_id \(string\)"),
        (lambda table: changed(table, "label", None), "the column label has an empty cell"),
        (lambda table: changed(table, "image", None), "the column image has an empty cell"),
        (lambda table: changed(table, "predicted", None), "predicted has an empty cell"),
        (lambda table: changed(table, "image_id", None), "image_id has an empty cell"),
        (lambda table: changed(table, "status", None), "the column status has an empty cell"),
        (lambda table: changed(table, "status", "fine"), "has the unknown status 'fine'"),
        (lambda table: changed(table, "rho", 1.5, 3), "rho '1.5' and status ok, where rho must be"),
        (lambda table: changed(table, "rho", float("nan"), 3), "rho 'nan' and status ok"),
        (lambda table: changed(table, "rho", None, 3), "rho 'nan' and status ok"),
        (lambda table: changed(table, "rho", 0.0), "rho '0.0' .* rho must be an empty cell"),
        (lambda table: changed(table, "explainer", "eigen_cam"), "it has the explainers eigen_cam"),
        (lambda table: changed(table, "image_id", "a"), "two grad_cam scores of image a"),
        (lambda table: changed(table, "image_id", "x", 6), "not every explainer has a score of"),
        (lambda table: table.slice(0, 7), "not every explainer has a score of image e"),
        (lambda table: table.slice(0, 0), "it has the explainers none"),
    ],
)  # fmt: skip
def test_parquet_with_values_that_cannot_be_is_refused(parquet, change, message):
    """Also where the digest is that of the file."""
    pq.write_table(change(pq.read_table(parquet)), parquet)
    with pytest.raises(UserError, match="it is not the file that seed0.source.json was written"):
        read_scores(parquet)
    sealed(parquet)
    with pytest.raises(UserError, match=message) as caught:
        read_scores(parquet)
    assert str(parquet) in str(caught.value) and "score the heatmaps again" in str(caught.value)


def sealed(path):
    """Write the digest that a score file and its source have now."""
    values = json.loads(source_path(path).read_text())
    del values[DIGEST]
    digest = score_file._digest(ScoreSource.model_validate(values), path)
    source_path(path).write_text(json.dumps(values | {DIGEST: digest}))


def test_a_file_that_is_no_parquet_is_refused(parquet):
    for content in (b"", b"PAR1", b"image_id,label\n"):
        parquet.write_bytes(content)
        sealed(parquet)
        with pytest.raises(UserError, match="seed0.parquet: it is not a Parquet file"):
            read_scores(parquet)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (
            "rho,status",
            "rho",
            "its columns are image_id, label, explainer, rho, not image_id",
        ),
        ("e,1,rise,1e-17,ok\n", "e,1,rise\n", "line 9 has 3 cells, not 5"),
        ("a,3,rise", "a,x,rise", "a label is not a whole number"),
        ("constant_human_map", "constant", "line 3 has the unknown status 'constant'"),
        ("0.3333333333333333", "1.5", "line 2 has rho '1.5' and status ok, where rho must be a"),
        ("0.3333333333333333", "nan", "line 2 has rho 'nan' and status ok"),
        ("0.3333333333333333", "high", "a rho with status ok is not a number"),
        ("grad_cam,,non", "grad_cam,0,non", "line 4 has rho '0' .* rho must be an empty cell"),
        ("e,1,rise,1e-17,ok\n", "", "not every explainer has a score of image e"),
        ("e,1,rise", "d,1,rise", "it has two rise scores of image d"),
        ("e,1,rise", "e,1,eigen_cam", "explainers eigen_cam, grad_cam, rise, not grad_cam, rise"),
        ("a,3,rise,-0.3333333333333333,ok\n", "", "not every explainer has a score of image a"),
    ],
)
def test_a_changed_file_is_refused(path, before, after, message):
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))
    with pytest.raises(UserError, match=message) as caught:
        read_scores(path)
    assert str(path) in str(caught.value) and "score the heatmaps again" in str(caught.value)


def test_images_in_another_order_and_of_another_number_are_refused(path):
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:-2], lines[-1], lines[-2]]))
    with pytest.raises(UserError, match="the images of rise are in another order"):
        read_scores(path)
    path.write_text("".join([*lines[:4], *lines[5:8]]))
    with pytest.raises(UserError, match="it has 3 images, not 4 as seed0.source.json says"):
        read_scores(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda source: source.pop("sampled"), "the key 'sampled' is missing"),
        (lambda source: source.update(colour="red"), "unknown key 'colour'"),
        (lambda source: source["protocol"].update(threshold=7), "protocol.threshold is 7"),
        (lambda source: source.pop("human_ceiling"), "the key 'human_ceiling' is missing"),
        (lambda source: source.update(human_ceiling=1.5),
         "human_ceiling is 1.5; allowed: null, or a number above 0 and at most 1"),
        (lambda source: source.update(groups=[4, 5]), "says of 2 records, not of 4, their groups"),
        (lambda source: source.update(predicted=[4]), "says of 1 records, not of 4, their predict"),
        (lambda source: source.update(predicted=[3, 7, 4, 1]), "it is not the file that"),
        (lambda source: source.update(n_images=4), "it is not the file that"),
        (lambda source: source["status"]["rise"].update(ok=3), "it is not the file that"),
        (lambda source: source.update(status={"rise": 3}), "status is {'rise': 3}; allowed: "),
        (lambda source: source.update(groups="x"), "groups is 'x'; allowed: null, or a list of wh"),
        (lambda source: source.update(groups=[4, 4, 4, 8]), "it is not the file that"),
    ],
)  # fmt: skip
def test_a_changed_source_is_refused(path, change, message):
    source = json.loads(source_path(path).read_text())
    change(source)
    source_path(path).write_text(json.dumps(source))
    with pytest.raises(UserError, match=message):
        read_scores(path)


def test_without_its_source_or_itself_a_score_file_is_refused(path):
    source_path(path).unlink()
    with pytest.raises(
        UserError, match="what it was made from cannot be read from seed0.source.json"
    ):
        read_scores(path)
    path.unlink()
    with pytest.raises(UserError, match="seed0.csv does not exist"):
        read_scores(path)


def test_a_score_file_in_the_other_format_does_not_fit_the_source(parquet):
    """Both have the source `seed0.source.json`, which is that of the last one written."""
    is_what_was_written(read_scores(written(parquet.with_suffix(".csv"))))
    with pytest.raises(UserError, match="seed0.parquet: it is not the file that"):
        read_scores(parquet)


def test_an_interrupted_writing_leaves_no_source(path, monkeypatch):
    """The old source must not stand beside a new score file."""
    monkeypatch.setattr("human_alignment.scores.score_file.write_json", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_scores(path, read_scores(path).source, IDS, LABELS, {"grad_cam": scores(1)})
    assert not source_path(path).exists()


def test_scores_under_several_protocols_are_read_as_written(variants):
    found = read_variants(variants)
    assert found.source.protocols == {"one": RELEASED, "two": PAPER}
    assert found.source.images == 4 and list(found.scores) == SOURCE.explainers
    np.testing.assert_array_equal(found.scores["rise"]["two"].rho, scores(0.5).rho)
    assert found.scores["grad_cam"]["one"].status.tolist() == STATUS.tolist()


def cut(path):
    path.write_bytes(path.read_bytes()[:-500])


def emptied(path):
    with h5py.File(path, "a") as file:
        del file["status"]


def undefined(path):
    with h5py.File(path, "a") as file:
        file["rho"][0, 0, 0] = np.nan


def unknown(path):
    with h5py.File(path, "a") as file:
        file["status"][0, 0, 0] = 9


def shorter(path):
    with h5py.File(path, "a") as file:
        values = file["rho"][:, :, 1:]
        del file["rho"]
        file["rho"] = values


@pytest.mark.parametrize("change", [cut, emptied, undefined, unknown, shorter])
def test_a_changed_file_of_several_protocols_is_refused(variants, change):
    change(variants)
    with pytest.raises(UserError, match="seed0.sweep.h5 is not a complete file of scores"):
        read_variants(variants)


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("export_scores", {"torch", "pandas", "scipy.stats", "PIL"}),
        ("collect_scores", {"torch", "scipy.stats", "PIL"}),
        ("collect_sweeps", {"torch", "scipy.stats", "PIL"}),
        ("collect_sensitivity", {"torch", "scipy.stats", "PIL"}),
    ],
)
def test_scripts_start_without_what_they_do_not_need(root, name, missing):
    code = f"import sys, {name}; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=root / "workflow_scripts", capture_output=True, text=True, check=True
    )
    assert not missing & set(done.stdout.split())
