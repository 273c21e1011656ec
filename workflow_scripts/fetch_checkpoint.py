"""Fetch a published checkpoint and convert it to a weights file of this pipeline.

An incomplete download goes on when the script runs again. The checkpoint's SHA-256 is compared with
the given one. It is written to the metadata of the weights file and to OUTPUT.checkpoint.sha256.
"""

import argparse
from pathlib import Path

from human_alignment.common.cli import run
from human_alignment.common.files import written_whole
from human_alignment.data.download import fetch
from human_alignment.networks.checkpoints import convert, read_checkpoint
from human_alignment.networks.records import NETWORK_HELP, network_argument
from human_alignment.networks.weights import load_strictly, save_weights
from human_alignment.networks.zoo import build, find


def main(argv: list[str] | None = None) -> None:
    """Parse, fetch, convert."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--model", required=True, type=network_argument, metavar="NETWORK", help=NETWORK_HELP
    )
    parser.add_argument("--source", required=True, help="URL or path of the checkpoint")
    parser.add_argument("--output", required=True, type=Path, help="weights file (.safetensors)")
    parser.add_argument("--sha256", default="", help="expected digest of the checkpoint, if known")
    arguments = parser.parse_args(argv)
    network, source, output = find(arguments.model), arguments.source, arguments.output
    checkpoint = output.with_name(f".{output.name}.checkpoint")
    try:
        digest = fetch(source, checkpoint, arguments.sha256 or None, label=Path(source).name)
        model = build(network)
        state = read_checkpoint(checkpoint, source)
        load_strictly(model, convert(state, model, network, source), source)
        save_weights(output, model, network, source=source, sha256=digest)
    finally:
        checkpoint.unlink(missing_ok=True)  # what is left of a broken download has another name
    with written_whole(f"{output}.checkpoint.sha256") as partial:
        partial.write_text(f"{digest}  {source}\n")


if __name__ == "__main__":
    run(main)
