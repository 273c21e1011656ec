"""Scores by stratum: by class, area and place of the human map, and right or wrong prediction.

Writes a row per network, explainer and stratum: mean rho, score and its interval, and the
difference from all other images; with --gains also what DCLS gains in each stratum.
"""

import argparse
from pathlib import Path

from human_alignment.common.cli import run
from human_alignment.common.files import written_whole
from human_alignment.data.data_file import DataFile
from human_alignment.scores.bootstrap import STATISTICS_FLAG
from human_alignment.scores.pairs import TWINS_FLAG
from human_alignment.scores.strata_tables import gains, image_strata, read_study, stratify


def main(argv: list[str] | None = None) -> None:
    """Parse, stratify, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="data file with human maps")
    parser.add_argument("--scores", nargs="+", type=Path, required=True, help="of all runs")
    parser.add_argument("--twins", **TWINS_FLAG)
    parser.add_argument("--statistics", **STATISTICS_FLAG)
    parser.add_argument("--output", required=True, help="scores by stratum to write (.csv)")
    parser.add_argument("--gains", help="DCLS minus plain by stratum, to write (.csv)")
    arguments = parser.parse_args(argv)
    with DataFile(arguments.data) as data:
        study = read_study(data, arguments.scores, arguments.twins)
        of_images = image_strata(data)
    tables = {arguments.output: stratify(study, of_images, **arguments.statistics)}
    if arguments.gains:
        tables[arguments.gains] = gains(study, of_images, **arguments.statistics)
    for path, table in tables.items():
        with written_whole(path) as partial:
            table.to_csv(partial, index=False)


if __name__ == "__main__":
    run(main)
