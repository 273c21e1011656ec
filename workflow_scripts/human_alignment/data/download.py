"""Fetch files from a web server or a local path. An interrupted download is resumed.

A file appears under its name only when it is complete. Until then the received bytes are in
`.NAME.partial` beside it, and `.NAME.partial.json` says which version of which file they belong
to. A later try or process asks for the missing bytes, with a Range request for that version only
(If-Range, RFC 9110 section 13.1.5).
"""

import contextlib
import fcntl
import json
import re
import shutil
import signal
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import requests
from tqdm import tqdm
from urllib3.exceptions import HTTPError

from ..common import files
from ..common.cli import UserError
from ..common.sources import local_path, masked

TIMEOUT = (20.0, 60.0)  # seconds to connect, and between two arrivals of bytes
REPLY_SECONDS = 120.0  # until a reply begins, redirects among them
LEAST_SPEED, SPEED_SECONDS = 1000.0, 60.0  # bytes a second, on average over so many seconds
MOST_BYTES = 100 * 10**9  # of one file
_CHUNK = 1 << 16  # no more received bytes than this are lost when a connection breaks
_TRANSIENT = {408, 425, 429, 500, 502, 503, 504}  # statuses after which a retry makes sense
_BROKEN = (ConnectionError, requests.ConnectionError, requests.Timeout, HTTPError)
_NO_SUCH_HOST = {socket.EAI_NONAME, socket.EAI_NODATA}  # not EAI_AGAIN, which passes


def fetch(
    source: str,
    destination: Path | str,
    sha256: str | None = None,
    *,
    check: Callable[[Path], None] | None = None,
    label: str | None = None,
    tries: int = 5,
    pause: float = 1.0,
) -> str:
    """Copy `source` (http(s) URL, file:// URL or local path) to `destination`; return its SHA-256.

    An older file at `destination` stays until the new one is complete and passes. `check` may
    refuse it by a UserError. `label` names the progress bar (default: destination's name).
    At most `tries` requests are made, `pause` seconds apart, each pause twice the one before.

    A server that stays under `LEAST_SPEED` counts as one that breaks off.

    Raises UserError when the source does not exist, is refused or breaks off at every try (bytes
    received are kept); when it is an HTML page, is larger than `MOST_BYTES`, fails `check` or has
    another digest (none kept). Messages and files hold the URL without its secrets.
    """
    destination, shown = Path(destination), masked(source)
    if sha256 and not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise UserError(f"sha256 of {shown} must be 64 hexadecimal digits, got {sha256!r}")
    path = local_path(source)
    if path is None:
        with _Partial(destination, source, bool(sha256)) as partial:
            _receive(partial, label or destination.name, tries, pause)
            found = _examine(partial.data, shown, sha256, check)
            partial.data.replace(destination)
    else:
        if not Path(path).is_file():
            raise UserError(f"{source}: no such file; give a path, a file:// or an http(s):// URL")
        with files.written_whole(destination) as copy:
            shutil.copyfile(path, copy)
            found = _examine(copy, shown, sha256, check)
    return found


def _examine(path: Path, source: str, sha256: str | None, check: Callable | None) -> str:
    """Check a complete file; return its SHA-256. Raises UserError as `fetch` does."""
    with open(path, "rb") as stream:
        head = stream.read(512).removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if head.startswith((b"<!doctype html", b"<html")):
        raise UserError(f"{source} is an HTML page, not the file: correct the address")
    found = files.sha256(path)
    if sha256 and found != sha256.lower():
        raise UserError(
            f"{source} has another sha256; nothing of it is kept\n  expected {sha256.lower()}\n"
            f"  found    {found}\nrun again, or correct the digest if the file was replaced"
        )
    if check:
        check(path)
    if not sha256:
        print(f"note: {source} has no sha256 in the config; found {found}", file=sys.stderr)
    return found


class _Partial:
    """The received bytes of a URL and the note of their version. One process holds them."""

    def __init__(self, destination: Path, url: str, digest_known: bool):
        self.url, self.shown, self.digest_known = url, masked(url), digest_known
        self.data = destination.with_name(f".{destination.name}.partial")

    def __enter__(self) -> "_Partial":
        self.data.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(f"{self.data}.json", "a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(f"{self.data} belongs to a download that is still running") from error
        except OSError:
            pass  # a file system without locks: Snakemake runs one job per output anyway
        self._file.seek(0)
        try:
            self.note = json.load(self._file)
        except ValueError:  # none yet, or its writer was killed
            self.note = {}
        if not isinstance(self.note, dict) or self.note.get("url") != self.shown:
            self.begin(None, None)
        return self

    def __exit__(self, kind, *_) -> None:
        if not self.resumable and (kind is UserError or not self.complete):
            self.data.unlink(missing_ok=True)
            Path(self._file.name).unlink()
        self._file.close()

    @property
    def size(self) -> int:
        return self.data.stat().st_size if self.data.exists() else 0

    @property
    def complete(self) -> bool:
        return 0 < self.size == self.note["total"]

    @property
    def resumable(self) -> bool:
        """Whether a later request may go on: the version is known, or the digest will tell."""
        identified = self.note["validator"] or self.digest_known
        return bool(identified) and 0 < self.size < (self.note["total"] or 0)

    def begin(self, total: int | None, validator: str | None) -> None:
        """Delete what was received and note which version comes next.

        Raises OSError that names the note's file.
        """
        self.data.write_bytes(b"")
        self.note = {"url": self.shown, "total": total, "validator": validator}
        try:
            self._file.truncate(0)
            self._file.write(json.dumps(self.note))
            self._file.flush()
        except OSError as error:
            error.filename = self._file.name
            raise


def _receive(partial: _Partial, label: str, tries: int, pause: float) -> None:
    """Send requests until the file is complete; raise UserError after the last try."""
    for attempt in range(tries):
        try:
            return _request(partial, label)
        except (OSError, ValueError, HTTPError) as error:
            # The disk's, the client's about an address, or one that no other try would mend.
            lasting = _lasting(error)
            if lasting or not isinstance(error, _BROKEN) or isinstance(error, ValueError):
                problem = _told(lasting or error, partial.url)
                raise UserError(
                    f"{partial.shown}: cannot get {partial.data}: {problem}"
                ) from None  # the cause would name the URL with its secrets
            cause = _told(error, partial.url)
        print(f"note: {label}: {cause}; try {attempt + 1} of {tries}", file=sys.stderr)
        if attempt + 1 < tries:
            time.sleep(pause * 2**attempt)
    kept = f"{partial.size} of {partial.note['total']} bytes" if partial.resumable else "0 bytes"
    raise UserError(
        f"{partial.shown}: {cause} ({tries} tries)\n{kept} are kept; run again to resume"
    )


def _told(error: BaseException, url: str) -> str:
    """What an error says, without the secrets of the URL, whose path and query it may name."""
    query = url.partition("?")[2]
    return masked(str(error).replace(f"?{query}", "?***") if query else str(error))


def _lasting(error: BaseException) -> BaseException | None:
    """What in the chain behind an error will be the same at the next try; None if nothing is."""
    chain = [error]
    for one in chain:
        inner = (*one.args, getattr(one, "reason", None), one.__cause__, one.__context__)
        chain += [x for x in inner if isinstance(x, BaseException) and x not in chain]
        if isinstance(one, ssl.SSLCertVerificationError):
            return one
        if isinstance(one, socket.gaierror) and one.errno in _NO_SUCH_HOST:
            return one
    return None


@contextlib.contextmanager
def _within(seconds: float) -> Iterator[None]:
    """Raise ConnectionError in a block that takes longer. Of the main thread only.

    The client's own time limit begins anew with each byte, also within the head of a reply.
    """

    def give_up(*_):
        raise ConnectionError(f"no reply within {seconds:g} s")

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _arriving(reply: requests.Response) -> Iterator[bytes]:
    """The body in pieces as they arrive. Raises ConnectionError when too few bytes arrive."""
    began, count = time.monotonic(), 0
    while piece := reply.raw.read1(_CHUNK, decode_content=True):
        yield piece
        count += len(piece)
        seconds = time.monotonic() - began
        if seconds >= SPEED_SECONDS:
            if count < LEAST_SPEED * seconds:
                raise ConnectionError(f"only {count} bytes came in {seconds:.0f} s")
            began, count = time.monotonic(), 0


def _request(partial: _Partial, label: str) -> None:
    """Request what is missing. Each chunk is written at once, so that a kill loses little."""
    if partial.complete:  # an earlier process ended just before the last step
        return
    headers = {"Accept-Encoding": "identity"}  # lengths and ranges then count the file's bytes
    if partial.resumable:
        headers |= {"Range": f"bytes={partial.size}-", "If-Range": partial.note["validator"]}
    with _within(REPLY_SECONDS):
        reply = requests.get(partial.url, headers=headers, stream=True, timeout=TIMEOUT)
    with reply:
        _accept(reply, partial)
        total = partial.note["total"]
        units = dict(unit="B", unit_scale=True, mininterval=0.1 if sys.stderr.isatty() else 30.0)
        bar = tqdm(desc=label, total=total, initial=partial.size, **units)
        with bar, open(partial.data, "ab", buffering=0) as stream:
            for piece in _arriving(reply):
                if stream.write(piece) < len(piece):
                    raise OSError("the disk or the quota is full")
                bar.update(len(piece))
                if total is not None and stream.tell() > total:
                    break
                _check_size(stream.tell(), partial)
    if total is not None and partial.size != total:
        raise ConnectionError(f"{partial.size} bytes came where {total} were announced")


def _check_size(size: int, partial: _Partial) -> None:
    """Raise UserError, and keep nothing, where a file is larger than any that is fetched."""
    if size > MOST_BYTES:
        partial.begin(None, None)
        raise UserError(
            f"{partial.shown} is larger than {MOST_BYTES:,} bytes, the most that is fetched; give "
            "a local path"
        )


def _accept(reply: requests.Response, partial: _Partial) -> None:
    """Check a reply before its body is read.

    Raises ConnectionError when another request may help, UserError when none can.
    """
    status, fields = reply.status_code, reply.headers
    answer = f"HTTP {status} {reply.reason}"
    etag = fields.get("ETag", "W/")  # a weak one (W/) does not promise equal bytes
    validator = fields.get("Last-Modified") if etag.startswith("W/") else etag
    if status in _TRANSIENT:
        raise ConnectionError(answer)
    if status not in (200, 206, 416):
        raise UserError(f"{partial.shown}: {answer}; correct the address or give a local path")
    if fields.get("Content-Type", "").startswith("text/html"):
        raise UserError(f"{partial.shown} is an HTML page, not the file: correct the address")
    if status == 200:  # the whole file: first request, changed since, or Range ignored
        length = fields.get("Content-Length", "")
        if not (length.isdecimal() or partial.digest_known or "Transfer-Encoding" in fields):
            raise UserError(f"{partial.shown}: the server tells no length; configure its sha256")
        _check_size(int(length) if length.isdecimal() else 0, partial)
        return partial.begin(int(length) if length.isdecimal() else None, validator)
    total = partial.note["total"] or 0
    rest = f"bytes {partial.size}-{total - 1}/{total}"
    if fields.get("Content-Range") != rest or validator not in (None, partial.note["validator"]):
        partial.begin(None, None)
        raise ConnectionError(f"{answer}, but not the rest of the file begun")
