"""Where a file that a config or a command line names lies: on a web server, or on this machine."""

import re
from urllib.parse import unquote, urlsplit


def local_path(source: str) -> str | None:
    """The path of a source that is a path or a file:// URL; None if it is an http(s) URL."""
    if source.startswith(("http://", "https://")):
        return None
    return unquote(source[7:]) if source.startswith("file://") else source


def url_problem(source: str | None) -> str | None:
    """What is wrong with an http(s) URL; None for a good one, for a path, and for no source."""
    if source is None or local_path(source) is not None:
        return None
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
