"""Download one TFRecord shard of ClickMe, or copy it, and check that it is complete."""

import argparse
from pathlib import Path

from human_alignment.common.arguments import positive
from human_alignment.common.cli import UserError, run
from human_alignment.common.sources import masked
from human_alignment.data.download import fetch
from human_alignment.data.tfrecords import BadRecord, check_frames


def check_shard(path: Path, source: str) -> None:
    """Refuse a shard that is damaged or cut off; prepare_clickme.py checks what the records hold.

    Raises UserError naming `source`, record number and byte offset.
    """
    try:
        check_frames(path)
    except BadRecord as error:
        problem = f"{error.place}: {error.reason}"
        raise UserError(
            f"{source} is no complete shard: {problem}; none of the file is kept"
        ) from error


def main(argv: list[str] | None = None) -> None:
    """Parse, fetch, check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", required=True, help="URL or local path of the shard")
    parser.add_argument("--output", required=True, help="where the shard goes (.tfrecords)")
    parser.add_argument("--sha256", help="its SHA-256 in hex; the one found is printed if absent")
    parser.add_argument("--tries", type=positive, default=5, help="requests before giving up")
    arguments = parser.parse_args(argv)
    fetch(
        arguments.source,
        arguments.output,
        arguments.sha256,
        check=lambda path: check_shard(path, masked(arguments.source)),
        tries=arguments.tries,
    )


if __name__ == "__main__":
    run(main)
