"""Summarise one run's scores at many thresholds: the curve, and the best threshold.

Writes a row per threshold, and which threshold is best with what it scores on images that had no
part in choosing it.
"""

import argparse
from dataclasses import asdict

from human_alignment.common.cli import UserError, run
from human_alignment.common.files import write_json
from human_alignment.scores.bootstrap import STATISTICS_FLAG
from human_alignment.scores.protocol_variants import SWEPT
from human_alignment.scores.score_file import write_rows
from human_alignment.scores.sweeps import COLUMNS, cross_validate, sweep_rows
from human_alignment.scores.variant_file import read_variants


def main(argv: list[str] | None = None) -> None:
    """Parse, read, summarise, choose, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("scores", help="scores by threshold of sweep_threshold.py (.h5)")
    parser.add_argument("--folds", type=int, default=5, help="of the cross-validation")
    parser.add_argument("--statistics", **STATISTICS_FLAG)
    parser.add_argument("--output", required=True, help="curve to write (.csv)")
    parser.add_argument("--choice", required=True, help="best threshold to write (.json)")
    arguments = parser.parse_args(argv)
    if arguments.folds < 2:
        raise UserError(f"--folds {arguments.folds}: at least 2 are needed")
    found = read_variants(arguments.scores)
    protocols = found.source.protocols
    scores = {protocols[name].threshold: one for name, one in found.scores[SWEPT].items()}
    protocol = next(iter(protocols.values()))  # they differ in the threshold only
    under = protocol, found.source.human_ceiling
    rows = sweep_rows(scores, *under, **arguments.statistics)
    choice = cross_validate(scores, *under, arguments.folds, **arguments.statistics)
    write_rows(arguments.output, COLUMNS, map(dict.values, rows))
    write_json(arguments.choice, asdict(choice) if choice else None)


if __name__ == "__main__":
    run(main)
