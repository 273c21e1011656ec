"""A web server on 127.0.0.1 that goes wrong on purpose, and remembers what it was asked."""

import contextlib
import hashlib
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CHUNK = 1 << 16


@dataclass
class Reply:
    """How one request is answered. The default is a well-behaved file server."""

    body: bytes
    status: int = 200
    content_type: str = "application/octet-stream"
    content_encoding: str | None = None
    etag: str | None = '"v1"'
    last_modified: str | None = None
    ranges: bool = True  # False: Range is ignored, the whole file comes
    if_range: bool = True  # False: Range is obeyed whatever If-Range says
    total: int | None = None  # length told instead of the true one
    length: bool = True  # False: no Content-Length, the end is the end of the connection
    chunked: bool = False
    drop_after: int | None = None  # body bytes sent before the connection is cut
    stall_after: int | None = None  # body bytes sent before nothing more comes
    seconds_per_chunk: float = 0.0


@dataclass
class Asked:
    """One request: its path and headers, and how many body bytes were sent for it."""

    path: str
    headers: dict[str, str] = field(default_factory=dict)
    sent: int = 0


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_) -> None:
        """Say nothing: the tests look at `requests`."""

    def do_GET(self) -> None:
        site: MisbehavingServer = self.server.site
        asked = Asked(self.path, dict(self.headers))
        site.requests.append(asked)
        reply = site.replies.pop(0) if len(site.replies) > 1 else site.replies[0]
        self.close_connection = True
        start = self._start(reply)
        body = b"" if start is None else reply.body[start:]
        self._send_head(reply, start, len(body))
        with contextlib.suppress(OSError):  # the client was killed
            self._send_body(reply, body, asked)

    def _start(self, reply: Reply) -> int | None:
        """First byte to send; None if the range asked for lies outside."""
        wanted = self.headers.get("Range")
        version = self.headers.get("If-Range")
        same = version in (None, reply.etag, reply.last_modified) or not reply.if_range
        if reply.status != 200 or not wanted or not reply.ranges or not same:
            return 0
        start = int(wanted.removeprefix("bytes=").rstrip("-"))
        return start if start < len(reply.body) else None

    def _send_head(self, reply: Reply, start: int | None, count: int) -> None:
        total = len(reply.body) if reply.total is None else reply.total
        self.send_response(416 if start is None else 206 if start else reply.status)
        self.send_header("Content-Type", reply.content_type)
        for name in ("ETag", "Last-Modified", "Content-Encoding"):
            if value := getattr(reply, name.lower().replace("-", "_")):
                self.send_header(name, value)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        if reply.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif reply.length:
            self.send_header("Content-Length", str(total - (start or 0) if count else 0))
        self.end_headers()

    def _send_body(self, reply: Reply, body: bytes, asked: Asked) -> None:
        limits = [x for x in (reply.drop_after, reply.stall_after) if x is not None]
        end = min([len(body), *limits])
        for begin in range(0, end, CHUNK):
            piece = body[begin : min(begin + CHUNK, end)]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if reply.chunked else piece)
            asked.sent += len(piece)
            time.sleep(reply.seconds_per_chunk)
        if reply.stall_after is not None:
            self.server.site.closing.wait(30)
        elif reply.chunked and end == len(body):
            self.wfile.write(b"0\r\n\r\n")


class MisbehavingServer:
    """Answer each request by the next of `replies`; the last one stays. `requests` is the log."""

    def __init__(self, *replies: Reply):
        self.replies = list(replies)
        self.requests: list[Asked] = []
        self.closing = threading.Event()

    def __enter__(self) -> "MisbehavingServer":
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.site = self
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self.url = f"{self.address}/weights.bin"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def content(size: int, seed: int = 0) -> tuple[bytes, str]:
    """`size` bytes that do not repeat, and their SHA-256."""
    blocks = (hashlib.sha256(b"%d %d" % (seed, i)).digest() for i in range(size // 32 + 1))
    data = b"".join(blocks)[:size]
    return data, hashlib.sha256(data).hexdigest()
