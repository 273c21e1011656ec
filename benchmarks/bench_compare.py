"""Time and memory of comparing the networks of a study: the paper's sixteen, all its images.

    python benchmarks/bench_compare.py --folder compare --output compare.csv

Makes score files, controls and references as the pipeline leaves them, with values that are made
up (as bench_hundreds.py does), where --folder does not have them yet. Then runs compare_models.py
on them, and a script that has its imports only; medians of `--repeats` runs that take turns.
"""

import argparse
import csv
import sys
from pathlib import Path

import numpy as np
from bench_hundreds import write_data, write_network, write_references_file
from measured import measured

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow_scripts"))

import collect_scores
import compare_models
from human_alignment.common.cli import run
from human_alignment.common.files import written_whole
from human_alignment.common.paths import SUFFIX
from human_alignment.data.data_file import DataFile
from human_alignment.scores.pairs import PAPER_ORDER

NETWORKS = [name + suffix for name in PAPER_ORDER for suffix in ("", SUFFIX)]


def make_study(folder: Path, images: int) -> None:
    """All that compare_models.py reads."""
    write_data(folder / "data" / "clickme.h5", images)
    easy = np.random.default_rng(1).normal(0, 0.2, images)
    with DataFile(folder / "data" / "clickme.h5") as data:
        write_references_file(folder / "scores" / "references.h5", data, easy)
    for number, name in enumerate(NETWORKS):
        write_network(folder, name, number, with_heatmaps=False)
    scores = map(str, score_files(folder, ".parquet"))
    collect_scores.main(["--scores", *scores, "--output", str(folder / "scores" / "summary.csv")])


def score_files(folder: Path, ending: str) -> list[Path]:
    """A file of each network."""
    return [folder / "scores" / name / f"published{ending}" for name in NETWORKS]


def compare(folder: Path) -> list[str]:
    """The command that the pipeline runs."""
    scores = folder / "scores"
    command = [compare_models.__file__, "--scores", *score_files(folder, ".parquet")]
    command += ["--controls", *score_files(folder, ".controls.h5")]
    command += ["--references", scores / "references.h5", "--summary", scores / "summary.csv"]
    command += ["--output", folder / "pairs.csv", "--correlations", folder / "correlations.csv"]
    return list(map(str, command))


def main(argv: list[str] | None = None) -> None:
    """Make the study, compare, print and write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=52_224)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, required=True, help="where the study is or shall be")
    parser.add_argument("--output", required=True, help="table to write (.csv)")
    arguments = parser.parse_args(argv)
    folder = arguments.folder.resolve()
    if not (folder / "scores" / "summary.csv").exists():
        make_study(folder, arguments.images)
    commands = {"imports": [compare_models.__file__, "--help"], "compare_models": compare(folder)}
    found = {name: [] for name in commands}
    for _ in range(arguments.repeats):
        for name, command in commands.items():
            found[name].append(measured(*command))
    rows = [
        [name, len(NETWORKS), arguments.images, *np.round(np.median(values, axis=0), 2).tolist()]
        for name, values in found.items()
    ]
    with written_whole(arguments.output) as partial, open(partial, "w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["what", "networks", "images", "cpu_seconds", "peak_mib"])
        writer.writerows(rows)
    print(Path(arguments.output).read_text(), end="")


if __name__ == "__main__":
    run(main)
