"""Score one network under the protocol `released` with one field at a time as in `paper`.

From the stored raw maps; the field `geometry`, and all fields together, need a second heatmap
file in which the network sees the whole image. Writes a row per field and explainer.
"""

import argparse
from contextlib import ExitStack

import pandas as pd
from human_alignment.common.cli import UserError, json_object, run
from human_alignment.common.files import written_whole
from human_alignment.data.data_file import DataFile
from human_alignment.heatmaps.heatmap_file import HeatmapFile
from human_alignment.scores.protocol import Protocol
from human_alignment.scores.scoring import Scores, score_under
from human_alignment.scores.sensitivity import COLUMNS, difference, variants


def score_each(
    data: DataFile, files: list[HeatmapFile], protocols: dict[str, Protocol]
) -> dict[tuple[str, str], Scores]:
    """Scores by explainer and field, each protocol on the maps of its geometry."""
    scores = {}
    for heatmaps in files:
        same = {
            field: protocol
            for field, protocol in protocols.items()
            if protocol.geometry == heatmaps.geometry
        }
        for explainer, found in score_under(data, heatmaps, heatmaps.explainers, same).items():
            scores |= {(explainer, field): one for field, one in found.items()}
    return scores


def check_files(files: list[HeatmapFile], base: Protocol) -> None:
    """Refuse maps of several networks or explainers, and none of the geometry to start from."""
    first = files[0]
    for other in files[1:]:
        for what in ("weights_digest", "explainers"):
            if getattr(first, what) != getattr(other, what):
                raise UserError(
                    f"{first.path} and {other.path} are not of one network and its explainers: "
                    f"{what} is {getattr(first, what)} and {getattr(other, what)}"
                )
    if base.geometry not in [heatmaps.geometry for heatmaps in files]:
        raise UserError(
            f"no heatmap file has the geometry {base.geometry!r} of the protocol to start from; "
            f"make one with extract_heatmaps.py --geometry {base.geometry}"
        )


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
    settings = {"resamples": arguments.resamples, "seed": arguments.seed}
    rows = []
    with DataFile(arguments.data) as data, ExitStack() as stack:
        files = [stack.enter_context(HeatmapFile(path)) for path in arguments.heatmaps]
        check_files(files, base)
        protocols = variants(base, paper, paper.geometry in [one.geometry for one in files])
        scores = score_each(data, files, {"": base, **protocols})
        explainers = files[0].explainers
    for field, protocol in protocols.items():
        shown = getattr(protocol, field, "paper")
        for explainer in explainers:
            before = scores[explainer, ""], base
            found = difference(scores[explainer, field], protocol, *before, **settings)
            value = "none" if shown is None else shown
            rows.append({"field": field, "value": value, "explainer": explainer, **found})
    with written_whole(arguments.output) as partial:
        pd.DataFrame(rows, columns=COLUMNS).to_csv(partial, index=False)


if __name__ == "__main__":
    run(main)
