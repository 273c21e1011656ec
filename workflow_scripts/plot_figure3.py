"""Draw Figure 3: Grad-CAM and Threshold-Grad-CAM scores of every model, with and without DCLS."""

from human_alignment.common.cli import run
from human_alignment.outcome.score_figures import bars_per_model, draw_from_summary


def main(argv: list[str] | None = None) -> None:
    """Read the summary, write the figure in each format asked for."""
    draw_from_summary(bars_per_model, __doc__, argv)


if __name__ == "__main__":
    run(main)
