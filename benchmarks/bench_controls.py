"""Time of the controls of one network, against that of its scores alone, on one core.

    python benchmarks/bench_controls.py --output controls.csv

Makes a data file of smooth human maps and one network's heatmap file with eight explainers and
7 x 7 maps, in a temporary folder; then runs score_references.py once, and score_alignment.py and
score_controls.py in turn, as the pipeline does. Each time is the median of `--repeats` runs, in
seconds of the processor: other work on the machine hardly changes it.
"""

import argparse
import csv
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow_scripts"))

import score_alignment
import score_controls
import score_references
from bench_scores import make_data, make_heatmaps
from human_alignment.common.cli import run
from human_alignment.common.files import written_whole
from human_alignment.data.data_file import DataFile
from human_alignment.heatmaps.explainers import EXPLAINERS


def seconds(script, *flags: str | Path) -> float:
    """Processor time of one run of a script on one core."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, script.__file__, *map(str, flags)]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    return usage.ru_utime + usage.ru_stime


def main(argv: list[str] | None = None) -> None:
    """Make the network's files, run the scripts, print and write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", required=True, help="table to write (.csv)")
    arguments = parser.parse_args(argv)
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_data(folder / "data.h5", arguments.images, random)
        with DataFile(folder / "data.h5") as data:
            make_heatmaps(folder / "maps.h5", data, "crop", random, sorted(EXPLAINERS))
        both = "--data", folder / "data.h5"
        outputs = "--output", folder / "r.csv", "--summary", folder / "r.json"
        of_references = seconds(score_references, *both, *outputs, "--rho", folder / "r.h5")
        both = *both, "--heatmaps", folder / "maps.h5"
        more = "--references", folder / "r.h5", "--output", folder / "controls.h5"
        of_scores, of_controls = [], []
        for _ in range(arguments.repeats):
            of_scores.append(seconds(score_alignment, *both, "--output", folder / "scores.parquet"))
            of_controls.append(seconds(score_controls, *both, *more))
    alone, controls = map(statistics.median, (of_scores, of_controls))
    row = {
        "images": arguments.images,
        "explainers": len(EXPLAINERS),
        "score_references": of_references,
        "score_alignment": alone,
        "score_controls": controls,
        "both_against_scores": (alone + controls) / alone,
    }
    print("\n".join(f"{name:>24} {value:.2f}" for name, value in row.items()))
    with written_whole(arguments.output) as partial, open(partial, "w", newline="") as stream:
        writer = csv.DictWriter(stream, row)
        writer.writeheader()
        writer.writerow(row)


if __name__ == "__main__":
    run(main)
