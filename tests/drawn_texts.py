"""The texts of a figure as drawn: which are seen, and whether they are clear of each other."""

import itertools

from matplotlib.text import Text


def seen_texts(figure):
    """All visible texts of a figure; no tick labels out of view."""
    hidden = set()
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        seen = {
            id(tick.label1)
            for tick, place in zip(axis.get_major_ticks(), axis.get_majorticklocs(), strict=True)
            if axis.axes.axison and low <= place <= high
        }
        hidden |= {id(t) for t in axis.findobj(Text) if id(t) not in seen and t is not axis.label}
        hidden |= set() if axis.axes.axison else {id(axis.label)}
    found = [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip()]
    return [t for t in found if id(t) not in hidden]


def texts_of(figure):
    """The visible texts of a figure with their boxes in pixels."""
    renderer = figure.canvas.get_renderer()
    return [(text, text.get_window_extent(renderer)) for text in seen_texts(figure)]


def words_of(figure):
    """The visible texts of a figure as one, in which a space stands for any blank."""
    return " ".join(" ".join(text.get_text().split()) for text in seen_texts(figure))


def check_texts(placed, figure):
    """Every text is legible, inside the figure, and clear of the others."""
    for text, box in placed:
        assert text.get_fontsize() >= 7
        inside = box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.x1
        assert inside and box.y1 <= figure.bbox.y1, text
    level = [(text, box) for text, box in placed if text.get_rotation() in (0, 90)]
    for (one, box), (other, second) in itertools.combinations(level, 2):
        across = min(box.x1, second.x1) - max(box.x0, second.x0)
        up = min(box.y1, second.y1) - max(box.y0, second.y0)
        assert across <= 0.5 or up <= 0.5, (one, other)
