"""Convert a published checkpoint to a weights file of this pipeline.

The checkpoint's SHA-256 is compared with the given one and written to the metadata of the weights
file. fetch_checkpoint.py downloads and converts in one go.
"""

import argparse
from pathlib import Path

import human_alignment.networks.startup  # noqa: F401 (before torch)
from human_alignment.common.cli import run
from human_alignment.common.sources import local_path
from human_alignment.networks.conversion import convert_file
from human_alignment.networks.records import NETWORK_HELP, network_argument


def main(argv: list[str] | None = None) -> None:
    """Parse, check, convert."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--model", required=True, type=network_argument, metavar="NETWORK", help=NETWORK_HELP
    )
    parser.add_argument("--checkpoint", required=True, type=Path, help="file to convert")
    parser.add_argument("--source", help="where it is from, for messages and metadata; its path")
    parser.add_argument("--output", required=True, help="weights file to write (.safetensors)")
    parser.add_argument("--sha256", default="", help="expected digest of the checkpoint, if known")
    arguments = parser.parse_args(argv)
    checkpoint = arguments.checkpoint
    source = arguments.source or str(checkpoint)
    downloaded = local_path(source) is None
    again = f"delete {checkpoint}, to have it downloaded again" if downloaded else "replace it"
    convert_file(checkpoint, arguments.model, arguments.output, source, arguments.sha256, again)


if __name__ == "__main__":
    run(main)
