"""Draw score against threshold for every model, and write the best threshold of each as a table."""

import argparse
import json
from pathlib import Path

import pandas as pd
from human_alignment.common.cli import run
from human_alignment.common.files import written_whole
from human_alignment.common.paths import network_of
from human_alignment.outcome.markup import Block, to_markdown
from human_alignment.outcome.protocol_figures import threshold_sweep
from human_alignment.outcome.style import save
from human_alignment.outcome.table1 import FEW_IMAGES
from human_alignment.scores.run_tables import gather
from human_alignment.scores.summary import full_name

CHOICE = ["best", "chosen", "n", "score", "low", "high"]


def read_choices(paths: list[Path]) -> pd.DataFrame:
    """A row per run: its network and what cross-validation found; empty where it found nothing."""
    rows = []
    for path in paths:
        found = json.loads(path.read_text()) or dict.fromkeys(CHOICE)
        chosen = found["chosen"] and " ".join(f"{value:g}" for value in found["chosen"])
        rows.append({**network_of(path), **found, "chosen": chosen})
    return pd.DataFrame(rows)


def to_text(choices: pd.DataFrame, usual: float) -> str:
    """The table as Markdown."""
    header = ["Model", "run", "best threshold", "chosen by fold", f"score at {usual:g}",
              "cross-validated", "n"]  # fmt: skip
    rows = []
    for one in choices.to_dict("records"):
        cells = [full_name(one["model"], one["dcls"]), one["run"]]
        if pd.isna(one["score"]):
            rows.append([*cells, "-", "-", "-", "undefined", "-"])
            continue
        mark = "†" if one["n"] < FEW_IMAGES else ""
        interval = f"{one['score']:.3f}{mark} [{one['low']:.3f}, {one['high']:.3f}]"
        usual_score = "-" if pd.isna(one["usual_score"]) else f"{one['usual_score']:.3f}"
        cells += [f"{one['best']:g}", one["chosen"], usual_score, interval, f"{one['n']:,.0f}"]
        rows.append(cells)
    remarks = [
        "best threshold: with the highest score on all images.",
        "cross-validated: each image scored with the threshold chosen on the other folds; in "
        "brackets the 95 % bootstrap interval. Only this can be compared with a fixed threshold.",
    ]
    if any("†" in cell for row in rows for cell in row):
        remarks.append(f"†: from fewer than {FEW_IMAGES} images.")
    return to_markdown([Block(header, rows)], remarks)


def main(argv: list[str] | None = None) -> None:
    """Parse, gather, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sweeps", nargs="+", type=Path, required=True, help="<run>.sweep.csv")
    parser.add_argument("--choices", nargs="+", type=Path, required=True, help="<run>.sweep.json")
    parser.add_argument("--threshold", type=float, required=True, help="the protocol's own")
    parser.add_argument("--label", default="score", help="what a score is, for the axis")
    parser.add_argument("--note", default="", help="a sentence to put small below the figure")
    parser.add_argument("--output", nargs="+", type=Path, required=True, help="figure: .png .pdf")
    parser.add_argument("--table", required=True, help="best thresholds to write (.csv)")
    parser.add_argument("--markdown", required=True, help="the same to read (.md)")
    arguments = parser.parse_args(argv)
    sweeps, choices = gather(arguments.sweeps), read_choices(arguments.choices)
    usual = sweeps[sweeps["threshold"] == arguments.threshold]
    keys = ["model", "dcls", "run"]
    usual = usual[[*keys, "score"]].rename(columns={"score": "usual_score"})
    choices = choices.merge(usual, on=keys, how="left")
    figure = threshold_sweep(sweeps, choices, arguments.label, arguments.threshold, arguments.note)
    save(figure, arguments.output)
    with written_whole(arguments.table) as partial:
        choices.to_csv(partial, index=False)
    with written_whole(arguments.markdown) as partial:
        partial.write_text(to_text(choices, arguments.threshold))


if __name__ == "__main__":
    run(main)
