"""Join the heatmap files of all shards of one network into one.

The result is the file that one job over all images writes, byte by byte.
"""

import argparse
from pathlib import Path

from human_alignment.common.cli import UserError, run
from human_alignment.heatmaps.heatmap_file import HeatmapFile, join


def main(argv: list[str] | None = None) -> None:
    """Parse, check that no image is missing, join."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("shards", nargs="+", type=Path, help="heatmap files, in any order")
    parser.add_argument("--output", required=True, help="heatmap file to write (.h5)")
    arguments = parser.parse_args(argv)
    images = 0
    for path in arguments.shards:
        with HeatmapFile(path) as part:
            images += len(part)
            wanted = part.images
    if images != wanted:
        raise UserError(
            f"the {len(arguments.shards)} shards hold {images} images, the data file {wanted}; "
            "name every shard, once"
        )
    join(arguments.shards, arguments.output)


if __name__ == "__main__":
    run(main)
