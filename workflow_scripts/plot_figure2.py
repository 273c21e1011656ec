"""Draw Figure 2: Threshold-Grad-CAM score without DCLS against the score with it."""

from human_alignment.common.cli import run
from human_alignment.outcome.score_figures import draw_from_summary, scatter_with_and_without


def main(argv: list[str] | None = None) -> None:
    """Read the summary, write the figure in each format asked for."""
    draw_from_summary(scatter_with_and_without, __doc__, argv)


if __name__ == "__main__":
    run(main)
