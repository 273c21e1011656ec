"""Score one network under a protocol with one field at a time as in another protocol.

From the stored raw maps; the field `geometry`, and all fields together, need a second heatmap
file of the other geometry, unless the network's crop cuts nothing off. The field `layer` is changed
too, although no protocol asks for it, where the heatmap file has the maps of both layers. Writes
every image's rho under every protocol; collect_sensitivity.py makes differences of them.
"""

import argparse
from contextlib import ExitStack

from human_alignment.common.cli import run
from human_alignment.data.data_file import DataFile
from human_alignment.heatmaps.heatmap_file import HeatmapFile
from human_alignment.scores.protocol import PROTOCOL_HELP, protocol_argument
from human_alignment.scores.protocol_variants import BASE, changed_protocols
from human_alignment.scores.scoring import EXPLAINERS_FLAG, score_geometries, source_fields
from human_alignment.scores.variant_file import VariantSource, write_variants


def main(argv: list[str] | None = None) -> None:
    """Parse, score under each protocol, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="data file with human maps")
    parser.add_argument(
        "--heatmaps", nargs="+", required=True, help="heatmap files of one network, by geometry"
    )
    parser.add_argument(
        "--protocol",
        type=protocol_argument,
        default="released",
        help=f"to start from: {PROTOCOL_HELP}",
    )
    parser.add_argument(
        "--other", type=protocol_argument, default="paper", help="whose fields are taken one by one"
    )
    parser.add_argument("--explainers", **EXPLAINERS_FLAG)
    parser.add_argument("--output", required=True, help="scores by protocol to write (.h5)")
    arguments = parser.parse_args(argv)
    with DataFile(arguments.data) as data, ExitStack() as stack:
        files = [stack.enter_context(HeatmapFile(path)) for path in arguments.heatmaps]
        geometries = [geometry for heatmaps in files for geometry in heatmaps.geometries]
        base, other = arguments.protocol, arguments.other
        changed = changed_protocols(
            base,
            other,
            geometry=other.geometry in geometries,
            ceiling=data.human_ceiling is not None,
            layer=any(one.layers_differ for one in files if base.geometry in one.geometries),
        )
        protocols = {BASE: base, **changed}
        scores = score_geometries(data, files, protocols, arguments.explainers)
        made_from = source_fields(data, files[0], list(scores))
        source = VariantSource(**made_from, protocols=protocols)
    write_variants(arguments.output, source, scores)


if __name__ == "__main__":
    run(main)
