"""Tables of all runs of a study, put together from files of single runs.

A file's path, `<folder>/<model>/<run>.<anything>`, says which network and run it is of.
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ..common.cli import UserError
from .pairs import in_order, network_of

KEYS = ["model", "dcls", "run", "network"]


def read_table(path: Path, text: Sequence[str] = (), numbers: Sequence[str] = ()) -> pd.DataFrame:
    """A CSV file with a header; one without rows is an empty table.

    text, numbers: columns that it must have, in `numbers` finite numbers or empty cells. Raises
    UserError that names the file, and the line where one is at fault.
    """
    try:
        with open(path, newline="", encoding="utf-8") as stream:
            reader = csv.reader(stream)
            header = next(reader, None)
            if header is None:
                raise ValueError("it is empty")
            for place, line in enumerate(reader, 2):
                if len(line) != len(header):
                    raise ValueError(f"line {place} has not the {len(header)} cells of the header")
        table = pd.read_csv(path)
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"{path} cannot be read as a table: {error}") from error
    if missing := [name for name in [*text, *numbers] if name not in table]:
        raise UserError(f"{path} lacks the column {', '.join(missing)}; it has {', '.join(header)}")
    for name in numbers:
        values = pd.to_numeric(table[name], errors="coerce").astype(float)
        wrong = ((values.isna() & table[name].notna()) | np.isinf(values)).to_numpy()
        if wrong.any():
            row = int(np.argmax(wrong))
            raise UserError(
                f"{path}, line {row + 2}: {name} is {str(table[name][row])!r}; allowed: a finite "
                "number, or nothing"
            )
    return table


def gather(
    paths: list[Path],
    twins: Mapping[str, str] | None = None,
    text: Sequence[str] = (),
    numbers: Sequence[str] = (),
) -> pd.DataFrame:
    """Rows of every run's CSV file, each with KEYS in front, in the paper's order of networks.

    twins: as `pairs.TWINS_FLAG` says.  text, numbers: as for `read_table`, and its UserError.
    """
    tables = []
    for path in paths:
        table = read_table(path, text, numbers)
        for place, (name, value) in enumerate(network_of(path, twins).items()):
            table.insert(place, name, value)
        tables.append(table)
    return in_order(pd.concat(tables)).reset_index(drop=True)
