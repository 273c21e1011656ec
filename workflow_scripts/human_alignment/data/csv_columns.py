"""Columns of the CSV files that users bring: fixations and labels."""

from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from ..common.cli import UserError
from ..common.picture_files import ENDINGS


def read_columns(
    path: Path | str, needed: tuple[str, ...], optional: tuple[str, ...] = ()
) -> dict[str, np.ndarray]:
    """Columns of a CSV file with a line of names: text by column, (rows,) each.

    Other columns are left out. Raises UserError that names the file where it cannot be read, lacks
    a needed column, or has none but its first line.
    """
    wanted = f"a CSV file (UTF-8, commas) whose first line is {','.join(needed)}"
    try:
        table = pd.read_csv(
            Path(path), dtype=str, index_col=False, skipinitialspace=True, encoding="utf-8-sig",
            keep_default_na=False,
        ).fillna("")  # fmt: skip
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); allowed: {wanted}") from error
    except (ValueError, pd.errors.ParserError) as error:
        why = " ".join(str(error).split())
        raise UserError(f"{path} cannot be read ({why}); allowed: {wanted}") from error
    if missing := [name for name in needed if name not in table]:
        held = ", ".join(map(repr, table.columns))
        raise UserError(f"{path} lacks the column {missing[0]!r}; it has {held}; allowed: {wanted}")
    if table.empty:
        raise UserError(f"{path} has no line below its names; allowed: {wanted}")
    return {name: table[name].to_numpy() for name in (*needed, *optional) if name in table}


def numbers(path: Path | str, name: str, texts: np.ndarray, lowest: float = -np.inf) -> np.ndarray:
    """A column as finite numbers, float64 (rows,), none below `lowest`.

    Raises UserError that names the file and the line of the first text that is none.
    """
    found = pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce").to_numpy(np.float64)
    wrong = ~(np.isfinite(found) & (found >= lowest))
    if wrong.any():
        row = int(np.argmax(wrong))
        least = f", {lowest:g} or more" if lowest > -np.inf else ""
        raise UserError(
            f"{path}, line {row + 2}: {name} is {texts[row]!r}; allowed: a finite number{least}"
        )
    return found


def without_ending(file: str) -> str:
    """The id of a picture from its file's name, which may lack the picture's ending."""
    path = PurePosixPath(file.strip())
    return str(path.with_suffix("") if path.suffix.lower() in ENDINGS else path)
