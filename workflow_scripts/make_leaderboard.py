"""Make the leaderboard: a page of all networks by their score, to search and sort, and its CSV."""

import argparse
from pathlib import Path

from human_alignment.common.cli import run
from human_alignment.common.files import written_whole
from human_alignment.outcome.leaderboard import leaderboard, meanings, page_table, remarks
from human_alignment.outcome.page_tables import tables_page
from human_alignment.outcome.reference_scores import read_references
from human_alignment.scores.run_tables import read_table
from human_alignment.scores.summary import papers_explainers, read_summary

TITLE = "Leaderboard: networks by their alignment with humans"


def main(argv: list[str] | None = None) -> None:
    """Parse, read, rank, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--summary", required=True, type=Path, help="scores/summary.csv")
    parser.add_argument("--skill", type=Path, nargs="?", help="tables/skill.csv, for a column")
    parser.add_argument(
        "--references", type=Path, nargs="?", help="tables/references.csv, for rows of their own"
    )
    parser.add_argument("--output", required=True, type=Path, help="page to write (.html)")
    parser.add_argument("--csv", type=Path, help="default: beside the page, .csv")
    parser.add_argument("--note", default="", help="a sentence below the table")
    arguments = parser.parse_args(argv)
    summary, skill = read_summary(arguments.summary), None
    if arguments.skill:
        text, numbers = ["network", "explainer", "reference"], ["skill", "low", "high"]
        skill = read_table(arguments.skill, text, numbers)
    references = read_references(arguments.references) if arguments.references else None
    table = leaderboard(summary, skill, references)
    shown = page_table(table, papers_explainers(summary["explainer"])).explained(meanings(summary))
    csv, path = table.to_csv(index=False, float_format="%.6g"), arguments.csv
    path = path or arguments.output.with_suffix(".csv")
    page = tables_page(TITLE, [shown], remarks(shown, arguments.note), path.name, csv)
    for file, content in {path: csv, arguments.output: page}.items():
        with written_whole(file) as partial:
            partial.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    run(main)
