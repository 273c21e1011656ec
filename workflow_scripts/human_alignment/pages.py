"""Self-contained HTML pages: a template with its styles, scripts and data put in.

The templates are in the folder `templates/` beside this module. A place to be filled is
`[[name]]`; a page loads nothing, neither from the network nor from the folder it lies in.
"""

import json
import re
from html import escape
from pathlib import Path

TEMPLATES = Path(__file__).with_name("templates")
_PLACE = re.compile(r"\[\[([a-z0-9_.]+)\]\]")


def fill(template: str, **parts: str) -> str:
    """A template with its places filled: `[[page.css]]` by that file, `[[title]]` by a part.

    parts: HTML, put in as it is. Raises KeyError for a place that nothing fills.
    """

    def put(place: re.Match) -> str:
        name = place[1]
        return (TEMPLATES / name).read_text() if "." in name else parts[name]

    return _PLACE.sub(put, (TEMPLATES / template).read_text())


def as_data(value) -> str:
    """JSON that can stand inside a `<script>` element: it cannot end that element.

    Raises ValueError on NaN, which browsers cannot read.
    """
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def as_text(value) -> str:
    """Text that can stand inside any element or attribute."""
    return escape(str(value))
