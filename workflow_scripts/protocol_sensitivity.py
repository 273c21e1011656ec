"""Score one network under the protocol `released` with one field at a time as in `paper`.

From the stored raw maps; the field `geometry`, and all fields together, need a second heatmap
file in which the network sees the whole image. Writes a row per field and explainer.
"""

import argparse

import pandas as pd
from human_alignment.cli import UserError, json_object, run
from human_alignment.datasets import DataFile
from human_alignment.files import written_whole
from human_alignment.heatmaps import HeatmapFile
from human_alignment.protocol import Protocol
from human_alignment.scoring import score_under
from human_alignment.sensitivity import COLUMNS, difference, variants


def main(argv: list[str] | None = None) -> None:
    """Parse, score under each protocol, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="data file with human maps")
    parser.add_argument(
        "--heatmaps", nargs="+", required=True, help="heatmap files of one network, by geometry"
    )
    parser.add_argument(
        "--override", type=json_object, default={}, help="fields that both protocols share, as JSON"
    )
    parser.add_argument("--resamples", type=int, default=2000, help="of the bootstrap")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap")
    parser.add_argument("--output", required=True, help="table to write (.csv)")
    arguments = parser.parse_args(argv)
    base = Protocol.from_config("released", arguments.override)
    paper = Protocol.from_config("paper", arguments.override)
    protocols = variants(base, paper, len(arguments.heatmaps) > 1)
    scores = {}
    with DataFile(arguments.data) as data:
        for path in arguments.heatmaps:
            with HeatmapFile(path) as heatmaps:
                same = {
                    field: one
                    for field, one in {"": base, **protocols}.items()
                    if one.geometry == heatmaps.geometry
                }
                found = score_under(data, heatmaps, heatmaps.explainers, same)
            for explainer, by_field in found.items():
                scores |= {(explainer, field): one for field, one in by_field.items()}
    if not any(field == "" for _, field in scores):
        raise UserError(
            f"no heatmap file has the geometry {base.geometry!r} of the protocol to start from; "
            f"make one with extract_heatmaps.py --geometry {base.geometry}"
        )
    rows = []
    for field, protocol in protocols.items():
        for explainer in dict.fromkeys(explainer for explainer, _ in scores):
            before = scores[explainer, ""], base
            settings = {"resamples": arguments.resamples, "seed": arguments.seed}
            found = difference(scores[explainer, field], protocol, *before, **settings)
            value = getattr(protocol, field, "paper")
            shown = "none" if value is None else value
            rows.append({"field": field, "value": shown, "explainer": explainer, **found})
    with written_whole(arguments.output) as partial:
        pd.DataFrame(rows, columns=COLUMNS).to_csv(partial, index=False)


if __name__ == "__main__":
    run(main)
