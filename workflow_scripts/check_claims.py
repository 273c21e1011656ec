"""Check the paper's claims on a study's numbers: each holds, does not hold, or is undecided.

A study of other networks than the paper's tests no claim: its numbers stand without a verdict. With
--paper the paper's own Table 1 is checked in the same way, in two further columns.
"""

import argparse
from pathlib import Path

from human_alignment.common.cli import UserError, run
from human_alignment.common.files import written_whole
from human_alignment.outcome.claims import Evidence, check, read_differences
from human_alignment.outcome.claims_table import (
    add_paper,
    as_table,
    remarks,
    scope,
    tests_the_paper,
    to_markdown,
    to_page,
)
from human_alignment.outcome.table1 import read_paper, read_seeds
from human_alignment.scores.summary import human_ceiling, read_summary


def main(argv: list[str] | None = None) -> None:
    """Parse, check, write the checklist three times."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--summary", required=True, type=Path, help="scores/summary.csv")
    parser.add_argument("--comparisons", required=True, type=Path, help="scores/comparisons.csv")
    parser.add_argument("--output", required=True, type=Path, help="the checklist as CSV")
    parser.add_argument("--markdown", type=Path, help="default: beside the CSV file, .md")
    parser.add_argument("--html", type=Path, help="default: beside the CSV file, .html")
    parser.add_argument("--paper", type=Path, nargs="?", help="CSV file of the paper's Table 1")
    parser.add_argument(
        "--paper-seeds", type=Path, nargs="?", help="CSV file of its spread over trainings"
    )
    parser.add_argument("--caption-note", default="", help="a sentence to put below")
    arguments = parser.parse_args(argv)
    if bool(arguments.paper) != bool(arguments.paper_seeds):
        raise UserError("--paper and --paper-seeds need each other: give both, or neither")

    summary = read_summary(arguments.summary)
    differences = read_differences(arguments.comparisons)
    evidence = Evidence.of_study(summary, differences, human_ceiling(summary))
    table = as_table(check(evidence), tests_the_paper(evidence.networks))
    if arguments.paper:
        paper, seeds = read_paper(arguments.paper), read_seeds(arguments.paper_seeds)
        table = add_paper(table, evidence, paper, seeds)
    above, below = scope(evidence.networks), remarks(evidence.networks, arguments.caption_note)
    csv = table.to_csv(index=False)
    page = to_page(table, above, below, arguments.output.name, csv)
    text = to_markdown(table, above, below)
    texts = {
        arguments.output: csv,
        arguments.markdown or arguments.output.with_suffix(".md"): text,
        arguments.html or arguments.output.with_suffix(".html"): page,
    }
    for path, text in texts.items():
        with written_whole(path) as partial:
            partial.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run(main)
