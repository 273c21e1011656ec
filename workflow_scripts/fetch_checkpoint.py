"""Get a published checkpoint, by its URL or path, as a weights file of this pipeline.

By hand, in one go, what download_checkpoint.py and convert_checkpoint.py do in the workflow. A
download that broke off goes on when the script runs again; a whole one is not kept, but for a file
of the Hugging Face hub, which stays in huggingface_hub's cache. Without --source a network of timm
(timm:resnet50.a1_in1k) has timm's own weights from the hub.
"""

import argparse
from pathlib import Path

import human_alignment.networks.startup  # noqa: F401 (before torch)
from human_alignment.common.cli import run
from human_alignment.common.sources import masked
from human_alignment.data.download import fetch
from human_alignment.networks.conversion import (
    CHECKPOINT_HELP,
    convert_file,
    default_source,
    present,
)
from human_alignment.networks.records import NETWORK_HELP, network_argument


def main(argv: list[str] | None = None) -> None:
    """Parse, fetch if it is not on this machine, convert."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--model", required=True, type=network_argument, metavar="NETWORK", help=NETWORK_HELP
    )
    parser.add_argument("--source", help=CHECKPOINT_HELP)
    parser.add_argument("--output", required=True, type=Path, help="weights file (.safetensors)")
    parser.add_argument("--sha256", default="", help="expected digest of the checkpoint, if known")
    arguments = parser.parse_args(argv)
    source, output, expected = arguments.source, arguments.output, arguments.sha256
    network = arguments.model
    if source is None:
        network, source = default_source(network)
    wanted = network, output, source, expected, "give the right file"
    if path := present(source):
        convert_file(path, *wanted)
        return
    downloaded = output.with_name(f".{output.name}.checkpoint")
    try:
        fetch(source, downloaded, expected or None, label=Path(masked(source)).name)
        convert_file(downloaded, *wanted)
    finally:
        downloaded.unlink(missing_ok=True)  # what is left of a broken download has another name


if __name__ == "__main__":
    run(main)
