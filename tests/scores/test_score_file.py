"""The score file and the file of scores under several protocols: written whole, read checked."""

import json
import subprocess
import sys

import h5py
import numpy as np
import pytest
from human_alignment.common.cli import UserError
from human_alignment.scores.protocol import PAPER, RELEASED
from human_alignment.scores.score_file import (
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
SOURCE = Source(
    model="net", dcls=False, parameters=7, weights_digest="w", data_digest="d",
    explainers=["grad_cam", "rise"], images=4, data_images=9, sampled=True,
    human_ceiling=0.65753,
)  # fmt: skip


def scores(scale):
    rho = np.where(STATUS == "ok", np.array([1 / 3, 0, 0, -1e-17]) * scale, np.nan)
    return Scores(rho, STATUS, GROUPS)


@pytest.fixture
def path(tmp_path):
    """A score file of two explainers and four images."""
    source = ScoreSource(**SOURCE.model_dump(), protocol=RELEASED)
    found = {"grad_cam": scores(1), "rise": scores(-1)}
    write_scores(tmp_path / "net" / "seed0.csv", source, IDS, LABELS, found)
    return tmp_path / "net" / "seed0.csv"


@pytest.fixture
def variants(tmp_path):
    """A file of two explainers, two protocols and four images."""
    source = VariantSource(**SOURCE.model_dump(), protocols={"one": RELEASED, "two": PAPER})
    found = {name: {"one": scores(1), "two": scores(0.5)} for name in SOURCE.explainers}
    write_variants(tmp_path / "seed0.sweep.h5", source, found)
    return tmp_path / "seed0.sweep.h5"


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
    assert found.image_ids.tolist() == IDS and found.labels.tolist() == LABELS.tolist()
    source = ScoreSource(**SOURCE.model_dump(), protocol=RELEASED, groups=GROUPS.tolist())
    assert found.source == source
    assert list(found.scores) == ["grad_cam", "rise"]
    np.testing.assert_array_equal(found.scores["rise"].rho, scores(-1).rho)
    assert found.scores["rise"].status.tolist() == STATUS.tolist()
    assert found.scores["rise"].groups.tolist() == GROUPS.tolist()


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
        (lambda source: source.update(groups=[4, 5]), "says of 2 records, not of 4, which image"),
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


@pytest.mark.parametrize("name", ["scores", "sweep", "sensitivity"])
def test_summaries_start_without_what_they_do_not_need(root, name):
    code = f"import sys, summarise_{name}; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=root / "workflow_scripts", capture_output=True, text=True, check=True
    )
    assert not {"torch", "pandas", "scipy.stats", "PIL"} & set(done.stdout.split())
