"""Names beside points: what joins a name with its point."""

import matplotlib as mpl
import numpy as np
from human_alignment.outcome.labels import place_labels
from human_alignment.outcome.style import STYLE, new_figure

POINTS = np.random.default_rng(0).normal(0.5, 0.02, (12, 2))  # so close that names must move away
NAMES = [f"network_{number}" for number in range(12)]


def test_a_leader_begins_at_its_name_and_is_unlike_a_line_of_data():
    with mpl.rc_context(STYLE):
        figure = new_figure(3, [])
        axes = figure.subplots()
        axes.set(xlim=(0, 1), ylim=(0, 1))
        figure.draw_without_rendering()
        place_labels(axes, POINTS, NAMES, np.empty((0, 2)))
        figure.draw_without_rendering()
        boxes = [text.get_window_extent() for text in axes.texts]
    points = axes.transData.transform(POINTS)
    assert len(axes.lines) >= 6
    for line in axes.lines:
        assert line.is_dashed() and line.get_linewidth() <= 0.5
        assert mpl.colors.to_rgb(line.get_color()) == (0.5, 0.5, 0.5)
        start, end = axes.transData.transform(line.get_xydata())
        touched = [i for i, box in enumerate(boxes) if box.padded(1).contains(*start)]
        away = np.hypot(*(points - end).T) * 72 / figure.dpi  # in typographic points
        assert any(3.5 < away[i] < 4.5 for i in touched)
