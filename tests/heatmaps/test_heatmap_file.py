import numpy as np
import pytest
from human_alignment.common.cli import UserError
from human_alignment.heatmaps.heatmap_file import HeatmapFile, HeatmapWriter

HEADER = {
    "model": "toy",
    "dcls": False,
    "parameters": 7,
    "weights_digest": "w",
    "data_digest": "d",
    "geometry": "released",
    "target": "label",
    "explainers": ["grad_cam"],
    "versions": "x",
    "images": 10,
}


def chunk(start, stop):
    n = stop - start
    return {
        "grad_cam": np.arange(start, stop, dtype=np.float32)[:, None, None]
        * np.ones((n, 2, 2), "f4"),
        "image_id": np.array([b"image-%d" % i for i in range(start, stop)]),
        "label": np.arange(start, stop, dtype=np.int32),
        "target": np.zeros(n, np.int32),
        "target_logit": np.zeros(n, np.float32),
        "target_rank": np.zeros(n, np.int32),
        "predicted": np.zeros(n, np.int32),
        "nonfinite": np.arange(start, stop) == 3,
    }


def fill(writer, ranges=None):
    for start, stop in ranges or list(writer.missing()):
        writer.put(start, chunk(start, stop))


def test_chunks_join_in_order(tmp_path):
    writer = HeatmapWriter(tmp_path / "a.h5", HEADER, rows=(0, 10), chunk=4)
    assert list(writer.missing()) == [(0, 4), (4, 8), (8, 10)]
    fill(writer, [(8, 10), (0, 4), (4, 8)])
    writer.finish()
    with HeatmapFile(tmp_path / "a.h5") as maps:
        assert len(maps) == 10
        assert maps.image_ids == [f"image-{i}" for i in range(10)]
        np.testing.assert_array_equal(maps.maps("grad_cam", 3, 6)[:, 0, 0], [3, 4, 5])
        assert (maps.model, maps.parameters, maps.explainers) == ("toy", 7, ["grad_cam"])
        assert maps.geometry == "crop"  # the file holds the old word
        with pytest.raises(UserError, match="no 'rise' maps; it has grad_cam"):
            maps.maps("rise", 0, 1)
        with pytest.raises(UserError, match="no 'rise' maps; it has grad_cam"):
            maps.chosen(["grad_cam", "rise"])
    assert [p.name for p in tmp_path.iterdir()] == ["a.h5"]


def test_an_interrupted_run_continues_and_ends_in_the_same_bytes(tmp_path):
    whole = HeatmapWriter(tmp_path / "whole.h5", HEADER, rows=(0, 10), chunk=4)
    fill(whole)
    whole.finish()
    fill(HeatmapWriter(tmp_path / "cut.h5", HEADER, rows=(0, 10), chunk=4), [(0, 4)])
    again = HeatmapWriter(tmp_path / "cut.h5", HEADER, rows=(0, 10), chunk=4)
    assert list(again.missing()) == [(4, 8), (8, 10)]
    fill(again)
    again.finish()
    assert (tmp_path / "cut.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()


def test_chunks_of_other_weights_are_thrown_away(tmp_path):
    fill(HeatmapWriter(tmp_path / "a.h5", HEADER, rows=(0, 10), chunk=4), [(0, 4)])
    other = HeatmapWriter(
        tmp_path / "a.h5", HEADER | {"weights_digest": "v"}, rows=(0, 10), chunk=4
    )
    assert len(list(other.missing())) == 3


def test_chunks_without_their_note_are_thrown_away(tmp_path):
    """They are what a kill left of the folder's removal, and may be of other weights."""
    fill(HeatmapWriter(tmp_path / "a.h5", HEADER, rows=(0, 10), chunk=4), [(0, 4)])
    (tmp_path / ".a.chunks" / "header.json").unlink()
    other = HEADER | {"weights_digest": "other"}
    assert len(list(HeatmapWriter(tmp_path / "a.h5", other, (0, 10), 4).missing())) == 3


def test_a_file_cut_short_or_missing_is_refused(tmp_path):
    writer = HeatmapWriter(tmp_path / "a.h5", HEADER, rows=(0, 10), chunk=4)
    fill(writer)
    writer.finish()
    path = tmp_path / "a.h5"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(UserError, match="not a complete heatmap file"):
        HeatmapFile(path)
    with pytest.raises(UserError, match="does not exist"):
        HeatmapFile(tmp_path / "b.h5")
