"""Show a table of the study, a CSV file, as an HTML page that sorts by any column."""

import argparse
from pathlib import Path

import pandas as pd
from human_alignment.common.cli import UserError, run
from human_alignment.common.files import written_whole
from human_alignment.outcome.pages import download, paragraph, table, table_page


def main(argv: list[str] | None = None) -> None:
    """Parse, read, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", type=Path, required=True, help="CSV file with a header")
    parser.add_argument("--title", required=True, help="of the page")
    parser.add_argument("--note", default="", help="a sentence under the title")
    parser.add_argument("--output", required=True, help="page to write (.html)")
    arguments = parser.parse_args(argv)
    try:
        frame = pd.read_csv(arguments.table)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise UserError(f"{arguments.table} is not a CSV file with a header: {error}") from error
    html = table_page(
        arguments.title,
        paragraph(arguments.note),
        table(frame, arguments.title),
        download(arguments.table.read_text(), arguments.table.name),
    )
    with written_whole(arguments.output) as partial:
        partial.write_text(html, encoding="utf-8")


if __name__ == "__main__":
    run(main)
