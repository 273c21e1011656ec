"""One shard arrives complete or not at all."""

import hashlib
import subprocess
import sys

import pytest
from download_clickme import main
from human_alignment.common.cli import UserError
from misbehaving_server import CHUNK, MisbehavingServer, Reply

# Length and masked checksum of a 16,905-byte payload, as TensorFlow wrote them. The payload's own
# checksum is not this script's business: any four bytes do.
HEAD = bytes.fromhex("09420000000000001546bdcd")
RECORD = HEAD + b"p" * 16905 + b"crc?"
SHARD = RECORD * 6
DIGEST = hashlib.sha256(SHARD).hexdigest()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def run_main(source, output, *more):
    main(["--source", str(source), "--output", str(output), *more])


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_shard_from_a_server(tmp_path):
    output = tmp_path / "val-03.tfrecords"
    with MisbehavingServer(Reply(SHARD)) as server:
        run_main(server.url, output, "--sha256", DIGEST)
    assert output.read_bytes() == SHARD
    assert names(tmp_path) == ["val-03.tfrecords"]


def test_shard_from_a_local_copy_without_a_digest(tmp_path, capsys):
    (tmp_path / "copy").write_bytes(SHARD)
    run_main(tmp_path / "copy", tmp_path / "out" / "val-03.tfrecords", "--sha256", "")
    assert (tmp_path / "out" / "val-03.tfrecords").read_bytes() == SHARD
    assert DIGEST in capsys.readouterr().err


def test_broken_off_shard_is_resumed_by_a_rerun(tmp_path):
    output = tmp_path / "val-03.tfrecords"
    with MisbehavingServer(Reply(SHARD, drop_after=CHUNK)) as server:
        with pytest.raises(UserError, match=rf"{CHUNK} of {len(SHARD)} bytes are kept"):
            run_main(server.url, output, "--tries", "1")
        assert not output.exists()
        server.replies = [Reply(SHARD)]
        run_main(server.url, output, "--tries", "1", "--sha256", DIGEST)
    assert [asked.headers.get("Range") for asked in server.requests] == [None, f"bytes={CHUNK}-"]


@pytest.mark.parametrize("size", [1, 11, 12, 13, len(RECORD) - 1, len(RECORD) + 5, len(SHARD) - 1])
def test_shard_cut_off_at_its_source_is_refused(tmp_path, size):
    whole = size // len(RECORD)
    place = f"record {whole} at byte {whole * len(RECORD)}: the shard is cut off"
    with MisbehavingServer(Reply(SHARD[:size])) as server, pytest.raises(UserError, match=place):
        run_main(server.url, tmp_path / "val-03.tfrecords")
    assert names(tmp_path) == []


@pytest.mark.parametrize("byte", [0, 7, 8, 11])
def test_damaged_length_is_refused(tmp_path, byte):
    damaged = bytearray(SHARD)
    damaged[2 * len(RECORD) + byte] ^= 1
    place = f"record 2 at byte {2 * len(RECORD)}: the checksum of its length is wrong"
    with MisbehavingServer(Reply(bytes(damaged))) as server, pytest.raises(UserError, match=place):
        run_main(server.url, tmp_path / "val-03.tfrecords")
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "body, message",
    [
        (b"", "is empty"),
        (b"<!doctype html><p>Sign in</p>", "HTML page"),
        (
            b"PK\x03\x04 not a record file",
            "record 0 at byte 0: the checksum of its length is wrong",
        ),
    ],
    ids=["empty", "html", "other"],
)
def test_what_is_no_shard_is_refused(tmp_path, body, message):
    output = tmp_path / "val-03.tfrecords"
    output.write_bytes(SHARD)
    with MisbehavingServer(Reply(body)) as server, pytest.raises(UserError, match=message):
        run_main(server.url, output)
    (tmp_path / "copy").write_bytes(body)
    with pytest.raises(UserError, match=message):
        run_main(tmp_path / "copy", output)
    assert output.read_bytes() == SHARD
    assert names(tmp_path) == ["copy", "val-03.tfrecords"]


def test_command_line_ends_with_one_message(root, tmp_path):
    script = root / "workflow_scripts" / "download_clickme.py"
    output = tmp_path / "val-03.tfrecords"
    command = [sys.executable, script, "--source", tmp_path / "absent", "--output", output]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"error: {tmp_path}/absent: no such file; give a path, a file:// or an http(s):// URL"
    ]
