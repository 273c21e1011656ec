"""Means of the further measures over images, with their intervals."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from .image_summary import mean_over_images
from .measures import MEASURES
from .run_tables import KEYS, gather, read_table


def gather_measures(paths: list[Path], twins: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Rows of all runs' `<run>.measures.csv`, as `run_tables.gather` gives them.

    Raises UserError that names the file whose columns are not those of the first one, or hold
    anything but finite numbers.
    """
    measures = [name for name in MEASURES if name in read_table(paths[0])]
    return gather(paths, twins, ["image_id", "explainer", "status"], [*measures, "image"])


def mean_measures(table: pd.DataFrame, resamples: int, seed: int) -> pd.DataFrame:
    """A row per run, explainer and measure: n, mean and its 95 % interval low to high.

    table: rows of `measure_images` of all runs, with model, dcls and run. Records of one image are
    averaged first; n counts images. The mean is empty when no image has a defined value, the
    interval also when only one has.
    """
    rows = []
    for key, part in table.groupby([*KEYS, "explainer"], sort=False):
        names = dict(zip([*KEYS, "explainer"], key, strict=True))
        for measure in [name for name in MEASURES if name in part]:
            values, images = part[measure].to_numpy(), part["image"].to_numpy()
            found = mean_over_images(values, images, resamples=resamples, seed=seed)
            rows.append({**names, "measure": measure, **found})
    return pd.DataFrame(rows)
