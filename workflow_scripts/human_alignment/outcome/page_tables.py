"""Tables of a page: what their cells show, and what their columns sort by."""

import re
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from .markup import Block
from .pages import TABLES_PAGE, render

_LEADING_NUMBER = re.compile(r"([+-]?\d[\d,]*\.?\d*(?:e[+-]?\d+)?)( [kM]\b)?")
LONGEST = 2000  # rows of a page from which a table by stratum leaves out its classes
_UNITS = {None: 1, " k": 1e3, " M": 1e6}


class Cell(NamedTuple):
    """A cell's text, and what its column sorts by if that is not the text.

    key: a number, or an empty string for a missing one; None in a column of words.
    """

    text: str
    key: float | str | None = None


@dataclass(frozen=True)
class Table:
    """A table that a reader can sort by any column; the first column names each row.

    numeric: which columns hold numbers.  caption: may be empty.
    """

    header: list[str]
    numeric: list[bool]
    rows: list[list[Cell]]
    caption: str = ""

    @classmethod
    def of_frame(cls, frame: pd.DataFrame) -> "Table":
        """Numbers are rounded for the reader and sort by their full value; NaN is left empty."""
        numeric = [pd.api.types.is_numeric_dtype(frame[name]) for name in frame]
        rows = [
            [_value_cell(*pair) for pair in zip(row, numeric, strict=True)]
            for row in frame.itertuples(index=False, name=None)
        ]
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
        return cls(list(block.header), numeric, rows, block.caption)


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


def without_long_part(frame: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The rows that a page shows, and a sentence on those that it leaves out, empty if none.

    Of a table by stratum with more than LONGEST rows, a page leaves out the classes.
    """
    if len(frame) <= LONGEST or "stratification" not in frame:
        return frame, ""
    shown = frame[frame["stratification"] != "class"]
    count = len(frame) - len(shown)
    return shown, f"The {count:,} rows of single classes are in the CSV file, not on this page."


def tables_page(
    title: str, tables: list[Table], remarks: list[str], name: str, csv: str, scope: str = ""
) -> str:
    """A page of tables with remarks below, which also holds them as a CSV file to save.

    name, csv: of that file, and its text.  scope: a sentence under the title.
    """
    shown = [remark for remark in remarks if remark]
    about = {"title": title, "scope": scope, "remarks": shown}
    return render(TABLES_PAGE, tables=tables, name=name, csv=csv, **about)
