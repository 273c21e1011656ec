"""Self-contained HTML pages, rendered by Jinja2 from the folder `templates/` beside this module.

A page loads nothing, neither from the network nor from the folder it lies in: its styles, scripts
and data are in it. Every value is escaped; only the templates themselves are HTML.
"""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).with_name("templates")
# A page: its template, then every file that this one extends, imports or includes.
_TABLE = ("page.html", "page.css", "table.html", "table.css", "table.js")
TABLES_PAGE = ("tables.html", *_TABLE)
STUDY_PAGE = ("study.html", *_TABLE)
GALLERY_PAGE = ("gallery.html", "page.html", "page.css", "gallery.css", "gallery.js")


def css_string(text: str) -> str:
    """Text as a string of a style sheet: whatever is not a plain letter or digit is escaped.

    The result is safe in HTML.
    """
    escaped = "".join(c if c.isascii() and c.isalnum() else f"\\{ord(c):x} " for c in text)
    return f'"{escaped}"'


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters["css_string"] = css_string
_ENVIRONMENT.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}


def render(page: tuple[str, ...], **values) -> str:
    """The HTML of one of the pages above.

    Raises jinja2.UndefinedError for a value that the template needs and does not get, and
    ValueError for NaN in data, which browsers cannot read.
    """
    return _ENVIRONMENT.get_template(page[0]).render(**values)
