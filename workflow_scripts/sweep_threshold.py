"""Score one network's Threshold-Grad-CAM maps at many thresholds, from the stored raw maps.

Writes every image's rho at every threshold; collect_sweeps.py makes curves of them. The human maps
are ranked once for all thresholds.
"""

import argparse

from human_alignment.common.cli import run
from human_alignment.data.data_file import DataFile
from human_alignment.heatmaps.heatmap_file import HeatmapFile
from human_alignment.scores.protocol import PROTOCOL_HELP, protocol_argument
from human_alignment.scores.protocol_variants import SWEPT, sweep_protocols, thresholds_argument
from human_alignment.scores.scoring import score_under, source_fields
from human_alignment.scores.variant_file import VariantSource, write_variants


def main(argv: list[str] | None = None) -> None:
    """Parse, score at every threshold, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="data file with human maps")
    parser.add_argument("--heatmaps", required=True, help="heatmap file of one network")
    parser.add_argument(
        "--thresholds", type=thresholds_argument, required=True, help="JSON list, 0 to 1 each"
    )
    parser.add_argument(
        "--protocol", type=protocol_argument, default="released", help=PROTOCOL_HELP
    )
    parser.add_argument("--output", required=True, help="scores by threshold to write (.h5)")
    arguments = parser.parse_args(argv)
    protocols = sweep_protocols(arguments.protocol, arguments.thresholds)
    with DataFile(arguments.data) as data, HeatmapFile(arguments.heatmaps) as heatmaps:
        scores = score_under(data, heatmaps, [SWEPT], protocols)
        source = VariantSource(**source_fields(data, heatmaps, [SWEPT]), protocols=protocols)
    write_variants(arguments.output, source, scores)


if __name__ == "__main__":
    run(main)
