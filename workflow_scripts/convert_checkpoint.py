"""Convert a published checkpoint to a weights file of this pipeline.

The checkpoint's SHA-256 is compared with the given one and written to the metadata of the weights
file.
"""

import argparse
from pathlib import Path

from human_alignment.common.cli import UserError, run
from human_alignment.common.files import sha256
from human_alignment.common.sources import local_path
from human_alignment.networks.checkpoints import convert, read_checkpoint
from human_alignment.networks.records import NETWORK_HELP, network_argument
from human_alignment.networks.weights import load_strictly, save_weights
from human_alignment.networks.zoo import build, find


def checked_digest(checkpoint: Path, source: str, expected: str) -> str:
    """The SHA-256 of a checkpoint.

    Raises UserError when there is no such file, or when it has another digest than `expected`.
    """
    if not checkpoint.is_file():
        raise UserError(f"{checkpoint}: no such file; download_checkpoint.py gets one from a URL")
    found = sha256(checkpoint)
    if expected and found != expected.lower():
        downloaded = local_path(source) is None
        again = f"delete {checkpoint}, to have it downloaded again" if downloaded else "replace it"
        raise UserError(
            f"{source} has another sha256 than the config says\n  expected {expected.lower()}\n"
            f"  found    {found}, of {checkpoint}\n{again}, or correct the digest"
        )
    return found


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
    network, checkpoint = find(arguments.model), arguments.checkpoint
    source = arguments.source or str(checkpoint)
    digest = checked_digest(checkpoint, source, arguments.sha256)
    model = build(network)
    state = read_checkpoint(checkpoint, source)
    load_strictly(model, convert(state, model, network, source), source)
    save_weights(arguments.output, model, network, source=source, sha256=digest)


if __name__ == "__main__":
    run(main)
