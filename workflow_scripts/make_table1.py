"""Make Table 1 from the summary of all scores, as CSV, Markdown, LaTeX and HTML."""

import argparse
from pathlib import Path

from human_alignment.common.cli import run
from human_alignment.common.files import written_whole
from human_alignment.outcome.markup import to_latex, to_markdown
from human_alignment.outcome.page_tables import Table, tables_page
from human_alignment.outcome.preference import add_label_flag
from human_alignment.outcome.reference_scores import ceiling_words, read_references
from human_alignment.outcome.table1 import (
    add_paper,
    add_paper_protocol,
    blocks,
    notes,
    printed,
    read_paper,
    read_protocol_scores,
    table1,
)
from human_alignment.scores.summary import read_summary

TITLE = "Table 1: alignment of visual models with humans"


def main(argv: list[str] | None = None) -> None:
    """Read the summary, write the table four times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--summary", required=True, type=Path, help="scores/summary.csv")
    parser.add_argument(
        "--output", "--csv", required=True, type=Path, help="the table as CSV, unrounded"
    )
    parser.add_argument("--markdown", type=Path, help="default: beside the CSV file, .md")
    parser.add_argument("--latex", type=Path, help="default: beside the CSV file, .tex")
    parser.add_argument("--html", type=Path, help="default: beside the CSV file, .html")
    parser.add_argument("--caption-note", default="", help="a sentence to put below the table")
    parser.add_argument(
        "--paper",
        type=Path,
        nargs="?",
        help="CSV file of the paper's Table 1, to compare full-size models",
    )
    parser.add_argument(
        "--paper-protocol",
        type=Path,
        nargs="?",
        help="CSV file of the study's scores under the protocol `paper`, for a block of its own",
    )
    parser.add_argument(
        "--references",
        type=Path,
        nargs="?",
        help="tables/references.csv, for a block of scores without a network",
    )
    parser.add_argument(
        "--ceilings",
        type=Path,
        nargs="?",
        help="summary of the references (.json), for a note on human ceilings",
    )
    add_label_flag(parser)
    arguments = parser.parse_args(argv)

    summary = read_summary(arguments.summary)
    table = table1(summary)
    if arguments.paper:
        table = add_paper(table, read_paper(arguments.paper))
    if arguments.paper_protocol:
        table = add_paper_protocol(table, read_protocol_scores(arguments.paper_protocol))
    references = read_references(arguments.references) if arguments.references else None
    parts, remarks = blocks(table, references), notes(summary, table, arguments.caption_note)
    remarks += [ceiling_words(arguments.ceilings)] if arguments.ceilings else []
    on_paper, others = printed(table, summary, arguments.label)
    latex = to_latex(blocks(on_paper, references), [*others, *remarks])
    csv = table.to_csv(index=False, float_format="%.6g")
    page = tables_page(TITLE, list(map(Table.of_block, parts)), remarks, arguments.output.name, csv)
    texts = {
        arguments.output: csv,
        arguments.markdown or arguments.output.with_suffix(".md"): to_markdown(parts, remarks),
        arguments.latex or arguments.output.with_suffix(".tex"): latex,
        arguments.html or arguments.output.with_suffix(".html"): page,
    }
    for path, text in texts.items():
        with written_whole(path) as partial:
            partial.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run(main)
