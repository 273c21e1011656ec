"""Tables of a page: what their cells show, and what their columns sort by."""

import html
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import pandas as pd

from .markup import Block
from .pages import TABLES_PAGE, render

_LEADING_NUMBER = re.compile(r"([+-]?\d[\d,]*\.?\d*(?:e[+-]?\d+)?)( [kM]\b)?")
LONGEST = 2000  # rows of a page from which a table by stratum leaves out its classes
LARGEST = 3_600_000  # bytes of the rows of a page, which then takes less than 4 MB
LARGEST_CSV = 500_000  # bytes of a CSV file that its page holds too
_ROW_MARKUP, _CELL_MARKUP = len('<tr>\n<th scope="row"></th>\n</tr>\n'), len("<td></td>\n")
_KEY_MARKUP = ' data-value=""'
_UNITS = {None: 1, " k": 1e3, " M": 1e6}


class Cell(NamedTuple):
    """A cell's text, and what its column sorts by if that is not the text.

    key: a number, or an empty string for a missing one; None in a column of words.
    """

    text: str
    key: float | str | None = None

    @property
    def sort_key(self) -> str | None:
        """The key as the page holds it: a number has nine digits."""
        return f"{self.key:.9g}" if isinstance(self.key, int | float) else self.key


@dataclass(frozen=True)
class Table:
    """A table that a reader can sort by any column; the first column names each row.

    numeric: which columns hold numbers.  caption: may be empty.  meanings: what columns mean, by
    their names in the header.
    """

    header: list[str]
    numeric: list[bool]
    rows: list[list[Cell]]
    caption: str = ""
    meanings: Mapping[str, str] = field(default_factory=dict)

    def explained(self, meanings: Mapping[str, str]) -> "Table":
        """The same table, whose page tells these meanings of its columns."""
        return replace(self, meanings=meanings)

    @classmethod
    def of_frame(cls, frame: pd.DataFrame, largest: float = math.inf) -> "Table":
        """Numbers are rounded for the reader and sort by their full value; NaN is left empty.

        largest: bytes on a page that the rows take at most; those beyond are left out.
        """
        numeric = [pd.api.types.is_numeric_dtype(frame[name]) for name in frame]
        rows, size = [], 0
        for values in frame.itertuples(index=False, name=None):
            row = [_value_cell(*pair) for pair in zip(values, numeric, strict=True)]
            size += _ROW_MARKUP + sum(map(_size, row))
            if size > largest:
                break
            rows.append(row)
        return cls(list(map(str, frame)), numeric, rows)

    @classmethod
    def of_mapping(cls, values: dict, first: str, second: str) -> "Table":
        """Two columns of words under these names; an empty value is `none`."""
        rows = [
            [Cell(str(key)), Cell("none" if value in ({}, None) else str(value))]
            for key, value in values.items()
        ]
        return cls([first, second], [False, False], rows)

    @classmethod
    def of_block(cls, block: Block) -> "Table":
        """A column in which a cell begins with a number sorts by these numbers."""
        keys = [[leading_number(text) for text in row] for row in block.rows]
        numeric = [
            place > 0 and any(row[place] != "" for row in keys)
            for place in range(len(block.header))
        ]
        rows = [
            [Cell(text, key if numeric[place] else None) for place, (text, key) in enumerate(cells)]
            for cells in map(zip, block.rows, keys)
        ]
        return cls(list(block.header), numeric, rows, block.caption, block.meanings)


def _size(cell: Cell) -> int:
    """How many bytes a cell takes on a page."""
    key = "" if cell.key is None else _KEY_MARKUP + cell.sort_key
    return _CELL_MARKUP + len(html.escape(cell.text).encode()) + len(key)


def _value_cell(value, numeric: bool) -> Cell:
    if pd.isna(value):
        return Cell("", "" if numeric else None)
    return Cell(rounded(value), float(value)) if numeric else Cell(str(value))


def rounded(value: float) -> str:
    """Three decimals; a whole number in full; a power of ten where the number needs one."""
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:.3f}" if 1e-3 <= abs(value) < 1e6 else f"{value:.1e}"


def leading_number(text: str) -> float | str:
    """The number that a text begins with (`0.53 ± 0.03`, `1,234`, `28.6 M`), or an empty string."""
    found = _LEADING_NUMBER.match(text)
    return float(found[1].replace(",", "")) * _UNITS[found[2]] if found else ""


def beginning(frame: pd.DataFrame, file: str) -> tuple[Table, list[str]]:
    """What a page shows of a table, and sentences on what it leaves out, none if it has all.

    Of a table by stratum with more than LONGEST rows, a page leaves out the classes. Of any table
    it shows as many of the first rows as take LARGEST bytes.  file: name of the CSV file, which
    has all rows.
    """
    shown, sentences = frame, []
    if len(frame) > LONGEST and "stratification" in frame:
        shown = frame[frame["stratification"] != "class"]
        count = len(frame) - len(shown)
        sentences.append(f"The {count:,} rows of single classes are in {file}, not on this page.")
    table = Table.of_frame(shown, LARGEST)
    if len(table.rows) < len(shown):
        words = f"The first {len(table.rows):,} of {len(shown):,} rows are shown"
        sentences.append(f"{words}; {file} has all of them.")
    return table, sentences


def tables_page(
    title: str, tables: list[Table], remarks: list[str], name: str, csv: str | None, scope: str = ""
) -> str:
    """A page of tables with remarks below, which also holds them as a CSV file to save.

    name, csv: of that file, and its text; without the text the page says where the file is.
    scope: a sentence under the title.
    """
    shown = [remark for remark in remarks if remark]
    if csv is None:
        shown.append(
            f"With all digits it is the file {name} of the study, too large for this page."
        )
    about = {"title": title, "scope": scope, "remarks": shown}
    return render(TABLES_PAGE, tables=tables, name=name, csv=csv, **about)
