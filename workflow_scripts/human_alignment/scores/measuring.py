"""Further measures of one network's heatmaps, image by image."""

import pandas as pd

from ..common.cli import progress
from ..data.data_file import DataFile
from ..data.resize import resize_bilinear
from ..heatmaps.heatmap_file import HeatmapFile
from .measures import evaluate
from .postprocess import postprocess
from .protocol import Protocol
from .scoring import check_belong_together, human_maps

_BATCH = 32  # images held at once


def measure_images(
    data: DataFile,
    heatmaps: HeatmapFile,
    explainers: list[str],
    measures: list[str],
    protocol: Protocol,
) -> pd.DataFrame:
    """A row per explainer and record: image_id, label, explainer, status, each measure, image.

    `image` is the row of the data file's first record with the same pixels.
    A measure is NaN where it is undefined. Raises UserError when the heatmaps are of other images
    or were extracted under another protocol.
    """
    check_belong_together(data, heatmaps, protocol)
    groups, size = data.groups[heatmaps.rows], data.image_size
    tables: dict[str, list[pd.DataFrame]] = {name: [] for name in explainers}
    with progress(None, len(heatmaps), "measures", "image") as bar:
        for start in range(0, len(heatmaps), _BATCH):
            stop = min(start + _BATCH, len(heatmaps))
            human = resize_bilinear(human_maps(data, heatmaps.rows[start:stop]), size, size)
            human = human.reshape(stop - start, -1)
            names = heatmaps.image_ids[start:stop], heatmaps.labels[start:stop]
            first = dict(zip(("image_id", "label"), names, strict=True))
            for name in explainers:
                raw = heatmaps.maps(name, start, stop, protocol.layer)
                maps = postprocess(protocol, name, raw, size)
                found = {m: evaluate(m, human, maps.reshape(human.shape)) for m in measures}
                status = next(iter(found.values()))[1]
                columns = {m: values for m, (values, _) in found.items()}
                columns = {**first, "explainer": name, "status": status, **columns}
                columns["image"] = groups[start:stop]
                tables[name].append(pd.DataFrame(columns))
            bar.update(stop - start)
    return pd.concat([part for parts in tables.values() for part in parts], ignore_index=True)
