"""Compare networks on the same images: DCLS against plain, Threshold-Grad-CAM against Grad-CAM.

With --controls and --references DCLS is compared with plain also in what both share with the human
maps beyond the centre of the image, and without the high frequencies of their heatmaps.

Writes paired differences of rho with bootstrap interval, Wilcoxon signed-rank test (Holm) and
probability of superiority; and how top-1 and size of networks go with their scores.
"""

import argparse
from pathlib import Path

from human_alignment.common.cli import UserError, run
from human_alignment.common.files import written_whole
from human_alignment.scores.bootstrap import STATISTICS_FLAG
from human_alignment.scores.comparisons import StudyRho, compare, correlate_with_score
from human_alignment.scores.controlled import ControlledStudy
from human_alignment.scores.reference_file import read_references
from human_alignment.scores.summary import read_summary


def main(argv: list[str] | None = None) -> None:
    """Parse, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--scores", nargs="+", type=Path, required=True, help="of all runs")
    parser.add_argument("--summary", type=Path, required=True, help="scores/summary.csv")
    parser.add_argument(
        "--controls", nargs="*", type=Path, default=[], help="<run>.controls.h5 of all runs"
    )
    parser.add_argument("--references", help="of score_references.py --rho (.h5)")
    parser.add_argument("--output", required=True, help="paired comparisons to write (.csv)")
    parser.add_argument("--correlations", required=True, help="over networks, to write (.csv)")
    parser.add_argument("--statistics", **STATISTICS_FLAG)
    arguments = parser.parse_args(argv)
    if arguments.controls and not arguments.references:
        raise UserError("--controls need --references, those that they were made with")
    summary = read_summary(arguments.summary)
    controlled = None
    if arguments.controls:
        references = read_references(arguments.references)
        controlled = ControlledStudy(arguments.scores, arguments.controls, references)
    compared = StudyRho(arguments.scores), summary, controlled
    tables = {
        arguments.output: compare(*compared, **arguments.statistics),
        arguments.correlations: correlate_with_score(summary),
    }
    for path, table in tables.items():
        with written_whole(path) as partial:
            table.to_csv(partial, index=False)


if __name__ == "__main__":
    run(main)
