"""Maps of references for a few records, to be looked at."""

from collections.abc import Sequence

import numpy as np

from ..data.data_file import DataFile
from ..data.images import present
from ..data.outside_maps import OutsideMaps
from ..data.resize import resize_map
from .reference_file import CENTRE, References
from .reference_scoring import CLASS_MEAN, MEAN, OF_IMAGE, sum_of_maps, sums_of
from .references import centre


def reference_maps(
    data: DataFile,
    found: References,
    rows: Sequence[int],
    outside: Sequence[OutsideMaps],
    side: int,
) -> dict[str, np.ndarray]:
    """Maps of some records by reference, float32 (k, side, side); NaN where a record has none.

    found: their scores, which say which reference has a map of which record.  rows: of the data
    file.  outside: maps of other people's models, named as in `found`. References whose maps are
    not here, such as a network's own maps of other images, are left out.
    """
    total = sum_of_maps(data)
    groups = data.groups
    read = {one.name: one for one in outside}

    def one_map(name: str, row: int) -> np.ndarray | None:
        if name == CENTRE:
            return None if np.isnan(found.ratio[row]) else centre(side, float(found.ratio[row]))
        if name in (MEAN, CLASS_MEAN):
            own = sums_of(data, np.flatnonzero(groups == groups[row]))
            label = int(data.labels[row]) if name == CLASS_MEAN else None
            return total.mean_without(own, label)
        if name in OF_IMAGE:
            return OF_IMAGE[name](present(data, row))
        return read[name].map(data.image_ids[row])

    known = [n for n in found.scores if n in (CENTRE, MEAN, CLASS_MEAN, *OF_IMAGE, *read)]
    maps = {name: np.full((len(rows), side, side), np.nan, np.float32) for name in known}
    for name, values in maps.items():
        for place, row in enumerate(rows):
            one = one_map(name, row)
            if one is not None:
                values[place] = resize_map(np.asarray(one, np.float32), side, side)
    return maps
