"""Draw how far each field of the protocol moves the scores, and write it as tables."""

import argparse
from pathlib import Path

import pandas as pd
from human_alignment.common.cli import run
from human_alignment.common.files import written_whole
from human_alignment.outcome.markup import Block, to_markdown
from human_alignment.outcome.protocol_figures import sensitivity
from human_alignment.outcome.style import save
from human_alignment.outcome.table1 import FEW_IMAGES
from human_alignment.scores.run_tables import gather
from human_alignment.scores.sensitivity import ALL, turned
from human_alignment.scores.summary import explainer_name, full_name

PAPER = ["model", "dcls", "run", "explainer", "score", "low", "high", "n"]


def under_paper(table: pd.DataFrame) -> pd.DataFrame:
    """Scores under the protocol `paper`, all fields changed, with their own intervals."""
    rows = table[table["field"] == ALL].drop(columns=["low", "high"])
    return rows.rename(columns={"score_low": "low", "score_high": "high"})[PAPER]


def to_text(table: pd.DataFrame) -> str:
    """The table as Markdown, a block per explainer."""
    blocks = []
    for explainer, part in table.groupby("explainer", sort=False):
        header = [explainer_name(str(explainer)), "field", "value", "score", "change",
                  "DCLS - plain", "sign"]  # fmt: skip
        rows = []
        for one in part.to_dict("records"):
            cells = [full_name(one["model"], one["dcls"]), one["field"], str(one["value"])]
            if pd.isna(one["score"]):
                rows.append([*cells, "undefined", "-", "-", "-"])
                continue
            mark = "†" if one["n"] < FEW_IMAGES else ""
            interval = f"[{one['low']:+.3f}, {one['high']:+.3f}]"
            gap = one["dcls_difference"]
            sign = "turns" if one["sign_changes"] is True else "stays"
            rows.append(
                [*cells, f"{one['score']:.3f}{mark}", f"{one['difference']:+.3f} {interval}"]
                + ([f"{gap:+.3f}", sign] if pd.notna(gap) else ["-", "-"])
            )
        blocks.append(Block(header, rows))
    remarks = [
        "change: score with this field as the paper's text has it, minus the score under the "
        "protocol `released`; in brackets its 95 % bootstrap interval, paired by image.",
        "DCLS - plain: difference of the two networks' scores under the changed protocol; sign: "
        "whether it is another than under `released`.",
    ]
    if any("†" in cell for block in blocks for row in block.rows for cell in row):
        remarks.append(f"†: from fewer than {FEW_IMAGES} images.")
    return to_markdown(blocks, remarks)


def main(argv: list[str] | None = None) -> None:
    """Parse, gather, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("tables", nargs="+", type=Path, help="<run>.sensitivity.csv of all runs")
    parser.add_argument("--label", default="mean Spearman ρ", help="what a score is, for the axis")
    parser.add_argument("--note", default="", help="a sentence to put small below the figure")
    parser.add_argument("--output", nargs="+", type=Path, required=True, help="figure: .png .pdf")
    parser.add_argument("--table", required=True, help="all runs' rows to write (.csv)")
    parser.add_argument("--markdown", required=True, help="the same to read (.md)")
    parser.add_argument("--paper-protocol", required=True, help="scores under `paper` (.csv)")
    arguments = parser.parse_args(argv)
    table = gather(arguments.tables)
    table = table.merge(turned(table), on=["model", "run", "explainer", "field"], how="left")
    save(sensitivity(table, arguments.label, arguments.note), arguments.output)
    for path, rows in {
        arguments.table: table,
        arguments.paper_protocol: under_paper(table),
    }.items():
        with written_whole(path) as partial:
            rows.to_csv(partial, index=False)
    with written_whole(arguments.markdown) as partial:
        partial.write_text(to_text(table))


if __name__ == "__main__":
    run(main)
