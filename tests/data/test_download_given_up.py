"""Downloads that never end, that cannot succeed, and that hold secrets in their address."""

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
import time

import download_checkpoint
import extract_heatmaps
import pytest
import train_model
from human_alignment.common.cli import UserError
from human_alignment.common.sources import masked, url_problem
from human_alignment.data import download
from human_alignment.data.download import fetch
from misbehaving_server import CHUNK, MisbehavingServer, Reply, content

HEAD = b'HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\nETag: "v1"\r\n\r\n'


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)


@contextlib.contextmanager
def raw_server(answer, context=None):
    """A server on 127.0.0.1 that calls `answer(connection)` for each request.

    Yields its address and the list of requests, as they came.
    """
    requests, closing = [], threading.Event()

    def serve():
        while not closing.is_set():
            with contextlib.suppress(OSError):
                connection, _ = listening.accept()
                threading.Thread(target=reply, args=(connection,), daemon=True).start()

    def reply(connection):
        with contextlib.suppress(OSError):
            if context:
                connection = context.wrap_socket(connection, server_side=True)
            with connection:
                request = b""
                while not request.endswith(b"\r\n\r\n"):
                    request += connection.recv(65536)
                requests.append(request)
                answer(connection)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.05)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{listening.getsockname()[1]}", requests
        finally:
            closing.set()
            thread.join()


def trickle(head):
    """Send `head`, then a byte every hundredth of a second, for at most 20 s."""

    def answer(connection):
        connection.sendall(head)
        for _ in range(2000):
            connection.sendall(b"x")
            time.sleep(0.01)

    return answer


def test_a_body_that_trickles_is_given_up_and_what_came_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "SPEED_SECONDS", 0.3)
    began = time.monotonic()
    with raw_server(trickle(HEAD)) as (address, requests):
        message = r"only \d+ bytes came in 0 s \(2 tries\)\n\d+ of 1000000 bytes are kept"
        with pytest.raises(UserError, match=message):
            fetch(f"http://{address}/a.bin", tmp_path / "a.bin", tries=2, pause=0.01)
    assert time.monotonic() - began < 5
    assert len(requests) == 2 and b"Range: bytes=" in requests[1]


def test_a_head_that_trickles_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "REPLY_SECONDS", 0.3)
    began = time.monotonic()
    with (
        raw_server(trickle(b"HTTP/1.1 200 OK\r\nX: ")) as (address, requests),
        pytest.raises(UserError, match=r"no reply within 0.3 s.* \(2 tries\)\n0 bytes are kept"),
    ):
        fetch(f"http://{address}/a.bin", tmp_path / "a.bin", tries=2, pause=0.01)
    assert time.monotonic() - began < 5 and len(requests) == 2


@pytest.mark.parametrize("chunked", [True, False])
def test_a_body_without_end_is_refused_at_the_largest_size(tmp_path, monkeypatch, chunked):
    monkeypatch.setattr(download, "MOST_BYTES", 3 * CHUNK)
    body, digest = content(8 * CHUNK)
    with (
        MisbehavingServer(Reply(body, chunked=chunked, length=False)) as server,
        pytest.raises(UserError, match=r"larger than 196,608 bytes, the most that is fetched"),
    ):
        fetch(server.url, tmp_path / "a.bin", digest)
    assert list(tmp_path.iterdir()) == []
    assert len(server.requests) == 1


def test_a_length_beyond_the_largest_size_is_refused_before_the_body(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "MOST_BYTES", CHUNK)
    with (
        MisbehavingServer(Reply(bytes(2 * CHUNK))) as server,
        pytest.raises(UserError, match=r"larger than 65,536 bytes"),
    ):
        fetch(server.url, tmp_path / "a.bin")
    assert list(tmp_path.iterdir()) == []


def refused_at_once(url, target, match):
    began = time.monotonic()
    with pytest.raises(UserError, match=match) as caught:
        fetch(url, target, tries=5, pause=5.0)
    assert time.monotonic() - began < 4, "it was tried again"
    assert "\n" not in str(caught.value)
    assert list(target.parent.iterdir()) == []


def test_an_unknown_host_is_asked_for_once(tmp_path):
    refused_at_once("http://no-such-host.invalid/a.bin", tmp_path / "a", "not known")


def test_a_bad_certificate_is_refused_at_once(tmp_path):
    if shutil.which("openssl") is None:
        pytest.fail("this test makes a certificate: apt-get install openssl")
    folder = tmp_path / "server"
    folder.mkdir()
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *files]
    subprocess.run([*command, "-subj", "/CN=127.0.0.1"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    (tmp_path / "here").mkdir()
    with raw_server(lambda connection: connection.sendall(HEAD), context) as (address, requests):
        target = tmp_path / "here" / "a"
        refused_at_once(f"https://{address}/a.bin", target, "certificate verify failed")
    assert requests == []


@pytest.mark.parametrize(
    "target",
    ["http://[::1/a", "http://host:port/a", "ftp://host/a", "file:///etc/passwd"]
    + ["http://host:99999/a", "http://\x7f/"],
)  # fmt: skip
def test_a_redirect_to_a_malformed_address_is_one_line(tmp_path, target):
    def redirect(connection):
        connection.sendall(
            f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode()
        )

    with raw_server(redirect) as (address, requests):
        refused_at_once(f"http://{address}/a.bin", tmp_path / "a", "cannot get")
    assert len(requests) == 1


def test_redirects_in_a_circle_are_one_line(tmp_path):
    def redirect(connection):
        connection.sendall(
            b"HTTP/1.1 302 Found\r\nLocation: /b\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        )

    with raw_server(redirect) as (address, _):
        refused_at_once(f"http://{address}/a.bin", tmp_path / "a", "redirects")


SECRET = "s3cr3t"


@pytest.mark.parametrize(
    "source, shown",
    [
        (f"https://user:{SECRET}@host/a.pth", "https://***@host/a.pth"),
        (f"https://{SECRET}@host/a.pth?b=c", "https://***@host/a.pth?b=***"),
        (f"https://us@er:{SECRET}@host:8/a.pth", "https://***@host:8/a.pth"),
        (f"https://h/a.pth?token={SECRET}&x={SECRET}#f", "https://h/a.pth?token=***&x=***#f"),
        (f"https://h/a.pth?{SECRET}", "https://h/a.pth?***"),
        ("https://h/@scope/a.pth", "https://h/@scope/a.pth"),
        ("/data/a@b?c=d.pth", "/data/a@b?c=***"),
        ("/data/a@b.pth", "/data/a@b.pth"),
        (
            f"Max retries exceeded with url: /a?token={SECRET} (Caused by x)",
            "Max retries exceeded with url: /a?token=*** (Caused by x)",
        ),
        ("did you mean 'models'?); see x", "did you mean 'models'?); see x"),
    ],
)
def test_secrets_are_masked(source, shown):
    assert masked(source) == shown and masked(shown) == shown


@pytest.mark.parametrize("trouble", [{}, {"status": 500}, {"status": 404}, {"drop_after": CHUNK}])
def test_secrets_are_used_and_never_written(tmp_path, capsys, trouble):
    body, digest = content(3 * CHUNK)
    with MisbehavingServer(Reply(body, **trouble)) as server:
        url = server.url.replace("//", f"//user:{SECRET}@") + f"?token={SECRET}"
        said = ""
        try:
            assert fetch(url, tmp_path / "a.bin", tries=2, pause=0.01) == digest
        except UserError as error:
            said = str(error)
    assert (
        SECRET in server.requests[0].path and "Basic" in server.requests[0].headers["Authorization"]
    )
    written = "".join(path.read_bytes().decode("latin1") for path in tmp_path.iterdir())
    assert SECRET not in written + said + "".join(capsys.readouterr())


@pytest.mark.parametrize("query", [f"token={SECRET}", SECRET])
def test_secrets_of_an_address_where_nobody_listens(tmp_path, capsys, query):
    with MisbehavingServer(Reply(b"")) as server:
        url = server.url.replace("//", f"//user:{SECRET}@") + f"?{query}"
    with pytest.raises(UserError) as caught:
        fetch(url, tmp_path / "a.bin", tries=2, pause=0.01)
    assert SECRET not in str(caught.value) + "".join(capsys.readouterr())
    assert "***" in str(caught.value)


def test_a_checkpoint_that_is_none_is_told_without_secrets(tmp_path, capsys):
    with MisbehavingServer(Reply(b"no checkpoint")) as server, pytest.raises(UserError) as caught:
        url = server.url + f"?token={SECRET}"
        download_checkpoint.main(["--source", url, "--output", str(tmp_path / "a")])
    assert "is not a checkpoint" in str(caught.value)
    assert SECRET not in str(caught.value) + "".join(capsys.readouterr())


@pytest.mark.parametrize(
    "url",
    ["https://", "http:///a", "https://[::1/a", "https://h:port/a", "http://h/a b", "http://h:0/"],
)
def test_a_malformed_address_is_told_before_any_job(url):
    assert "is no URL; it is like https://host/path/file" in url_problem(url)
    assert url_problem("https://host/a.pth") is None and url_problem("/a b") is None


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "many"])
@pytest.mark.parametrize("script", [train_model, extract_heatmaps])
def test_threads_are_at_least_one(script, value, capsys):
    with pytest.raises(SystemExit) as ended:
        script.main(["--threads", value])
    assert ended.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert f"argument --threads: '{value}' is not a whole number, 1 or above" in last
