"""Make Table 1 from the summary of all scores, as CSV, Markdown and LaTeX."""

import argparse
from pathlib import Path

from human_alignment.cli import run
from human_alignment.files import written_whole
from human_alignment.summaries import read_summary
from human_alignment.tables import (
    add_paper,
    blocks,
    notes,
    read_paper,
    table1,
    to_latex,
    to_markdown,
)


def main(argv: list[str] | None = None) -> None:
    """Read the summary, write the table three times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--summary", required=True, type=Path, help="scores/summary.csv")
    parser.add_argument(
        "--output", "--csv", required=True, type=Path, help="the table as CSV, unrounded"
    )
    parser.add_argument("--markdown", type=Path, help="default: beside the CSV file, .md")
    parser.add_argument("--latex", type=Path, help="default: beside the CSV file, .tex")
    parser.add_argument("--caption-note", default="", help="a sentence to put below the table")
    parser.add_argument(
        "--paper", type=Path, help="CSV file of the paper's Table 1, to compare full-size models"
    )
    arguments = parser.parse_args(argv)

    summary = read_summary(arguments.summary)
    table = table1(summary)
    if arguments.paper:
        table = add_paper(table, read_paper(arguments.paper))
    shown = blocks(table), notes(summary, table, arguments.caption_note)
    texts = {
        arguments.output: table.to_csv(index=False, float_format="%.6g"),
        arguments.markdown or arguments.output.with_suffix(".md"): to_markdown(*shown),
        arguments.latex or arguments.output.with_suffix(".tex"): to_latex(*shown),
    }
    for path, text in texts.items():
        with written_whole(path) as partial:
            partial.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run(main)
