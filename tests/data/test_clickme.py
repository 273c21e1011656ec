"""Reading ClickMe shards: parity with the published loader, and every kind of damage."""

import io

import numpy as np
import prepare_clickme
import pytest
from human_alignment.common.cli import UserError
from human_alignment.data.blur import blur, gaussian_kernel
from human_alignment.data.data_file import DataFile
from human_alignment.data.decoding import decode
from human_alignment.data.resize import resize_bilinear
from human_alignment.data.tfrecords import features, read_records
from PIL import Image
from shards import example, frame


@pytest.fixture(scope="module")
def shard(data_dir):
    return data_dir / "clickme" / "mini.tfrecords"


@pytest.fixture(scope="module")
def expected(data_dir):
    return np.load(data_dir / "clickme" / "mini_expected.npz")


def prepare(output, *shards_and_flags, on_bad_record="stop"):
    flags = ["--output", str(output), "--on-bad-record", on_bad_record]
    prepare_clickme.main([*flags, *map(str, shards_and_flags)])
    return DataFile(output)


def jpeg(height=256, width=256, mode="RGB"):
    random = np.random.default_rng(0)
    shape = (height, width, 3) if mode == "RGB" else (height, width)
    stream = io.BytesIO()
    Image.fromarray(random.integers(0, 256, shape, dtype=np.uint8)).save(stream, "JPEG")
    return stream.getvalue()


GOOD = {"image": jpeg(), "heatmap": jpeg(mode="L"), "label": 3}


def test_parity_with_the_published_loader(shard, expected, tmp_path):
    with prepare(tmp_path / "c.h5", shard) as data:
        maps = resize_bilinear(data.human_maps(0, 24), 224, 224)
        np.testing.assert_allclose(maps[:, 3::16, 5::16], expected["human_maps"], atol=2e-4)
        np.testing.assert_allclose(maps[5], expected["human_map_5"], atol=2e-4)
        assert data.labels.tolist() == expected["labels"].tolist()
        for i, encoded in enumerate(data.images(0, 24)):
            shown = resize_bilinear(decode(encoded).transpose(2, 0, 1), 224, 224)[:, 3::16, 5::16]
            np.testing.assert_allclose(shown.transpose(1, 2, 0), expected["images"][i], atol=1e-3)


def test_the_human_ceiling_is_clickmes_or_the_flags(shard, tmp_path):
    with prepare(tmp_path / "a.h5", shard) as data:
        assert data.human_ceiling == 0.65753
    with prepare(tmp_path / "b.h5", shard, "--human-ceiling", "none") as data:
        assert data.human_ceiling is None
    with pytest.raises(UserError, match="human ceiling 65.753 .* above 0 and at most 1"):
        prepare(tmp_path / "c.h5", shard, "--human-ceiling", "65.753")
    assert not (tmp_path / "c.h5").exists()


def test_images_are_stored_untouched_and_found_by_id(shard, tmp_path):
    records = list(read_records(shard))
    with prepare(tmp_path / "c.h5", shard) as data:
        assert data.images(0, 24) == [features(record)["image"] for record in records]
        assert data.index("mini-000007") == 7
        assert data.human_maps(7, 8).max() == 0
        assert (data.image_size, data.num_classes, data.skipped) == (224, 1000, [])


def test_two_shards_follow_each_other_and_the_result_is_deterministic(shard, tmp_path):
    other = tmp_path / "other.tfrecords"
    other.write_bytes(shard.read_bytes())
    first, again = (prepare(tmp_path / n, shard, other) for n in ("a.h5", "b.h5"))
    assert len(first) == 48 and first.image_ids[24] == "other-000000"
    assert first.digest == again.digest


def test_blur_kernel_and_its_padding(expected):
    np.testing.assert_allclose(gaussian_kernel(), expected["kernel"], atol=1e-7)
    point = np.zeros((1, 64, 64), np.float32)
    point[0, 30, 30] = 1
    # A correlation turns the kernel, and its centre is at [4, 4].
    np.testing.assert_allclose(
        blur(point)[0, 25:35, 25:35], gaussian_kernel()[::-1, ::-1], atol=1e-7
    )
    constant = blur(np.ones((1, 64, 64)))[0]
    assert constant[30, 30] == pytest.approx(1) and constant[0, 0] < 0.5


DAMAGE = {
    "flipped payload byte": (134494, 0xFF, "record 10 at byte 126553: the checksum of its content"),
    "flipped length bit": (142428, 0x01, "record 11 at byte 142428: the checksum of its length"),
}


@pytest.mark.parametrize("place, bits, message", DAMAGE.values(), ids=DAMAGE)
def test_damage_stops_with_place_and_mending_helps(shard, tmp_path, place, bits, message):
    damaged = tmp_path / "mini.tfrecords"
    content = bytearray(shard.read_bytes())
    content[place] ^= bits
    damaged.write_bytes(content)
    with pytest.raises(UserError, match=message):
        prepare(tmp_path / "c.h5", damaged)
    assert [p.name for p in tmp_path.iterdir()] == ["mini.tfrecords"]
    damaged.write_bytes(shard.read_bytes())
    assert len(prepare(tmp_path / "c.h5", damaged)) == 24


def test_a_shard_cut_off_anywhere_leaves_no_output(tmp_path):
    whole, path = frame(b"small payload"), tmp_path / "s.tfrecords"
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(UserError, match=r"s.tfrecords: record 0 at byte 0: the shard is "):
            prepare(tmp_path / "c.h5", path)
        assert [p.name for p in tmp_path.iterdir()] == ["s.tfrecords"]


def test_a_shard_cut_off_between_two_records_is_found_by_their_number(shard, tmp_path):
    path, output = tmp_path / "mini.tfrecords", tmp_path / "c.h5"
    path.write_bytes(shard.read_bytes()[:126553])
    assert len(prepare(output, path)) == 10  # in itself it is a complete shard
    output.unlink()
    with pytest.raises(UserError, match="ends before record 10 at byte 126553"):
        prepare(output, path, "--records", "24")
    assert not output.exists()
    (entry,) = prepare(output, path, "--records=24", on_bad_record="skip").skipped
    assert entry["reason"] == "10 records were found in all shards, expected are 24"
    path.write_bytes(shard.read_bytes())
    assert len(prepare(output, path, "--records", "24")) == 24


BAD = {
    "no image": ({"heatmap": GOOD["heatmap"], "label": 3}, "it has no feature 'image'"),
    "no heatmap": ({"image": GOOD["image"], "label": 3}, "it has no feature 'heatmap'"),
    "no label": ({"image": GOOD["image"], "heatmap": GOOD["heatmap"]}, "it has no feature 'label'"),
    "label of bytes": (GOOD | {"label": b"3"}, "it has no feature 'label' of one int value"),
    "label too large": (GOOD | {"label": 1000}, "its label is 1000, allowed are 0 to 999"),
    "label larger than int32": (GOOD | {"label": 2**40}, "its label is 1099511627776"),
    "label negative": (GOOD | {"label": -1}, "its label is -1"),
    "undecodable image": (GOOD | {"image": b"no jpeg"}, "its image cannot be decoded"),
    "empty image": (GOOD | {"image": b""}, "its image cannot be decoded"),
    "image without its last byte": (GOOD | {"image": GOOD["image"][:-1]}, "its image cannot be d"),
    "cut heatmap": (GOOD | {"heatmap": GOOD["heatmap"][:-900]}, "its heatmap cannot be decoded"),
    "cut image": (GOOD | {"image": GOOD["image"][:200]}, "its image cannot be decoded"),
    "undecodable heatmap": (GOOD | {"heatmap": b"no jpeg"}, "its heatmap cannot be decoded"),
    "small heatmap": (GOOD | {"heatmap": jpeg(64, 64, "L")}, r"its heatmap is \(64, 64, 1\)"),
    "small image": (GOOD | {"image": jpeg(128, 256)}, r"its image is \(128, 256, 3\)"),
    "gray image": (GOOD | {"image": jpeg(mode="L")}, r"its image is \(256, 256, 1\)"),
    "coloured heatmap": (GOOD | {"heatmap": jpeg()}, r"its heatmap is \(256, 256, 3\)"),
}


@pytest.mark.parametrize("content, message", BAD.values(), ids=BAD)
def test_a_bad_record_is_named(tmp_path, content, message):
    good, path = frame(example(**GOOD)), tmp_path / "s.tfrecords"
    path.write_bytes(good + frame(example(**content)) + good)
    with pytest.raises(UserError, match=f"s.tfrecords: record 1 at byte {len(good)}: {message}"):
        prepare(tmp_path / "c.h5", path)
    assert not (tmp_path / "c.h5").exists()
    with prepare(tmp_path / "c.h5", path, on_bad_record="skip") as data:
        assert data.image_ids == ["s-000000", "s-000002"]
        assert len(data.skipped) == 1
        assert data.skipped[0]["record"] == f"s.tfrecords, record 1, byte {len(good)}"


WHOLE = {
    "empty shard": (b"", "record 0 at byte 0: the shard is empty"),
    "HTML page": (b"<!DOCTYPE html><html>404</html>" * 9, "record 0 at byte 0: this is a web page"),
    "another file": (b"PK\x03\x04" + bytes(range(200)), "record 0 at byte 0: the checksum"),
    "payload that is no example": (frame(b"\xff\xff\xff"), "record 0 at byte 0: its content is no"),
}


@pytest.mark.parametrize("content, message", WHOLE.values(), ids=WHOLE)
def test_a_file_that_is_no_shard_is_reported_and_a_good_one_works(
    shard, tmp_path, content, message
):
    path = tmp_path / "s.tfrecords"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        prepare(tmp_path / "c.h5", path)
    assert [p.name for p in tmp_path.iterdir()] == ["s.tfrecords"]
    path.write_bytes(shard.read_bytes())
    assert len(prepare(tmp_path / "c.h5", path)) == 24


def test_skipping_lists_what_is_lost(shard, tmp_path, capsys):
    cut = tmp_path / "cut.tfrecords"
    cut.write_bytes(shard.read_bytes()[:267228])
    with prepare(tmp_path / "c.h5", cut, shard, on_bad_record="skip") as data:
        assert len(data) == 20 + 24
        (entry,) = data.skipped
    assert entry["record"] == "cut.tfrecords, record 20, byte 261504"
    assert "the rest of the shard is lost" in entry["reason"]
    assert "1 bad records were left out" in capsys.readouterr().err


def test_missing_and_doubly_named_shards(shard, tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        prepare(tmp_path / "c.h5", tmp_path / "none.tfrecords")
    with pytest.raises(UserError, match="two shards are called 'mini'"):
        prepare(tmp_path / "c.h5", shard, shard)
