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
        if parts.hostname and parts.port != 0 and not set(source) & set(" \t\r\n"):
            return None
        reason = "it needs a host, and no spaces"
    except ValueError as error:
        reason = str(error)
    return f"{masked(source)} is no URL ({reason}); it is like https://host/path/file"


def masked(source: str) -> str:
    """A source without its secrets, for notes, files and messages.

    User and password of a URL, and the value of each field of its query, become `***`. A path, and
    a URL without secrets, stay as they are.
    """
    if local_path(source) is not None:
        return source
    address, mark, query = source.partition("?")
    address = re.sub(r"(?<=://)[^/]*@", "***@", address)
    return address + mark + re.sub(r"(?<==)[^&#]+|^[^=&#]+$", "***", query)
