"""Where a file that a config or a command line names lies.

On this machine (a path, or a file:// URL), on a web server (http:// or https://), or on the Hugging
Face hub: `hf://OWNER/NAME/FILE.safetensors`, with `@REVISION` behind the name where a branch, tag
or commit other than `main` is meant.
"""

import re
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

HUB = "hf://"
_HUB_FILE = re.compile(
    r"hf://(?P<repository>[\w.-]+/[\w.-]+)(@(?P<revision>[\w.-]+))?/(?P<file>[\w./-]+\.safetensors)",
    re.ASCII,
)
HUB_FORM = (
    "it is like hf://owner/name/model.safetensors, or hf://owner/name@revision/model.safetensors; "
    "only safetensors files are taken from the hub"
)


class HubFile(NamedTuple):
    """A file on the Hugging Face hub. revision: a branch, a tag or a commit; None is `main`."""

    repository: str
    file: str
    revision: str | None = None


def hub_file(source: str) -> HubFile | None:
    """The file of the hub that a source names; None if it names another place.

    No file but a safetensors file is taken from the hub: others can run code when they are opened.
    """
    found = _HUB_FILE.fullmatch(source)
    return HubFile(**found.groupdict()) if found else None


def local_path(source: str) -> str | None:
    """The path of a source that is a path or a file:// URL; None if it is on a server."""
    if source.startswith(("http://", "https://", HUB)):
        return None
    return unquote(source[7:]) if source.startswith("file://") else source


def url_problem(source: str | None) -> str | None:
    """What is wrong with an address on a server; None for a good one, a path, and no source."""
    if source is None or local_path(source) is not None:
        return None
    if source.startswith(HUB):
        good = hub_file(source)
        return None if good else f"{source} is no file of the hub; {HUB_FORM}"
    try:
        parts = urlsplit(source)
        if parts.hostname and parts.port != 0 and not re.search(r"\s", source):
            return None
    except ValueError:
        pass  # a port that is no number, brackets that do not close
    return f"{masked(source)} is no URL; it is like https://host/path/file, without spaces"


def masked(text: str) -> str:
    """A URL, or a text with URLs in it, without secrets: for notes, files, logs and messages.

    User and password before a host, and the values in a query, become `***`. What holds none of
    these, as most paths and URLs, stays as it is.
    """
    text = re.sub(r"(?<=://)[^/?#\s\"']*@", "***@", text)
    text = re.sub(r"(?<=[?&#])([^=&#\s\"']+=)[^&#\s\"')]+", r"\1***", text)
    # A query that is one word: only behind an address, as a sentence may hold a question mark.
    return re.sub(r"(://[^?\s\"']+\?)[^=&#\s\"')]+(?=$|[#\s\"')])", r"\1***", text)
