"""The TFRecord reader: what it accepts, and that it misses no damage."""

import struct

import pytest
from human_alignment.data.tfrecords import BadRecord, features, masked_crc, read_records
from shards import example, frame

FIRST, SECOND = frame(b"first payload"), frame(b"second")
WHOLE = FIRST + SECOND


@pytest.fixture
def read(tmp_path):
    path = tmp_path / "s.tfrecords"

    def read_content(content):
        path.write_bytes(content)
        return list(read_records(path))

    return read_content


def one(payload, read):
    (record,) = read(frame(payload))
    return features(record)


def test_masked_crc_of_known_bytes():
    # CRC-32C of "123456789" is 0xE3069283 (RFC 3720's polynomial); then rotated and offset.
    crc = 0xE3069283
    assert masked_crc(b"123456789") == ((crc >> 15 | crc << 17) + 0xA282EAD8) % 2**32


def test_records_as_tensorflow_wrote_them(data_dir):
    records = list(read_records(data_dir / "clickme" / "mini.tfrecords"))
    assert [r.number for r in records] == list(range(24))
    assert (records[10].offset, records[11].offset, records[20].offset) == (126553, 142428, 261504)
    assert all(features(r).keys() == {"image", "heatmap", "label"} for r in records)


def test_number_and_offset_of_every_record(read):
    found = read(WHOLE + frame(b""))
    assert [(r.number, r.offset, r.payload) for r in found] == [
        (0, 0, b"first payload"),
        (1, len(FIRST), b"second"),
        (2, len(WHOLE), b""),
    ]


def test_cut_off_at_every_byte(read):
    for size in range(1, len(WHOLE)):
        found = read(WHOLE[:size])
        if size == len(FIRST):  # a complete shard of one record: only their number could tell
            assert [r.payload for r in found] == [b"first payload"]
            continue
        number = int(size > len(FIRST))
        assert len(found) == 1 + number and isinstance(found[-1], BadRecord)
        assert found[-1].fatal and found[-1].reason == "the shard is cut off"
        assert found[-1].record == f"s.tfrecords, record {number}, byte {number * len(FIRST)}"


@pytest.mark.parametrize("bits", [0x01, 0x80, 0xFF])
def test_every_flipped_byte_is_found_and_only_a_length_ends_the_reading(read, bits):
    for place in range(len(WHOLE)):
        damaged = bytearray(WHOLE)
        damaged[place] ^= bits
        number = int(place >= len(FIRST))
        in_length = place - number * len(FIRST) < 12
        found = read(bytes(damaged))
        (bad,) = (each for each in found if isinstance(each, BadRecord))
        assert bad.record == f"s.tfrecords, record {number}, byte {number * len(FIRST)}"
        assert bad.fatal == in_length
        assert len(found) == (1 + number if in_length else 2)


PAGES = {
    "HTML": b"<!DOCTYPE html><html>404</html>",
    "HTML, indented": b"\n" * 40 + b"<HTML><body>not found",
    "HTML with a byte order mark": b"\xef\xbb\xbf<!doctype html>",
    "error of a file store": b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>",
    "short page": b"<html>",
}


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_a_web_page_is_called_one(read, page):
    (bad,) = read(page)
    assert bad.fatal and bad.reason == "this is a web page, not a shard"


@pytest.mark.parametrize("begin", [b"<h", b"<!", b"<H", b"\n<"])
def test_a_length_that_looks_like_a_web_page_is_a_length(read, begin):
    size = int.from_bytes(begin, "little")
    (record,) = read(frame(bytes(size)))
    assert len(record.payload) == size


def test_an_empty_shard_is_reported(read):
    (bad,) = read(b"")
    assert bad.fatal and bad.reason == "the shard is empty"


def test_an_absurd_length_is_not_read_into_memory(read):
    length = struct.pack("<Q", 1 << 60)
    (bad,) = read(length + struct.pack("<I", masked_crc(length)))
    assert bad.fatal and "1152921504606846976 bytes" in bad.reason


def test_features_of_one_value(read):
    assert one(example(image=b"\xff\x00", label=-1), read) == {"image": b"\xff\x00", "label": -1}
    assert one(example(image=[b"a", b"b"], label=2**40), read) == {"label": 2**40}
    assert one(b"", read) == {}


def test_an_integer_may_be_stored_unpacked(read):
    entry = b"\x0a\x05label\x12\x04\x1a\x02\x08\x07"  # value 7 under its own tag
    assert one(b"\x0a\x0f\x0a\x0d" + entry, read) == {"label": 7}


def test_a_payload_that_is_no_example_is_named(read):
    (record,) = read(frame(b"\xff\xff"))
    with pytest.raises(BadRecord, match="s.tfrecords: record 0 at byte 0: its content is no tf"):
        features(record)
