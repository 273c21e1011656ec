"""Seconds of the demo until there is something to look at, and of its jobs by rule.

    python benchmarks/bench_demo.py --output demo.csv

Runs `profiles/demo` on two cores in a new folder, with the same files first as `make demo`, and
measures from the start of Snakemake: the first picture, the first table and Figure 1 (both of one
pair of networks), the end. Writes them, the top-1 and the intervals that the demo must reach, and
the seconds of all jobs of each rule (Snakemake's `benchmark` files).
"""

import argparse
import csv
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "workflow_scripts"))

from human_alignment.common.cli import UserError, run
from human_alignment.scores.score_rows import write_rows

RESULTS = Path("results") / "demo"
MOMENTS = {
    "first picture": ["figures/*.png"],
    "Table 1 of a pair": ["tables/pair.md"],
    "Figure 1": ["figures/figure1.png"],
}
FIRST = [
    str(RESULTS / name)
    for name in ("figures/samples.png", "figures/figure1.png", "tables/pair.csv")
]
STEP = 0.25  # seconds between two looks at the folder


def timed(folder: Path, cores: int) -> dict[str, float]:
    """Run the demo in `folder`; seconds until each of MOMENTS, and until the end.

    Raises UserError, which names the log, when it fails.
    """
    log = folder / "snakemake.log"
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--profile", str(ROOT / "profiles" / "demo"), "--cores", str(cores)]
    command += ["--configfile", str(ROOT / "profiles" / "demo" / "study.yaml")]
    command += ["--directory", str(folder), "--prioritize", *FIRST]
    found: dict[str, float] = {}
    start = time.perf_counter()
    with open(log, "w") as stream:
        study = subprocess.Popen(command, stdout=stream, stderr=stream, cwd=folder)
        while study.poll() is None:
            for name, patterns in MOMENTS.items():
                if name not in found and any(
                    path for one in patterns for path in (folder / RESULTS).glob(one)
                ):
                    found[name] = time.perf_counter() - start
            time.sleep(STEP)
    if study.returncode:
        raise UserError(f"the demo failed; {log} says why")
    return found | {"end": time.perf_counter() - start}


def reached(folder: Path) -> dict[str, float]:
    """The lowest top-1 of a plain network, and the lowest end of a Threshold-Grad-CAM interval."""
    summary = pd.read_csv(folder / RESULTS / "scores" / "summary.csv")
    method = summary[summary["explainer"] == "threshold_grad_cam"]
    return {
        "lowest top-1 of a plain network": summary[summary["dcls"] == 0]["top1"].min(),
        "lowest end of a Threshold-Grad-CAM interval": method["low"].min(),
    }


def job_seconds(folder: Path) -> tuple[Counter, Counter]:
    """Seconds of all jobs of each rule, and how many jobs that were."""
    seconds, jobs = Counter(), Counter()
    logs = folder / "logs" / "demo"
    for path in logs.rglob("*.tsv"):
        rule = path.relative_to(logs).parts[0].removesuffix(".tsv")
        with open(path, newline="") as stream:
            seconds[rule] += sum(float(row["s"]) for row in csv.DictReader(stream, delimiter="\t"))
        jobs[rule] += 1
    return seconds, jobs


def main() -> None:
    """Run the demo, print and write what it took."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where it runs; default: a temporary one")
    parser.add_argument("--output", required=True, help="measurements to write (.csv)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        moments = timed(folder.resolve(), arguments.cores)
        results = reached(folder)
        seconds, jobs = job_seconds(folder)
    rows = [(f"seconds to {name}", 1, f"{value:.0f}") for name, value in moments.items()]
    rows += [(name, 1, f"{value:.3f}") for name, value in results.items()]
    rows += [("seconds of all jobs", sum(jobs.values()), f"{sum(seconds.values()):.0f}")]
    rows += [(rule, jobs[rule], f"{value:.0f}") for rule, value in seconds.most_common()]
    for what, count, value in rows:
        print(f"{value:>8}  {what} ({count})")
    write_rows(arguments.output, ("what", "jobs", "value"), rows)


if __name__ == "__main__":
    run(main)
