"""Draw Figure 4: number of parameters against Threshold-Grad-CAM score, without DCLS."""

from human_alignment.common.cli import run
from human_alignment.outcome.score_figures import draw_from_summary, size_against_score


def main(argv: list[str] | None = None) -> None:
    """Read the summary, write the figure in each format asked for."""
    draw_from_summary(size_against_score, __doc__, argv)


if __name__ == "__main__":
    run(main)
