"""Tables of single runs put together: which network a file is of stands in its path."""

from pathlib import Path

import pandas as pd

from ..common.cli import UserError
from ..common.paths import network_of


def read_table(path: Path) -> pd.DataFrame:
    """A CSV file with a header; one without rows is an empty table. UserError names the file."""
    try:
        return pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as a table: {error}") from error


def gather(paths: list[Path]) -> pd.DataFrame:
    """Rows of every run's CSV file, each with its model, dcls and run in front.

    Raises UserError naming the file that cannot be read.
    """
    tables = []
    for path in paths:
        table = read_table(path)
        for place, (name, value) in enumerate(network_of(path).items()):
            table.insert(place, name, value)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)
