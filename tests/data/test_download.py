"""Downloads against a server that misbehaves on purpose: nothing incomplete, nothing wrong."""

import gzip
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from human_alignment.common.cli import UserError
from human_alignment.data import download
from misbehaving_server import CHUNK, MisbehavingServer, Reply, content

fetch = partial(download.fetch, tries=3, pause=0.01)
BODY, DIGEST = content(5 * CHUNK + 1234)
OTHER, OTHER_DIGEST = content(5 * CHUNK + 1234, seed=1)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def target(tmp_path) -> Path:
    return tmp_path / "results" / "weights.bin"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_whole_file_arrives_and_nothing_else_is_left(target):
    with MisbehavingServer(Reply(BODY)) as server:
        assert fetch(server.url, target, DIGEST.upper()) == DIGEST
    assert target.read_bytes() == BODY
    assert names(target.parent) == ["weights.bin"]
    assert len(server.requests) == 1


def test_progress_goes_to_stderr_under_the_label(target, capsys):
    with MisbehavingServer(Reply(BODY)) as server:
        fetch(server.url, target, DIGEST, label="the weights")
    assert "the weights: 100%" in capsys.readouterr().err


def test_a_missing_digest_is_noted_once_with_the_one_found(target, capsys):
    with MisbehavingServer(Reply(BODY)) as server:
        assert fetch(server.url, target) == DIGEST
        assert capsys.readouterr().err.count(f"no sha256 in the config; found {DIGEST}") == 1
        fetch(server.url, target, DIGEST)
    assert "no sha256" not in capsys.readouterr().err


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_refusals_are_not_retried(target, status):
    with (
        MisbehavingServer(Reply(b"no", status=status)) as server,
        pytest.raises(UserError, match=rf"weights\.bin: HTTP {status} .*correct the address"),
    ):
        fetch(server.url, target)
    assert len(server.requests) == 1
    assert names(target.parent) == []


@pytest.mark.parametrize("status", [429, 500, 503])
def test_server_trouble_then_success(target, status):
    with MisbehavingServer(Reply(b"busy", status=status), Reply(BODY)) as server:
        assert fetch(server.url, target, DIGEST) == DIGEST
    assert len(server.requests) == 2


def test_lasting_server_errors_are_reported_after_a_few_tries(target):
    with (
        MisbehavingServer(Reply(b"busy", status=500)) as server,
        pytest.raises(UserError, match=r"HTTP 500 .*\(3 tries\)\n0 bytes are kept"),
    ):
        fetch(server.url, target)
    assert len(server.requests) == 3
    assert names(target.parent) == []


def test_each_pause_is_twice_the_one_before(target, monkeypatch):
    pauses = []
    monkeypatch.setattr(download.time, "sleep", pauses.append)
    replies = [Reply(b"", status=503)] * 3 + [Reply(BODY)]
    with MisbehavingServer(*replies) as server:
        fetch(server.url, target, DIGEST, tries=4, pause=7.0)
    assert [pause for pause in pauses if pause] == [7.0, 14.0, 28.0]  # the server's own are 0


def test_nobody_listens(target):
    with MisbehavingServer(Reply(BODY)) as server:
        pass
    with pytest.raises(UserError, match=r"127\.0\.0\.1.*\(3 tries\)"):
        fetch(server.url, target)
    assert names(target.parent) == []


def test_drop_midway_is_resumed_where_it_broke(target):
    dropped = Reply(BODY, drop_after=2 * CHUNK)
    with MisbehavingServer(dropped, Reply(BODY)) as server:
        assert fetch(server.url, target) == DIGEST
    first, second = server.requests
    assert "Range" not in first.headers
    assert second.headers["Range"] == f"bytes={2 * CHUNK}-"
    assert second.headers["If-Range"] == '"v1"'
    assert second.headers["Accept-Encoding"] == "identity"
    assert first.sent + second.sent == len(BODY)
    assert target.read_bytes() == BODY


def test_every_try_brings_the_rest_nearer(target):
    dropped = Reply(BODY, drop_after=2 * CHUNK)
    with MisbehavingServer(dropped, dropped, Reply(BODY)) as server:
        assert fetch(server.url, target) == DIGEST
    assert [asked.headers.get("Range") for asked in server.requests] == [
        None,
        f"bytes={2 * CHUNK}-",
        f"bytes={4 * CHUNK}-",
    ]


def test_server_that_ignores_range_is_begun_anew(target):
    with MisbehavingServer(Reply(BODY, drop_after=2 * CHUNK), Reply(BODY, ranges=False)) as server:
        assert fetch(server.url, target) == DIGEST
    assert "Range" in server.requests[1].headers
    assert target.read_bytes() == BODY


@pytest.mark.parametrize("obeys_if_range", [True, False])
def test_file_changed_between_tries_is_begun_anew(target, obeys_if_range):
    new = Reply(OTHER, etag='"v2"', if_range=obeys_if_range)
    with MisbehavingServer(Reply(BODY, drop_after=2 * CHUNK), new) as server:
        assert fetch(server.url, target) == OTHER_DIGEST
    assert target.read_bytes() == OTHER


def test_weak_etag_is_not_trusted_the_time_of_change_is(target):
    known = dict(etag='W/"v1"', last_modified="Wed, 01 Feb 2023 00:00:00 GMT")
    with MisbehavingServer(Reply(BODY, drop_after=CHUNK, **known), Reply(BODY, **known)) as server:
        assert fetch(server.url, target) == DIGEST
    assert server.requests[1].headers["If-Range"] == known["last_modified"]
    assert server.requests[1].sent == len(BODY) - CHUNK


def test_unidentified_version_is_resumed_only_if_a_digest_will_tell(tmp_path):
    for digest, rest in ((None, len(BODY)), (DIGEST, len(BODY) - CHUNK)):
        replies = Reply(BODY, etag=None, drop_after=CHUNK), Reply(BODY, etag=None)
        with MisbehavingServer(*replies) as server:
            assert fetch(server.url, tmp_path / f"{rest}.bin", digest) == DIGEST
        assert server.requests[1].sent == rest
        assert "If-Range" not in server.requests[1].headers


def test_range_outside_the_file_is_begun_anew(target):
    short, digest = content(CHUNK)
    with MisbehavingServer(
        Reply(BODY, drop_after=2 * CHUNK), Reply(short, if_range=False)
    ) as server:
        assert fetch(server.url, target) == digest
    assert [asked.sent for asked in server.requests] == [2 * CHUNK, 0, CHUNK]


def test_a_reply_cut_at_every_try_is_reported_and_a_rerun_resumes(target, capsys):
    with MisbehavingServer(Reply(BODY, drop_after=CHUNK)) as server:
        kept = f"{3 * CHUNK} of {len(BODY)} bytes are kept; run again to resume"
        with pytest.raises(UserError, match=rf"(?s)weights\.bin: .*\(3 tries\)\n{kept}"):
            fetch(server.url, target)
        assert len(server.requests) == 3
        assert not target.exists()
        capsys.readouterr()
        server.replies = [Reply(BODY)]
        assert fetch(server.url, target, DIGEST) == DIGEST
    assert "weights.bin:  60%" in capsys.readouterr().err
    assert server.requests[3].headers["Range"] == f"bytes={3 * CHUNK}-"
    assert sum(asked.sent for asked in server.requests) == len(BODY)


def test_length_told_too_long_never_passes(target):
    with (
        MisbehavingServer(Reply(BODY, total=len(BODY) + 1000)) as server,
        pytest.raises(UserError, match=r"\(3 tries\)"),
    ):
        fetch(server.url, target)
    assert not target.exists()


def test_length_told_too_short_fails_the_digest(target):
    with (
        MisbehavingServer(Reply(BODY, total=len(BODY) - 1000)) as server,
        pytest.raises(UserError, match=f"expected {DIGEST}"),
    ):
        fetch(server.url, target, DIGEST)
    assert names(target.parent) == []


def test_no_length_at_all_needs_a_digest(target):
    with MisbehavingServer(Reply(BODY, length=False)) as server:
        with pytest.raises(UserError, match="tells no length; configure its sha256"):
            fetch(server.url, target)
        assert names(target.parent) == []
        assert fetch(server.url, target, DIGEST) == DIGEST


def test_no_length_and_cut_off_fails_the_digest(target):
    with (
        MisbehavingServer(Reply(BODY, length=False, drop_after=CHUNK)) as server,
        pytest.raises(UserError, match=f"expected {DIGEST}"),
    ):
        fetch(server.url, target, DIGEST)
    assert names(target.parent) == []


def test_body_compressed_against_our_wish_never_passes(target):
    reply = Reply(gzip.compress(bytes(CHUNK)), content_encoding="gzip")
    with (
        MisbehavingServer(reply) as server,
        pytest.raises(
            UserError, match=rf"{CHUNK} bytes came where {len(reply.body)} were announced"
        ),
    ):
        fetch(server.url, target)
    assert names(target.parent) == []


def test_chunked_transfer_cut_off_is_begun_anew(target):
    with MisbehavingServer(
        Reply(BODY, chunked=True, drop_after=2 * CHUNK), Reply(BODY, chunked=True)
    ) as server:
        assert fetch(server.url, target) == DIGEST
    assert [asked.headers.get("Range") for asked in server.requests] == [None, None]


def test_silent_server_is_left_after_the_timeout_and_resumed(target, monkeypatch, capsys):
    monkeypatch.setattr(download, "TIMEOUT", (1.0, 0.3))
    with MisbehavingServer(Reply(BODY, stall_after=2 * CHUNK), Reply(BODY)) as server:
        assert fetch(server.url, target) == DIGEST
    assert "timed out" in capsys.readouterr().err
    assert server.requests[1].headers["Range"] == f"bytes={2 * CHUNK}-"


def test_slow_server_is_waited_for(target, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", (5.0, 2.0))  # six pieces take longer together
    with MisbehavingServer(Reply(BODY, seconds_per_chunk=0.4)) as server:
        assert fetch(server.url, target) == DIGEST
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "body, kind",
    [
        (b"<p>Log in</p>", "text/html; charset=utf-8"),
        (b"<!DOCTYPE html><p>Log in</p>", "application/octet-stream"),
        (b"\xef\xbb\xbf\n <HTML lang=en><p>Log in</p>", "application/octet-stream"),
    ],
    ids=["by-type", "by-doctype", "by-tag"],
)
def test_html_page_is_refused(target, body, kind):
    with (
        MisbehavingServer(Reply(body, content_type=kind)) as server,
        pytest.raises(UserError, match=r"weights\.bin is an HTML page"),
    ):
        fetch(server.url, target)
    assert len(server.requests) == 1
    assert names(target.parent) == []


def test_wrong_digest_shows_both_and_keeps_nothing(target):
    with MisbehavingServer(Reply(BODY)) as server:
        with pytest.raises(UserError, match=rf"expected {OTHER_DIGEST}\n +found +{DIGEST}"):
            fetch(server.url, target, OTHER_DIGEST)
        assert names(target.parent) == []
        assert fetch(server.url, target, DIGEST) == DIGEST


@pytest.mark.parametrize("digest", ["abc", "g" * 64, DIGEST + "0"])
def test_malformed_digest_is_refused_before_any_request(target, digest):
    with (
        MisbehavingServer(Reply(BODY)) as server,
        pytest.raises(UserError, match="64 hexadecimal digits"),
    ):
        fetch(server.url, target, digest)
    assert server.requests == []


def test_failed_check_keeps_nothing(target):
    def refuse(path: Path) -> None:
        assert path.read_bytes() == BODY
        raise UserError("not a checkpoint")

    with (
        MisbehavingServer(Reply(BODY)) as server,
        pytest.raises(UserError, match="not a checkpoint"),
    ):
        fetch(server.url, target, check=refuse)
    assert names(target.parent) == []


@pytest.mark.parametrize(
    "reply, digest",
    [
        (Reply(b"", status=404), None),
        (Reply(OTHER, drop_after=CHUNK), None),
        (Reply(OTHER), DIGEST),
        (Reply(b"<html>"), None),
    ],
    ids=["404", "truncated", "digest", "html"],
)
def test_older_destination_outlives_a_failed_download(target, reply, digest):
    target.parent.mkdir()
    target.write_bytes(BODY)
    with MisbehavingServer(reply) as server, pytest.raises(UserError):
        fetch(server.url, target, digest)
    assert target.read_bytes() == BODY


CHILD = """
import resource, sys
sys.path.insert(0, sys.argv[1])
if sys.argv[4] != "0":
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]),) * 2)
from human_alignment.common.cli import run
from human_alignment.data.download import fetch
run(lambda: fetch(sys.argv[2], sys.argv[3]))
"""


def child(root: Path, url: str, target: Path, file_limit: int = 0) -> subprocess.Popen:
    command = [sys.executable, "-c", CHILD, root / "workflow_scripts", url, target]
    return subprocess.Popen([*map(str, command), str(file_limit)], stderr=subprocess.PIPE)


def test_killed_midway_then_rerun_resumes(root, target):
    body, digest = content(40 * CHUNK)
    arrived = target.with_name(".weights.bin.partial")
    with MisbehavingServer(Reply(body, stall_after=5 * CHUNK)) as server:
        process = child(root, server.url, target)
        deadline = time.monotonic() + 60  # the kill does not depend on it: the server stalls
        while not (arrived.exists() and arrived.stat().st_size >= 3 * CHUNK):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.01)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        kept = arrived.stat().st_size
        assert 3 * CHUNK <= kept < len(body) and not target.exists()
        server.replies = [Reply(body)]
        assert fetch(server.url, target) == digest
    assert server.requests[1].headers["Range"] == f"bytes={kept}-"
    assert server.requests[1].sent == len(body) - kept
    assert names(target.parent) == ["weights.bin"]


@pytest.mark.parametrize("space", [2 * CHUNK, len(BODY) - 100], ids=["midway", "at-the-end"])
def test_a_full_disk_is_reported_and_what_arrived_is_kept(root, target, space):
    with MisbehavingServer(Reply(BODY)) as server:
        process = child(root, server.url, target, file_limit=space)
        message = process.communicate(timeout=20)[1].decode()
        assert process.returncode == 1
        assert "error: " in message and ".weights.bin.partial" in message
        assert len(server.requests) == 1
        assert fetch(server.url, target) == DIGEST
    assert server.requests[1].headers["Range"] == f"bytes={space}-"


def test_interrupted_after_the_last_byte_asks_for_nothing_more(target):
    def interrupt(path: Path) -> None:
        raise KeyboardInterrupt

    with MisbehavingServer(Reply(BODY)) as server:
        with pytest.raises(KeyboardInterrupt):
            fetch(server.url, target, check=interrupt)
        assert fetch(server.url, target) == DIGEST
    assert len(server.requests) == 1


def test_bytes_of_another_url_are_not_continued(target):
    with MisbehavingServer(Reply(OTHER, drop_after=CHUNK)) as server:
        with pytest.raises(UserError):
            fetch(server.url, target)
        server.replies = [Reply(BODY)]
        assert fetch(server.address + "/else.bin", target) == DIGEST
    assert "Range" not in server.requests[-1].headers


def test_unreadable_note_means_beginning_anew(target):
    target.parent.mkdir()
    target.with_name(".weights.bin.partial").write_bytes(OTHER[:CHUNK])
    target.with_name(".weights.bin.partial.json").write_text('{"url": "http')
    with MisbehavingServer(Reply(BODY)) as server:
        assert fetch(server.url, target) == DIGEST
    assert "Range" not in server.requests[0].headers


def test_second_download_to_the_same_place_is_refused(target):
    with MisbehavingServer(Reply(BODY)) as server:

        def meanwhile(path: Path) -> None:
            with pytest.raises(UserError, match="download that is still running"):
                fetch(server.url, target)

        assert fetch(server.url, target, check=meanwhile) == DIGEST
    assert target.read_bytes() == BODY


def test_proxy_of_the_environment_is_used(target, monkeypatch):
    with MisbehavingServer(Reply(BODY)) as server:
        monkeypatch.setenv("http_proxy", server.address)
        monkeypatch.setenv("no_proxy", "")
        assert fetch("http://weights.invalid/a.bin", target) == DIGEST
    assert server.requests[0].path == "http://weights.invalid/a.bin"


def test_an_invalid_address_is_reported_at_once(target):
    with pytest.raises(UserError, match="http:///weights.bin"):
        fetch("http:///weights.bin", target)
    assert names(target.parent) == []


def test_local_path_and_file_url_are_copied(tmp_path, target):
    origin = tmp_path / "a copy.bin"
    origin.write_bytes(BODY)
    for source in (str(origin), origin.as_uri()):
        assert fetch(source, target, DIGEST) == DIGEST
        assert target.read_bytes() == BODY
        target.unlink()
    assert origin.exists()


@pytest.mark.parametrize("source", ["absent.bin", "file:///absent.bin", "ftp://host/a.bin", "."])
def test_a_missing_local_path_is_reported(target, source):
    with pytest.raises(UserError, match="no such file; give a path"):
        fetch(source, target)


@pytest.mark.parametrize("wrong", [OTHER, b"<!doctype html>"])
def test_wrong_local_copy_leaves_the_older_destination(tmp_path, target, wrong):
    target.parent.mkdir()
    target.write_bytes(BODY)
    origin = tmp_path / "origin.bin"
    origin.write_bytes(wrong)
    with pytest.raises(UserError, match="another sha256|HTML page"):
        fetch(str(origin), target, DIGEST)
    assert target.read_bytes() == BODY
    assert names(target.parent) == ["weights.bin"]
