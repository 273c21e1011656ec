"""Gather the summaries of all runs of a study into one table, a row per run and explainer.

Every table and figure reads this table. A run's name is in its files' paths:
`<folder>/<model>/<run>.json` and `<run>.attributions.json` for scores,
`<folder>/<model>/<run>.top1.json` for accuracy.
"""

import argparse
import json
from pathlib import Path

import pandas as pd
from human_alignment.common.cli import run
from human_alignment.common.files import written_whole
from human_alignment.scores.spearman import CAUSES

SUFFIX = "_dcls"
FIGURES = ["n", "n_images", "mean_rho", "score", "low", "high"]


def rows(summary: Path, top1: dict[str, float]) -> list[dict]:
    """One run's rows of the table, one per explainer."""
    name, seed = summary.parent.name, summary.name.split(".")[0]
    return [
        {
            "model": name.removesuffix(SUFFIX),
            "dcls": int(name.endswith(SUFFIX)),
            "run": seed,
            "parameters": found["parameters"],
            "top1": top1.get(f"{name}/{seed}"),
            "explainer": explainer,
            **{figure: found[figure] for figure in FIGURES},
            **{f"n_{cause}": found["status"].get(cause, 0) for cause in CAUSES},
        }
        for explainer, found in json.loads(summary.read_text()).items()
    ]


def main(argv: list[str] | None = None) -> None:
    """Parse, gather, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--summaries", nargs="+", type=Path, required=True, help="of all runs")
    parser.add_argument("--top1", nargs="*", type=Path, default=[], help="of the runs that have it")
    parser.add_argument("--output", required=True, help="table to write (.csv)")
    arguments = parser.parse_args(argv)
    top1 = {
        f"{path.parent.name}/{path.name.split('.')[0]}": json.loads(path.read_text())["top1"]
        for path in arguments.top1
    }
    table = pd.DataFrame([row for path in arguments.summaries for row in rows(path, top1)])
    with written_whole(arguments.output) as partial:
        table.to_csv(partial, index=False)


if __name__ == "__main__":
    run(main)
