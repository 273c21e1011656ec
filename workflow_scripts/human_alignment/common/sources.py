"""Where a file that a config or a command line names lies: on a web server, or on this machine."""

from urllib.parse import unquote


def local_path(source: str) -> str | None:
    """The path of a source that is a path or a file:// URL; None if it is an http(s) URL."""
    if source.startswith(("http://", "https://")):
        return None
    return unquote(source[7:]) if source.startswith("file://") else source
