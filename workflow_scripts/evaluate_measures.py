"""Agreement of one network's heatmaps with the human maps by measures other than Spearman's.

Writes a row per image and explainer with a column per measure, empty where it is undefined.
"""

import argparse

import numpy as np
import pandas as pd
from human_alignment.common.cli import json_object, progress, run
from human_alignment.common.files import written_whole
from human_alignment.data.data_file import DataFile
from human_alignment.data.resize import resize_bilinear
from human_alignment.heatmaps.heatmap_file import HeatmapFile
from human_alignment.scores.measures import MEASURES, evaluate
from human_alignment.scores.postprocess import postprocess
from human_alignment.scores.protocol import PRESETS, Protocol
from human_alignment.scores.scoring import check_belong_together, human_maps

BATCH = 32  # images held at once


def rows_of(
    data: DataFile, heatmaps: HeatmapFile, measures: list[str], protocol: Protocol
) -> pd.DataFrame:
    """Columns image_id, label, explainer, status and each measure."""
    size, tables = data.image_size, []
    with progress(None, len(heatmaps), "measures", "image") as bar:
        for start in range(0, len(heatmaps), BATCH):
            stop = min(start + BATCH, len(heatmaps))
            human = resize_bilinear(human_maps(data, heatmaps.rows[start:stop]), size, size)
            human = human.reshape(stop - start, -1)
            for name in heatmaps.explainers:
                maps = postprocess(protocol, name, heatmaps.maps(name, start, stop), size)
                found = {m: evaluate(m, human, maps.reshape(human.shape)) for m in measures}
                columns = {m: values for m, (values, _) in found.items()}
                status = next(iter(found.values()))[1]
                first = {
                    "image_id": heatmaps.image_ids[start:stop],
                    "label": heatmaps.labels[start:stop],
                    "explainer": name,
                    "status": status,
                }
                tables.append(pd.DataFrame(first | columns))
            bar.update(stop - start)
    order = {name: place for place, name in enumerate(heatmaps.explainers)}
    whole = pd.concat(tables, ignore_index=True)
    return whole.iloc[np.argsort(whole["explainer"].map(order), kind="stable")]


def main(argv: list[str] | None = None) -> None:
    """Parse, evaluate, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="data file with human maps")
    parser.add_argument("--heatmaps", required=True, help="heatmap file of one network")
    parser.add_argument("--measures", nargs="+", required=True, choices=list(MEASURES))
    parser.add_argument("--protocol", default="released", help=" or ".join(PRESETS))
    parser.add_argument(
        "--override", type=json_object, default={}, help="protocol fields to change, as JSON"
    )
    parser.add_argument("--output", required=True, help="values per image to write (.csv)")
    arguments = parser.parse_args(argv)
    protocol = Protocol.from_config(arguments.protocol, arguments.override)
    with DataFile(arguments.data) as data, HeatmapFile(arguments.heatmaps) as heatmaps:
        check_belong_together(data, heatmaps, protocol)
        table = rows_of(data, heatmaps, arguments.measures, protocol)
    with written_whole(arguments.output) as partial:
        table.to_csv(partial, index=False)


if __name__ == "__main__":
    run(main)
