"""Compare networks on the same images: DCLS against plain, Threshold-Grad-CAM against Grad-CAM.

Writes paired differences of rho with bootstrap interval, Wilcoxon signed-rank test (Holm) and
probability of superiority; and how top-1 and size of networks go with their scores.
"""

import argparse
from pathlib import Path

from human_alignment.common.cli import run
from human_alignment.common.files import written_whole
from human_alignment.scores.bootstrap import STATISTICS_FLAG
from human_alignment.scores.comparisons import compare, correlate_with_score, read_rho
from human_alignment.scores.summary import read_summary


def main(argv: list[str] | None = None) -> None:
    """Parse, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--scores", nargs="+", type=Path, required=True, help="of all runs (.csv)")
    parser.add_argument("--summary", type=Path, required=True, help="scores/summary.csv")
    parser.add_argument("--output", required=True, help="paired comparisons to write (.csv)")
    parser.add_argument("--correlations", required=True, help="over networks, to write (.csv)")
    parser.add_argument("--statistics", **STATISTICS_FLAG)
    arguments = parser.parse_args(argv)
    summary = read_summary(arguments.summary)
    tables = {
        arguments.output: compare(read_rho(arguments.scores), summary, **arguments.statistics),
        arguments.correlations: correlate_with_score(summary),
    }
    for path, table in tables.items():
        with written_whole(path) as partial:
            table.to_csv(partial, index=False)


if __name__ == "__main__":
    run(main)
