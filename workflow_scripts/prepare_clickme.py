"""Turn ClickMe shards (TFRecord) into a study's data file.

Every checksum is checked. A bad record stops the run with file, record and byte, and leaves no
output; with --on-bad-record skip it is left out, counted, and listed in the data file. How many
images the records show, and how many of these another split has, is said at the end.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from human_alignment.common.cli import UserError, progress, run
from human_alignment.data import clickme
from human_alignment.data.data_file import DataWriter, images_line
from human_alignment.data.tfrecords import BadRecord, read_records


def samples(path: Path) -> Iterator[tuple[str, clickme.Sample | BadRecord]]:
    """Image id and sample of each record, or the error that makes it unusable."""
    for number, record in enumerate(read_records(path)):
        name = f"{path.stem}-{number:06d}"
        try:
            yield name, record if isinstance(record, BadRecord) else clickme.parse(record)
        except BadRecord as error:
            yield name, error


def check_shards(shards: list[Path]) -> None:
    """Raise UserError when a shard does not exist or two would give the same image ids."""
    for path in shards:
        if not path.is_file():
            raise UserError(f"shard {path} does not exist; download_clickme.py brings it")
    stems = [path.stem for path in shards]
    if double := {stem for stem in stems if stems.count(stem) > 1}:
        raise UserError(f"two shards are called {double.pop()!r}: their image ids would be equal")


def add_shards(writer: DataWriter, shards: list[Path], skip: bool, total: int | None) -> dict:
    """Write every sample; return the number of records per shard.

    Raises BadRecord at the first bad one unless `skip`, which notes it in the data file instead.
    """
    counts, skipped = dict.fromkeys(shards, 0), 0
    with progress(None, total, "records", "record") as bar:
        for path in shards:
            for name, sample in samples(path):
                if isinstance(sample, clickme.Sample):
                    writer.append(sample.image, sample.label, name, sample.human_map)
                elif not skip:
                    raise sample
                else:
                    rest = "; the rest of the shard is lost" if sample.fatal else ""
                    writer.skip(sample.record, sample.reason + rest)
                    skipped += 1
                counts[path] += 1
                bar.update()
    if skipped:
        print(f"warning: {skipped} bad records were left out; see `skipped`", file=sys.stderr)
    return counts


def check_count(writer: DataWriter, counts: dict[Path, int], skip: bool, total: int | None) -> None:
    """Check the number of records: nothing else shows that a shard was cut off between two.

    Raises UserError naming the shard with the fewest records. With `skip`, missing records are
    noted in the data file instead.
    """
    found, path = sum(counts.values()), min(counts, key=counts.get)
    if total is None or found == total:
        return
    reason = f"{found} records were found in all shards, expected are {total}"
    if skip and found < total:
        return writer.skip("all shards", reason)
    raise UserError(
        f"{reason}. {path} has the fewest: it ends before record {counts[path]} at byte "
        f"{path.stat().st_size}. Download it again, or correct the number of records"
    )


def main(argv: list[str] | None = None) -> None:
    """Parse, read all shards, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("shards", nargs="+", type=Path, help="val-*.tfrecords, in order")
    parser.add_argument("--output", required=True, help="data file to write (.h5)")
    parser.add_argument(
        "--on-bad-record", choices=["stop", "skip"], default="stop", help="default: stop"
    )
    parser.add_argument(
        "--records", type=int, help="number of records in all shards together, to be checked"
    )
    parser.add_argument(
        "--human-ceiling",
        type=lambda text: None if text == "none" else float(text),
        default=clickme.HUMAN_CEILING,
        help="what a protocol may divide scores by, above 0 and at most 1, or `none` where the "
        "maps are not ClickMe's; default: %(default)s",
    )
    parser.add_argument(
        "--other-split", help="data file of another split, whose images are counted in this one"
    )
    arguments = parser.parse_args(argv)
    check_shards(arguments.shards)
    attributes = dict(
        dataset="clickme",
        description=clickme.DESCRIPTION,
        num_classes=clickme.CLASSES,
        image_size=clickme.IMAGE_SIZE,
        human_ceiling=arguments.human_ceiling,
    )
    skip, total = arguments.on_bad_record == "skip", arguments.records
    with DataWriter(arguments.output, **attributes) as writer:
        counts = add_shards(writer, arguments.shards, skip, total)
        check_count(writer, counts, skip, total)
    print(images_line(arguments.output, arguments.other_split), file=sys.stderr)


if __name__ == "__main__":
    run(main)
