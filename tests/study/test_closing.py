import json
import math
import os
import time

import pytest
import small_study
from human_alignment.study.closing import closing_lines, duration, listed

RUNS = ["near/seed0", "far/seed0"]
PARTS = ["", ".saliency"]


def source(explainer, n, images=40, **causes):
    """What the closing lines read of a score file's source, as JSON."""
    return json.dumps({"n_images": images, "status": {explainer: {"ok": n, **causes}}})


@pytest.fixture
def folder(tmp_path):
    """A study of which one network of two is scored; the other part is an hour old."""
    scores = tmp_path / "results" / "toy" / "scores"
    (scores / "near").mkdir(parents=True)
    found = source("grad_cam", 37, constant_heatmap=1, constant_human_map=2)
    (scores / "near" / "seed0.source.json").write_text(found)
    sampled = source("saliency", 5, images=5)
    (scores / "near" / "seed0.saliency.source.json").write_text(sampled)
    (scores / "near" / "seed0.sweep.h5").touch()
    (scores / "near" / "seed01.source.json").write_text(source("rise", 3))  # of another run
    (scores.parent / "gallery.html").write_text("x" * 2_000_000)
    (scores.parent / "leaderboard.html").touch()
    record = {"data": {"left out": {"record is cut off": 3}}}
    (scores.parent / "study.json").write_text(json.dumps(record))
    logs = tmp_path / "logs" / "toy"
    (logs / "train_model").mkdir(parents=True)
    for name, seconds in (("near", 61), ("far", 4)):
        (logs / "train_model" / f"{name}.tsv").write_text(f"s\tmax_rss\n{seconds}\t9\n")
    (logs / "make_table1.tsv").write_text("s\n0.4\n")
    (logs / "old.tsv").write_text("s\n5000\n")
    os.utime(logs / "old.tsv", (time.time() - 3600,) * 2)
    os.utime(scores / "near" / "seed0.sweep.h5", (time.time() - 3600,) * 2)
    return tmp_path


def test_what_was_written_where_how_long_and_what_was_skipped(folder):
    results, logs = folder / "results" / "toy", folder / "logs" / "toy"
    lines = closing_lines("toy", RUNS, "complete", time.time() - 100, folder, parts=PARTS)
    assert lines == [
        "Study toy: complete after 1 min 40 s",
        f"  written   6 files (2.0 MB) of 7 in {results}",
        "  job time  train_model 1 min 5 s, make_table1 0 s",
        "  scored    1 of 2 networks on 40 images: grad_cam, saliency (5)",
        f"  missing   no current scores of far/seed0; see {logs}",
        "  without   them: --config partial=true makes the tables and figures of the others",
        "  left out  3 x record is cut off, 1 x constant heatmap, 2 x constant human map",
        f"  to read   {results / 'leaderboard.html'}, {results / 'gallery.html'}",
    ]


def test_an_explainer_that_the_study_no_longer_has_is_not_named(folder):
    old = folder / "results/toy/scores/near/seed0.rise.source.json"
    old.write_text(source("rise", 4, images=5))
    for parts, named in ((PARTS, "grad_cam, saliency (5)"), ([""], "grad_cam")):
        lines = closing_lines("toy", RUNS, "complete", 0, folder, parts=parts)
        assert f"  scored    1 of 2 networks on 40 images: {named}" in lines


def test_the_lines_say_that_nothing_was_left_out(folder):
    scores = folder / "results" / "toy" / "scores"
    (scores.parent / "study.json").unlink()
    (scores / "near" / "seed0.source.json").write_text(source("grad_cam", 40))
    lines = closing_lines("toy", RUNS[:1], "complete", 0, folder)
    assert "  left out  nothing" in lines
    assert not any("missing" in line for line in lines)


def test_what_cannot_apply_to_the_study_is_named_with_its_reason(folder):
    reasons = {"figure2": "no pair", "accuracy": "no top-1", "dcls_by_stratum": "no pair"}
    lines = closing_lines("toy", RUNS, "complete", 0, folder, not_made=reasons)
    assert "  not made  figure2, dcls_by_stratum (no pair); accuracy (no top-1)" in lines
    assert not any("not made" in line for line in closing_lines("toy", RUNS, "complete", 0, folder))


def test_a_sample_alone_is_no_score_of_a_network(folder):
    (folder / "results" / "toy" / "scores" / "near" / "seed0.source.json").unlink()
    lines = closing_lines("toy", RUNS[:1], "complete", 0, folder)
    assert any("no current scores of near/seed0" in line for line in lines)
    assert not any("saliency" in line for line in lines)


def test_the_lines_are_of_the_sources_that_scoring_writes(folder):
    path = folder / "results" / "toy" / "scores" / "far" / "seed0.parquet"
    small_study.write_score_file(path, list("abc"), {"grad_cam": [0.5, 0.1, math.nan]})
    lines = closing_lines("toy", RUNS[1:], "complete", 0, folder)
    assert "  scored    1 of 1 networks on 3 images: grad_cam" in lines
    assert "  left out  3 x record is cut off, 1 x constant human map" in lines


def test_files_cut_short_and_none_at_all_do_not_stop_it(folder, tmp_path):
    (folder / "results" / "toy" / "scores" / "near" / "seed0.source.json").write_text('{"n_im')
    lines = closing_lines("toy", RUNS, "stopped by failed jobs", 0, folder)
    assert any("no current scores of near/seed0, far/seed0" in line for line in lines)
    assert len(closing_lines("other", RUNS, "complete", 0, tmp_path / "empty")) == 3


@pytest.mark.parametrize(
    "seconds, text", [(0.4, "0 s"), (59.6, "1 min 0 s"), (508, "8 min 28 s"), (7300, "2 h 1 min")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_long_lists_are_cut():
    assert listed(list("abcd")) == "a, b, c, d"
    assert listed(list("abcdef")) == "a, b, c, d and 2 more"
