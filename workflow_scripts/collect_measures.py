"""Means of the further measures of all runs of a study, with 95 % intervals, as one table."""

import argparse
from pathlib import Path

from human_alignment.common.cli import run
from human_alignment.common.files import written_whole
from human_alignment.outcome.measures_table import measures_markdown
from human_alignment.scores.bootstrap import STATISTICS_FLAG
from human_alignment.scores.measure_means import measures_table
from human_alignment.scores.pairs import TWINS_FLAG


def main(argv: list[str] | None = None) -> None:
    """Parse, average, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("tables", nargs="+", type=Path, help="<run>.measures.parquet of all runs")
    parser.add_argument("--twins", **TWINS_FLAG)
    parser.add_argument("--statistics", **STATISTICS_FLAG)
    parser.add_argument("--output", required=True, help="table to write (.csv)")
    parser.add_argument("--markdown", required=True, help="the same to read (.md)")
    arguments = parser.parse_args(argv)
    table = measures_table(arguments.tables, arguments.twins, **arguments.statistics)
    with written_whole(arguments.output) as partial:
        table.to_csv(partial, index=False)
    with written_whole(arguments.markdown) as partial:
        partial.write_text(measures_markdown(table))


if __name__ == "__main__":
    run(main)
