"""Show a table of the study, a CSV file, as an HTML page that sorts by any column."""

import argparse
from pathlib import Path

from human_alignment.common.cli import run
from human_alignment.common.files import written_whole
from human_alignment.outcome.columns import meanings
from human_alignment.outcome.page_tables import LARGEST_CSV, beginning, tables_page
from human_alignment.scores.run_tables import read_table


def main(argv: list[str] | None = None) -> None:
    """Parse, read, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", type=Path, required=True, help="CSV file with a header")
    parser.add_argument("--title", required=True, help="of the page")
    parser.add_argument("--note", default="", help="a sentence below the table")
    parser.add_argument("--output", required=True, help="page to write (.html)")
    arguments = parser.parse_args(argv)
    table, csv = read_table(arguments.table), None
    if arguments.table.stat().st_size <= LARGEST_CSV:
        csv = arguments.table.read_text()
    shown, left_out = beginning(table, arguments.table.name)
    about = arguments.table.name, csv, " ".join(left_out)  # said before a reader counts on all rows
    shown = shown.explained(meanings(arguments.table.stem, shown.header))
    html = tables_page(arguments.title, [shown], [arguments.note], *about)
    with written_whole(arguments.output) as partial:
        partial.write_text(html, encoding="utf-8")


if __name__ == "__main__":
    run(main)
