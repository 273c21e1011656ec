"""Means of the further measures of all runs of a study, with 95 % intervals, as one table."""

import argparse
from pathlib import Path

import pandas as pd
from human_alignment.common.cli import run
from human_alignment.common.files import written_whole
from human_alignment.outcome.markup import Block, to_markdown
from human_alignment.outcome.table1 import FEW_IMAGES
from human_alignment.scores.bootstrap import bootstrap_interval
from human_alignment.scores.measures import MEASURES
from human_alignment.scores.run_tables import gather
from human_alignment.scores.summary import explainer_name, full_name


def means(table: pd.DataFrame, resamples: int, seed: int) -> pd.DataFrame:
    """A row per run, explainer and measure: n, mean, low, high; without a defined value no mean."""
    rows = []
    for key, part in table.groupby(["model", "dcls", "run", "explainer"], sort=False):
        for measure in [name for name in MEASURES if name in part]:
            values = part[measure].dropna().to_numpy()
            found = {"n": len(values), "mean": None, "low": None, "high": None}
            if len(values):
                found["mean"] = values.mean()
            if len(values) > 1:
                found["low"], found["high"] = bootstrap_interval(
                    values, resamples=resamples, seed=seed
                )
            names = dict(zip(("model", "dcls", "run", "explainer"), key, strict=True))
            rows.append({**names, "measure": measure, **found})
    return pd.DataFrame(rows)


def to_text(table: pd.DataFrame) -> str:
    """The table as Markdown: a block per explainer, a column per measure."""
    blocks = []
    for explainer, part in table.groupby("explainer", sort=False):
        measures = list(dict.fromkeys(part["measure"]))
        rows = []
        for (model, dcls, one_run), one in part.groupby(["model", "dcls", "run"], sort=False):
            cells = one.set_index("measure")
            rows.append([full_name(model, dcls), one_run])
            for measure in measures:
                mean, low, high, n = cells.loc[measure, ["mean", "low", "high", "n"]]
                mark = "†" if n < FEW_IMAGES else ""
                interval = "" if pd.isna(low) else f" [{low:.3f}, {high:.3f}]"
                rows[-1].append("undefined" if pd.isna(mean) else f"{mean:.3f}{mark}{interval}")
        blocks.append(Block([explainer_name(str(explainer)), "run", *measures], rows))
    remarks = ["Means over images; in brackets their 95 % bootstrap intervals. Lower is closer for "
               "kl, higher for the others."]  # fmt: skip
    if any("†" in cell for block in blocks for row in block.rows for cell in row):
        remarks.append(f"†: from fewer than {FEW_IMAGES} images.")
    return to_markdown(blocks, remarks)


def main(argv: list[str] | None = None) -> None:
    """Parse, average, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("tables", nargs="+", type=Path, help="<run>.measures.csv of all runs")
    parser.add_argument("--resamples", type=int, default=2000, help="of the bootstrap")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap")
    parser.add_argument("--output", required=True, help="table to write (.csv)")
    parser.add_argument("--markdown", required=True, help="the same to read (.md)")
    arguments = parser.parse_args(argv)
    table = means(gather(arguments.tables), arguments.resamples, arguments.seed)
    with written_whole(arguments.output) as partial:
        table.to_csv(partial, index=False)
    with written_whole(arguments.markdown) as partial:
        partial.write_text(to_text(table))


if __name__ == "__main__":
    run(main)
