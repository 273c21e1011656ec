"""Show a table of the study, a CSV file, as an HTML page that sorts by any column."""

import argparse
from pathlib import Path

from human_alignment.common.cli import run
from human_alignment.common.files import written_whole
from human_alignment.outcome.page_tables import Table, tables_page, without_long_part
from human_alignment.scores.run_tables import read_table


def main(argv: list[str] | None = None) -> None:
    """Parse, read, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", type=Path, required=True, help="CSV file with a header")
    parser.add_argument("--title", required=True, help="of the page")
    parser.add_argument("--note", default="", help="a sentence below the table")
    parser.add_argument("--output", required=True, help="page to write (.html)")
    arguments = parser.parse_args(argv)
    table, csv = read_table(arguments.table), arguments.table.read_text()
    shown, left_out = without_long_part(table)
    remarks = [left_out, arguments.note]
    tables = [Table.of_frame(shown)]
    html = tables_page(arguments.title, tables, remarks, arguments.table.name, csv)
    with written_whole(arguments.output) as partial:
        partial.write_text(html, encoding="utf-8")


if __name__ == "__main__":
    run(main)
