"""Preparing ClickMe and reading it back: speed, peak memory and file size.

    python benchmarks/bench_prepare.py --shard tests/reference/clickme/mini.tfrecords --shards 17

Shards of `--records` records are made by repeating the given one, in a temporary folder (about
30 kB a record, deleted at the end). Prints JSON. Rates are per second of CPU time of one process,
and per second on the clock; memory is the peak resident set of the preparing process.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow_scripts"))

import prepare_clickme
from human_alignment.common.cli import run
from human_alignment.data.data_file import DataFile
from human_alignment.data.images import presented
from human_alignment.data.tfrecords import read_records


def repeat(shard: Path, folder: Path, records: int, shards: int) -> list[Path]:
    """Shards of `records` records each, with the given shard's records over and over."""
    whole = shard.read_bytes()
    starts = [record.offset for record in read_records(shard)]
    rounds, rest = divmod(records, len(starts))
    paths = [folder / f"val-{number}.tfrecords" for number in range(shards)]
    for path in paths:
        with open(path, "wb") as stream:
            for _ in range(rounds):
                stream.write(whole)
            stream.write(whole[: starts[rest]])
    return paths


def prepare(paths: list[Path], output: Path) -> dict[str, float]:
    """Run the script; CPU seconds, seconds and peak MiB of it."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    script = prepare_clickme.__file__
    subprocess.run([sys.executable, script, "--output", output, *paths], check=True)
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"cpu": cpu, "clock": seconds, "peak_mib": after.ru_maxrss / 1024}


def read_back(data: DataFile, batch: int, shown: bool) -> dict[str, float]:
    """Images per second in batches with their human maps; `shown` decodes and resizes each."""
    count = min(len(data), 3072)
    cpu, clock = time.process_time(), time.perf_counter()
    for start in range(0, count, batch):
        stop = min(start + batch, count)
        data.human_maps(start, stop)
        for encoded in data.images(start, stop):
            if shown:
                presented(encoded, data.image_size, "image")
    return {
        "per_cpu_second": count / (time.process_time() - cpu),
        "per_second": count / (time.perf_counter() - clock),
    }


def main(argv: list[str] | None = None) -> None:
    """Make shards, prepare them, read them back, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shard", type=Path, required=True, help="a good shard to repeat")
    parser.add_argument("--shards", type=int, default=1, help="how many to make")
    parser.add_argument("--records", type=int, default=3072, help="records in each")
    parser.add_argument("--batch", type=int, default=32, help="images read back at a time")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "clickme.h5"
        paths = repeat(arguments.shard, Path(folder), arguments.records, arguments.shards)
        cost, bytes_in = prepare(paths, output), sum(path.stat().st_size for path in paths)
        with DataFile(output) as data:
            count, bytes_out = len(data), output.stat().st_size
            result = {
                "records": count,
                "prepared_per_cpu_second": count / cost["cpu"],
                "prepared_per_second": count / cost["clock"],
                "peak_mib": cost["peak_mib"],
                "shards_mb": bytes_in / 1e6,
                "file_mb": bytes_out / 1e6,
                "allowed_mb": (1.3 * bytes_in + 17e3 * count) / 1e6,
                "read_only": read_back(data, arguments.batch, shown=False),
                "read_and_shown": read_back(data, arguments.batch, shown=True),
            }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    run(main)
