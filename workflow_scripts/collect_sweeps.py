"""Summarise the threshold sweeps of all runs: every curve, and the best threshold of each run.

The best threshold is judged by cross-validation: each image is scored with the threshold chosen on
the other folds.
"""

import argparse
from pathlib import Path

from human_alignment.common.cli import UserError, run
from human_alignment.common.files import written_whole
from human_alignment.outcome.protocol_tables import thresholds_markdown
from human_alignment.scores.bootstrap import STATISTICS_FLAG
from human_alignment.scores.pairs import TWINS_FLAG
from human_alignment.scores.variant_tables import threshold_tables


def main(argv: list[str] | None = None) -> None:
    """Parse, summarise, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("sweeps", nargs="+", type=Path, help="<run>.sweep.h5 of all runs")
    parser.add_argument("--threshold", type=float, required=True, help="the protocol's own")
    parser.add_argument("--folds", type=int, default=5, help="of the cross-validation")
    parser.add_argument("--twins", **TWINS_FLAG)
    parser.add_argument("--statistics", **STATISTICS_FLAG)
    parser.add_argument("--curves", required=True, help="all runs' curves to write (.csv)")
    parser.add_argument("--output", required=True, help="best thresholds to write (.csv)")
    parser.add_argument("--markdown", required=True, help="the same to read (.md)")
    arguments = parser.parse_args(argv)
    if arguments.folds < 2:
        raise UserError(f"--folds {arguments.folds}: at least 2 are needed")
    choice = arguments.threshold, arguments.folds, arguments.twins
    curves, best = threshold_tables(arguments.sweeps, *choice, **arguments.statistics)
    for path, table in {arguments.curves: curves, arguments.output: best}.items():
        with written_whole(path) as partial:
            table.to_csv(partial, index=False)
    with written_whole(arguments.markdown) as partial:
        partial.write_text(thresholds_markdown(best, arguments.threshold))


if __name__ == "__main__":
    run(main)
