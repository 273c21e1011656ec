"""Download one TFRecord shard of ClickMe, or copy it, and check that it is complete."""

import argparse
import struct
from pathlib import Path

from human_alignment.common.cli import UserError, run
from human_alignment.data.download import fetch
from human_alignment.data.tfrecords import masked_crc

_HEAD = struct.Struct("<QI")  # a record's payload length, and the length's masked CRC-32C
_TAIL = 4  # bytes of the payload's masked CRC-32C


def check_shard(path: Path, source: str) -> None:
    """Walk from record to record by their lengths; the last one must end where the file ends.

    Framing as in TensorFlow's guide "TFRecord and tf.train.Example", "TFRecords format details".
    Payloads are jumped over: the reader that prepares the data checks them and takes its time.
    Raises UserError naming `source`, record number and byte offset.
    """
    size = path.stat().st_size
    if size == 0:
        raise UserError(f"{source} is empty, none of the records expected of a shard is in it")
    record, offset = 0, 0
    with open(path, "rb") as stream:
        while offset < size:
            place = f"{source} is no complete shard: record {record} at byte {offset}"
            stream.seek(offset)
            head = stream.read(_HEAD.size)
            if len(head) < _HEAD.size:
                raise UserError(f"{place} is cut off; none of the file is kept")
            length, checksum = _HEAD.unpack(head)
            if checksum != masked_crc(head[:8]):
                raise UserError(f"{place} is damaged, or no TFRecord; none of the file is kept")
            record, offset = record + 1, offset + _HEAD.size + length + _TAIL
    if offset > size:
        raise UserError(f"{place} is cut off; none of the file is kept")


def main(argv: list[str] | None = None) -> None:
    """Parse, fetch, check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", required=True, help="URL or local path of the shard")
    parser.add_argument("--output", required=True, help="where the shard goes (.tfrecords)")
    parser.add_argument("--sha256", help="its SHA-256 in hex; the one found is printed if absent")
    parser.add_argument("--tries", type=int, default=5, help="requests before giving up")
    arguments = parser.parse_args(argv)
    fetch(
        arguments.source,
        arguments.output,
        arguments.sha256,
        check=lambda path: check_shard(path, arguments.source),
        tries=arguments.tries,
    )


if __name__ == "__main__":
    run(main)
