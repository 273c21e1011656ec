"""Download a published checkpoint. A download that broke off goes on when the script runs again.

What is not a checkpoint is refused, and nothing of it is kept. A file of the Hugging Face hub goes
into huggingface_hub's cache. Neither it nor a local checkpoint is copied: the output is a link.
"""

import argparse
from pathlib import Path

import human_alignment.networks.startup  # noqa: F401 (before torch)
from human_alignment.common.cli import run
from human_alignment.common.sources import hub_file, masked
from human_alignment.data.download import fetch
from human_alignment.networks.checkpoints import read_checkpoint, read_tensors
from human_alignment.networks.conversion import CHECKPOINT_HELP, present


def main(argv: list[str] | None = None) -> None:
    """Parse, fetch, check."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--source", required=True, help=CHECKPOINT_HELP)
    parser.add_argument("--output", required=True, help="where the checkpoint goes")
    parser.add_argument("--sha256", help="its SHA-256 in hex; the one found is printed if absent")
    arguments = parser.parse_args(argv)
    if path := present(arguments.source):
        if hub_file(arguments.source):
            read_tensors(path, arguments.source)
        output = Path(arguments.output)
        output.parent.mkdir(parents=True, exist_ok=True)
        output.unlink(missing_ok=True)
        output.symlink_to(path.absolute())
        return
    fetch(
        arguments.source,
        arguments.output,
        arguments.sha256,
        check=lambda path: read_checkpoint(path, masked(arguments.source)),
        label=Path(masked(arguments.source)).name,
    )


if __name__ == "__main__":
    run(main)
