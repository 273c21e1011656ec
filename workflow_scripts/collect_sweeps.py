"""Gather the threshold sweeps of all runs: every curve, and the best threshold of each run."""

import argparse
from pathlib import Path

from human_alignment.common.cli import run
from human_alignment.common.files import written_whole
from human_alignment.outcome.protocol_tables import thresholds_markdown
from human_alignment.scores.pairs import TWINS_FLAG
from human_alignment.scores.run_tables import best_thresholds, gather
from human_alignment.scores.sweeps import COLUMNS


def main(argv: list[str] | None = None) -> None:
    """Parse, gather, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sweeps", nargs="+", type=Path, required=True, help="<run>.sweep.csv")
    parser.add_argument("--choices", nargs="+", type=Path, required=True, help="<run>.sweep.json")
    parser.add_argument("--threshold", type=float, required=True, help="the protocol's own")
    parser.add_argument("--twins", **TWINS_FLAG)
    parser.add_argument("--curves", required=True, help="all runs' curves to write (.csv)")
    parser.add_argument("--output", required=True, help="best thresholds to write (.csv)")
    parser.add_argument("--markdown", required=True, help="the same to read (.md)")
    arguments = parser.parse_args(argv)
    sweeps = gather(arguments.sweeps, arguments.twins, numbers=COLUMNS)
    choices = arguments.choices, arguments.threshold, arguments.twins
    best = best_thresholds(sweeps, *choices)
    for path, table in {arguments.curves: sweeps, arguments.output: best}.items():
        with written_whole(path) as partial:
            table.to_csv(partial, index=False)
    with written_whole(arguments.markdown) as partial:
        partial.write_text(thresholds_markdown(best, arguments.threshold))


if __name__ == "__main__":
    run(main)
