"""Means of the further measures over images, with their intervals."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from ..common.cli import UserError
from .bootstrap import Row, add_intervals
from .image_summary import mean_row
from .measures import MEASURES
from .pairs import in_order, network_of


def measures_table(
    paths: list[Path], twins: Mapping[str, str] | None = None, **settings
) -> pd.DataFrame:
    """A row per run, explainer and measure: n, mean and its 95 % interval low to high.

    paths: `<folder>/<model>/<run>.measures.parquet` of all runs.  twins: as `pairs.TWINS_FLAG`
    says.  settings: `resamples` and `seed` of the bootstrap.  Records of one image are averaged
    first; n counts images. The mean is empty when no image has a defined value, the interval also
    when only one has. Raises UserError that names a file that cannot be read, and one with other
    measures than the first.
    """

    def rows() -> Iterator[Row]:
        first = None
        for path in paths:
            table = read_measures(path)
            measures = [name for name in MEASURES if name in table]
            first = first or (path, measures)
            if measures != first[1]:
                raise UserError(
                    f"{path} has the measures {', '.join(measures)}, {first[0]} has "
                    f"{', '.join(first[1])}; evaluate both again"
                )
            for explainer, part in table.groupby("explainer", sort=False):
                for measure in measures:
                    row, values = mean_row(part[measure].to_numpy(), part["image"].to_numpy())
                    names = {"explainer": explainer, "measure": measure}
                    yield network_of(path, twins) | names | row, values

    return in_order(pd.DataFrame(add_intervals(rows(), **settings))).reset_index(drop=True)


def read_measures(path: Path | str) -> pd.DataFrame:
    """Rows of `measuring.measure_images`. Raises UserError that names a file that is not such."""
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as Parquet: {error}") from error
    measures = [name for name in MEASURES if name in table]
    missing = [name for name in ("explainer", "status", "image") if name not in table]
    missing += [] if measures else ["of a measure"]
    if missing:
        raise UserError(f"{path} lacks the column {', '.join(missing)}; evaluate it again")
    for name in measures:
        if table[name].dtype != np.float64 or np.isinf(table[name]).any():
            raise UserError(f"{path}: {name} is not a column of finite numbers; evaluate it again")
    return table
