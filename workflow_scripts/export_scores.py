"""Write a run's scores as CSV: a row per image and explainer, for spreadsheets and other programs.

The columns are image_id, label, explainer, rho and status; rho is empty where it is undefined.
"""

import argparse
from pathlib import Path

from human_alignment.common.cli import run
from human_alignment.scores.score_file import export_csv, read_scores


def main(argv: list[str] | None = None) -> None:
    """Parse, read, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("scores", type=Path, help="score file of score_alignment.py (.parquet)")
    parser.add_argument("--output", required=True, help="the same scores to write (.csv)")
    arguments = parser.parse_args(argv)
    export_csv(read_scores(arguments.scores), arguments.output)


if __name__ == "__main__":
    run(main)
