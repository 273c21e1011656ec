"""A Hugging Face hub on 127.0.0.1 that answers as huggingface_hub asks, and notes what it is asked.

It serves `/<owner>/<name>/resolve/<revision>/<file>`: HEAD tells commit, digest and size, GET gives
the bytes. With a `status` it answers that instead.
"""

import hashlib
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import timm
import torch
from huggingface_hub import constants
from safetensors.torch import save

COMMIT = "1234567890abcdef1234567890abcdef12345678"


def weights_of(name: str, seed: int = 0) -> bytes:
    """A safetensors file of a network of timm with random weights, every tensor not constant."""
    torch.manual_seed(seed)
    model = timm.create_model(name)
    for parameter in model.parameters():
        if not parameter.any():  # heads and last norms that start at zero hide everything
            torch.nn.init.normal_(parameter, 0, 0.1)
    return save({name: tensor.contiguous() for name, tensor in model.state_dict().items()})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_) -> None:
        """Say nothing: the tests look at `requests`."""

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, with_body: bool) -> None:
        hub: HubServer = self.server.hub
        if "/resolve/" in self.path:  # huggingface_hub may ask for other things about itself
            hub.requests.append((self.command, self.path, self.headers.get("Authorization")))
        repository, _, rest = self.path.lstrip("/").partition("/resolve/")
        body = hub.files.get((repository, rest.partition("/")[2]))
        missing = hub.status or (None if body is not None else 404)
        self.send_response(missing or 200)
        if missing:
            body = b""
            if missing == 404:
                known = repository in {name for name, _ in hub.files}
                self.send_header("X-Error-Code", "EntryNotFound" if known else "RepoNotFound")
        else:
            self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("X-Linked-Size", str(len(body)))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body[: hub.cut_after])
            self.close_connection = hub.cut_after is not None


class HubServer:
    """files: bytes by repository and file.  cut_after: bytes after which a body breaks off.

    requests: method, path and `Authorization` of each request for a file.
    """

    def __init__(self, files: dict[tuple[str, str], bytes] | None = None, status: int = 0):
        self.files, self.status, self.cut_after = files or {}, status, None
        self.requests: list[tuple[str, str, str | None]] = []

    @classmethod
    def of(cls, *names: str) -> "HubServer":
        """timm's repositories of these names, each with random weights."""
        return cls({(f"timm/{name}", "model.safetensors"): weights_of(name) for name in names})

    def __enter__(self) -> "HubServer":
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.hub = self
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def environment(self, home: Path) -> dict[str, str]:
        """What a process needs in its environment to ask this hub, with its cache in `home`."""
        return {"HF_ENDPOINT": self.address, "HF_HOME": str(home), "no_proxy": "127.0.0.1"}

    def used(self, monkeypatch, cache: Path) -> "HubServer":
        """Have huggingface_hub in this process ask this hub, with its cache in `cache`, at once."""
        template = f"{self.address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "ENDPOINT", self.address)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)
        return self


if __name__ == "__main__":  # python tests/hub_server.py NAME...: to look at by hand
    with HubServer.of(*sys.argv[1:]) as served:
        print(f"HF_ENDPOINT={served.address}", flush=True)
        threading.Event().wait()
