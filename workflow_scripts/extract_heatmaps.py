"""Write the raw heatmaps of one network for every image of a data file.

All explainers, and the maps of both layers, come from one forward pass: fewer explainers take
no less time. A run that was killed continues with the first chunk that is missing. With --shard
I/N only the I-th of N parts of the images is done, counted from 0; join_heatmaps.py makes one file
of all parts, identical to that of one job. Images whose activations are not finite are named,
counted, and stored as NaN.
"""

import argparse
import sys

import human_alignment.networks.startup  # noqa: F401 (before torch)
import torch
from human_alignment.common.cli import run
from human_alignment.common.layers import BEFORE_NORM, LAYERS
from human_alignment.data.data_file import DataFile
from human_alignment.heatmaps.arguments import (
    add_explainers,
    extraction_parser,
    sorted_once,
)
from human_alignment.heatmaps.explainers import EXPLAINERS
from human_alignment.heatmaps.extraction import (
    BATCHES_PER_CHUNK,
    PRECISIONS,
    Extraction,
    extract,
    file_header,
    shard_rows,
)
from human_alignment.heatmaps.heatmap_file import HeatmapWriter
from human_alignment.networks.devices import own_card
from human_alignment.networks.weights import load_weights
from human_alignment.networks.zoo import pooled_norm


def shard(text: str) -> tuple[int, int]:
    """Parse `I/N`, the I-th of N shards."""
    number, _, of = text.partition("/")
    if not (number.isdecimal() and of.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is not I/N, e.g. 0/4 for the first of four")
    return int(number), int(of)


def main(argv: list[str] | None = None) -> None:
    """Parse, extract, report."""
    parser = extraction_parser(__doc__.split("\n")[0])
    add_explainers(parser, EXPLAINERS, default=EXPLAINERS)
    parser.add_argument(
        "--layers",
        nargs="+",
        default=[BEFORE_NORM],
        help=f"maps of {' and '.join(LAYERS)}: of the feature map as it goes into the pooling, and "
        f"as it is behind the norm of the pooled vector; default: {BEFORE_NORM}",
    )
    parser.add_argument("--precision", default="float32", help=" or ".join(PRECISIONS))
    parser.add_argument(
        "--compile", action="store_true", help="torch.compile; needs a C++ compiler"
    )
    parser.add_argument("--shard", type=shard, default=(0, 1), help="part of the images, I/N")
    parser.add_argument("--batch-size", type=int, default=32, help="images a forward pass")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(arguments.threads)
    settings = Extraction(
        explainers=sorted_once(arguments.explainers),
        geometry=arguments.geometry,
        target=arguments.target,
        layers=sorted_once(arguments.layers),
        precision=arguments.precision,
        compiled=arguments.compile,
        batch_size=arguments.batch_size,
        workers=arguments.threads,
        device=own_card(arguments.device),
    )
    model, network, _ = load_weights(arguments.weights)
    norm = pooled_norm(model, network)
    with DataFile(arguments.data) as data:
        header = file_header(arguments.model, model, network, arguments.weights, data, settings)
        header |= {"precision": settings.precision, "compiled": settings.compiled}
        header |= {"layers": list(settings.layers), "norm": norm is not None}
        chunk = settings.batch_size * BATCHES_PER_CHUNK
        rows = shard_rows(len(data), settings.batch_size, *arguments.shard)
        writer = HeatmapWriter(arguments.output, header, rows, chunk)
        nonfinite = extract(model, network, data, writer, settings, norm)
    writer.finish()
    if nonfinite:
        listed = ", ".join(nonfinite[:10])
        print(
            f"warning: {len(nonfinite)} images have activations that are not finite; their maps "
            f"are stored as NaN: {listed}",
            file=sys.stderr,
        )


if __name__ == "__main__":
    run(main)
