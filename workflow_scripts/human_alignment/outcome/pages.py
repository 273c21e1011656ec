"""Self-contained HTML pages: a template with its styles, scripts and data put in.

The templates are in the folder `templates/` beside this module. A place to be filled is
`[[name]]`; a page loads nothing, neither from the network nor from the folder it lies in.
"""

import base64
import json
import re
from html import escape
from pathlib import Path

import pandas as pd

TEMPLATES = Path(__file__).with_name("templates")
_PLACE = re.compile(r"\[\[([a-z0-9_.]+)\]\]")
_NUMBER = ' class="number"'


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


def table_page(title: str, *fragments: str) -> str:
    """A page of tables and other fragments of HTML, in their order."""
    return fill("table.html", title=as_text(title), body="\n".join(fragments))


def paragraph(text: str) -> str:
    """A paragraph of secondary text; nothing for an empty one."""
    return f'<p class="quiet">{as_text(text)}</p>' if text else ""


def download(text: str, name: str, kind: str = "text/csv") -> str:
    """A link that saves `text` as a file of that name; the page holds it itself."""
    held = base64.b64encode(text.encode()).decode()
    return (
        f'<p><a download="{as_text(name)}" href="data:{kind};charset=utf-8;base64,{held}">'
        f"Save as {as_text(name)}</a></p>"
    )


def folded(title: str, content: str, opened: bool = False) -> str:
    """A part of a page that the reader opens."""
    state = " open" if opened else ""
    return f"<details{state}><summary>{as_text(title)}</summary>\n{content}\n</details>"


def table(frame: pd.DataFrame, name: str) -> str:
    """A sortable table. name: read out by screen readers.

    Numbers are shown with three decimals, very small and large ones with their power of ten;
    they sort by their full value. An empty cell sorts last.
    """
    numeric = [pd.api.types.is_numeric_dtype(frame[column]) for column in frame]
    head = "".join(
        f'<th scope="col"{_NUMBER if number else ""}><button type="button">'
        f"{as_text(column)}</button></th>"
        for column, number in zip(frame, numeric, strict=True)
    )
    rows = "".join(
        "<tr>" + "".join(map(_cell, row, numeric)) + "</tr>\n"
        for row in frame.itertuples(index=False, name=None)
    )
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{as_text(name)}"><table>'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>"
    )


def _cell(value, numeric: bool) -> str:
    if pd.isna(value):
        return f'<td{_NUMBER if numeric else ""} data-value=""></td>'
    if not numeric:
        return f"<td>{as_text(value)}</td>"
    return f'<td{_NUMBER} data-value="{float(value)!r}">{as_text(number(value))}</td>'


def number(value: float) -> str:
    """A number as a table shows it."""
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:.3f}" if 1e-3 <= abs(value) < 1e6 else f"{value:.1e}"
