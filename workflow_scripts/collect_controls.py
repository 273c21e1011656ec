"""Gather what the scores of a study are worth: skill, partial correlations, smoothness, references.

Reads the scores and controls of all runs and the references of their data file. Writes the tables
references.csv, skill.csv, partial.csv, smoothness.csv and spectra.csv into a folder.
"""

import argparse
from pathlib import Path

from human_alignment.common.cli import run
from human_alignment.common.files import written_whole
from human_alignment.scores.bootstrap import STATISTICS_FLAG
from human_alignment.scores.control_tables import control_tables
from human_alignment.scores.controlled import ControlledStudy
from human_alignment.scores.human_ceilings import read_ceilings
from human_alignment.scores.pairs import TWINS_FLAG
from human_alignment.scores.reference_file import read_references
from human_alignment.scores.reference_summary import COLUMNS
from human_alignment.scores.run_tables import read_table


def main(argv: list[str] | None = None) -> None:
    """Parse, read, compute, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--scores", nargs="*", type=Path, default=[], help="of all runs")
    parser.add_argument(
        "--controls", nargs="*", type=Path, default=[], help="<run>.controls.h5 of all runs"
    )
    parser.add_argument("--rho", required=True, help="of score_references.py --rho (.h5)")
    parser.add_argument("--references", type=Path, required=True, help="its table (.csv)")
    parser.add_argument("--summary", required=True, help="its summary (.json)")
    parser.add_argument("--twins", **TWINS_FLAG)
    parser.add_argument("--statistics", **STATISTICS_FLAG)
    parser.add_argument("--output", type=Path, required=True, help="folder to write tables into")
    arguments = parser.parse_args(argv)
    references, ceilings = read_references(arguments.rho), read_ceilings(arguments.summary)
    numbers = [name for name in COLUMNS if name not in ("reference", "note")]
    first = read_table(arguments.references, ["reference", "note"], numbers)
    files = arguments.scores, arguments.controls
    study = ControlledStudy(*files, references, arguments.twins)
    under = references.source.protocol, ceilings
    tables = control_tables(study, first, *under, **arguments.statistics)
    for name, table in tables.items():
        with written_whole(arguments.output / f"{name}.csv") as partial:
            table.to_csv(partial, index=False)


if __name__ == "__main__":
    run(main)
