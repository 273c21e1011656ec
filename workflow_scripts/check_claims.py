"""Check the paper's claims on a study's numbers: each holds, does not, or cannot be said.

With --paper the paper's own Table 1 goes through the same check, and stands beside.
"""

import argparse
from pathlib import Path

import pandas as pd
from human_alignment.common.cli import UserError, run
from human_alignment.common.files import written_whole
from human_alignment.outcome.claims import Evidence, as_table, check, few_images, read_differences
from human_alignment.outcome.markup import Block, to_html
from human_alignment.outcome.table1 import FEW_IMAGES, read_paper, read_seeds, refuse_micro
from human_alignment.scores.summary import human_ceiling, read_summary

TITLE = "The paper's claims"
READING = (
    "A claim holds, or does not, if it does so whatever the differences whose 95 % interval holds "
    "zero turn out to be; else it cannot be said.",
    "Differences of scores: with DCLS minus without, or Threshold-Grad-CAM minus Grad-CAM, by "
    "image; of top-1, which has no interval, in percentage points by sign.",
    "r: Pearson's correlation over networks with its 95 % interval by Fisher's transformation.",
)


def to_markdown(table: pd.DataFrame, remarks: list[str]) -> str:
    """A list, a claim each; its cells are too long for a table in a terminal."""
    lines = [f"# {TITLE}", ""]
    for row in table.to_dict("records"):
        lines += [f"- **{row['verdict']}**: {row['claim']} ({row['sections']})"]
        lines += [f"  - {row['evidence']}"]
        if "paper_verdict" in row:
            lines += [f"  - the paper's own numbers: **{row['paper_verdict']}**; "]
            lines[-1] += row["paper_evidence"]
    return "\n".join([*lines, "", *remarks]) + "\n"


def to_block(table: pd.DataFrame) -> Block:
    """The table for a page."""
    names = {"claim": "Claim", "sections": "Sections", "verdict": "Verdict", "evidence": "Numbers"}
    names |= {"paper_verdict": "Verdict on the paper's numbers"}
    names |= {"paper_evidence": "The paper's numbers"}
    shown = [name for name in names if name in table]
    caption = "Each claim, and the numbers that decide it"
    return Block([names[name] for name in shown], table[shown].to_numpy().tolist(), caption, False)


def main(argv: list[str] | None = None) -> None:
    """Parse, check, write the checklist three times."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--summary", required=True, type=Path, help="scores/summary.csv")
    parser.add_argument("--comparisons", required=True, type=Path, help="scores/comparisons.csv")
    parser.add_argument("--output", required=True, type=Path, help="the checklist as CSV")
    parser.add_argument("--markdown", type=Path, help="default: beside the CSV file, .md")
    parser.add_argument("--html", type=Path, help="default: beside the CSV file, .html")
    parser.add_argument("--paper", type=Path, help="CSV file of the paper's Table 1")
    parser.add_argument("--paper-seeds", type=Path, help="CSV file of its spread over trainings")
    parser.add_argument("--caption-note", default="", help="a sentence to put below")
    arguments = parser.parse_args(argv)
    if bool(arguments.paper) != bool(arguments.paper_seeds):
        raise UserError("--paper and --paper-seeds are given both or not at all")

    summary = read_summary(arguments.summary)
    differences = read_differences(arguments.comparisons)
    evidence = Evidence.of_study(summary, differences, human_ceiling(summary))
    table = as_table(check(evidence))
    if arguments.paper:
        paper, seeds = read_paper(arguments.paper), read_seeds(arguments.paper_seeds)
        refuse_micro(evidence.networks.reset_index(), paper)
        theirs = as_table(check(Evidence.of_paper(paper, seeds, evidence.networks["parameters"])))
        table = table.assign(paper_verdict=theirs["verdict"], paper_evidence=theirs["evidence"])
    few = ", ".join(few_images(evidence.networks))
    remarks = [*READING, f"Scored on fewer than {FEW_IMAGES} images: {few}." if few else ""]
    remarks = [remark for remark in [*remarks, arguments.caption_note] if remark]
    texts = {
        arguments.output: table.to_csv(index=False),
        arguments.markdown or arguments.output.with_suffix(".md"): to_markdown(table, remarks),
        arguments.html or arguments.output.with_suffix(".html"): to_html(
            TITLE, [to_block(table)], remarks
        ),
    }
    for path, text in texts.items():
        with written_whole(path) as partial:
            partial.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run(main)
