"""Summarise how far each field of the protocol moves the scores of all runs of a study.

Writes all rows, with whether DCLS minus plain changes its sign, as CSV and Markdown; and the scores
with all fields changed, which Table 1 shows beside its own.
"""

import argparse
from pathlib import Path

from human_alignment.common.cli import run
from human_alignment.common.files import written_whole
from human_alignment.outcome.protocol_tables import sensitivity_markdown
from human_alignment.scores.bootstrap import STATISTICS_FLAG
from human_alignment.scores.pairs import TWINS_FLAG
from human_alignment.scores.variant_tables import sensitivity_table, under_other_protocol


def main(argv: list[str] | None = None) -> None:
    """Parse, summarise, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("scores", nargs="+", type=Path, help="<run>.sensitivity.h5 of all runs")
    parser.add_argument("--twins", **TWINS_FLAG)
    parser.add_argument("--statistics", **STATISTICS_FLAG)
    parser.add_argument("--output", required=True, help="all runs' rows to write (.csv)")
    parser.add_argument("--markdown", required=True, help="the same to read (.md)")
    parser.add_argument("--paper-protocol", required=True, help="scores under `paper` (.csv)")
    arguments = parser.parse_args(argv)
    table = sensitivity_table(arguments.scores, arguments.twins, **arguments.statistics)
    paper = under_other_protocol(table)
    for path, rows in {arguments.output: table, arguments.paper_protocol: paper}.items():
        with written_whole(path) as partial:
            rows.to_csv(partial, index=False)
    with written_whole(arguments.markdown) as partial:
        partial.write_text(sensitivity_markdown(table))


if __name__ == "__main__":
    run(main)
