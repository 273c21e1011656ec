"""Names beside the points of a scatter plot, placed so that they cover nothing."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from matplotlib.axes import Axes

_DISTANCES = (4, 6, 9, 13, 19, 27, 37, 48)  # point to label, in typographic points
_ANGLES = 32
_SWEEPS = 20  # at most; in practice no label moves after the fourth
_MARKER = 3.0  # points: half the side of the square that a marker keeps free
_LEADER_FROM = 8  # points; a label at least this far off gets a line to its point
_LEADER = {"color": "0.5", "linewidth": 0.5, "linestyle": (0, (1, 1.5))}  # dotted: no line of data
# Costs of a place; a distance of one typographic point costs 1.
_ON_LABEL, _OUTSIDE, _ON_MARKER, _CROSSING, _ON_INK = 3000, 3000, 1000, 300, 12


@dataclass(frozen=True)
class _Places:
    """The k places that one label may take, in pixels.

    boxes: (k, 4) left, bottom, right, top.  lines: (k, 2, 2) from the point straight to the box.
    distances: (k,) in typographic points.  costs: (k,) without those between labels.
    """

    boxes: np.ndarray
    lines: np.ndarray
    distances: np.ndarray
    costs: np.ndarray


def place_labels(
    axes: Axes,
    points: np.ndarray,
    names: list[str],
    ink: np.ndarray,
    dots: np.ndarray | None = None,
) -> None:
    """Write `names` (n) beside `points` (n, 2; data units); distant ones get a leader.

    A leader is a thin dotted line that begins at the label and ends at the point's marker.

    ink: (m, 2) points in data units that a label should not cover: curves, bars, other text.
    dots: (d, 2) in data units, markers without a name, which count as those of `points` do.
    Deterministic: the labels in turn take the cheapest of fixed places around their points until
    none moves. Every rotation of the order is tried, and the cheapest result is drawn. The
    figure's layout must be final, and its size must not change afterwards.
    """
    pixels = axes.transData.transform(points if dots is None else np.concatenate([points, dots]))
    marks = np.hstack([pixels, pixels]) + _scale(axes) * _MARKER * np.array([-1, -1, 1, 1])
    covered = axes.transData.transform(ink)
    places = [
        _places(axes, pixels[i], name, covered, marks, np.delete(marks, i, axis=0))
        for i, name in enumerate(names)
    ]
    for point, name, place, k in zip(points, names, places, _settle(places), strict=True):
        offset = (place.boxes[k, :2] - place.lines[k, 0]) / _scale(axes)
        # An offset in points, so that it holds at every resolution.
        axes.annotate(name, point, offset, textcoords="offset points", va="bottom", zorder=5)
        if place.distances[k] >= _LEADER_FROM:
            axes.plot(*_leader(axes, *place.lines[k]).T, zorder=1.5, **_LEADER)


def _leader(axes: Axes, point: np.ndarray, label: np.ndarray) -> np.ndarray:
    """The line (2, 2; data units) from a label to its point's marker; both given in pixels."""
    gap = (_MARKER + 1) * _scale(axes) / np.hypot(*(label - point))
    return axes.transData.inverted().transform(np.stack([label, point + gap * (label - point)]))


def _scale(axes: Axes) -> float:
    """Pixels per typographic point."""
    return axes.figure.dpi / 72


def _places(
    axes: Axes, point: np.ndarray, name: str, ink: np.ndarray, marks: np.ndarray, others: np.ndarray
) -> _Places:
    """The places around a point (2,) at every distance and angle, with their own costs."""
    text = axes.text(0, 0, name)
    size = text.get_window_extent(axes.figure.canvas.get_renderer()).size
    text.remove()
    angles = 2 * np.pi * np.arange(_ANGLES) / _ANGLES
    distances = np.repeat(_DISTANCES, _ANGLES)
    direction = np.tile(np.stack([np.cos(angles), np.sin(angles)], -1), (len(_DISTANCES), 1))
    # The box touches the end of the arrow with the side, or near the corner, that faces the point.
    low = point + direction * distances[:, None] * _scale(axes)
    low -= size * np.clip(0.5 - 0.6 * direction, 0, 1)
    boxes = np.hstack([low, low + size])
    lines = np.stack([np.broadcast_to(point, low.shape), np.clip(point, low, low + size)], 1)
    frame = axes.get_window_extent().extents
    outside = (low < frame[:2]).any(1) | (low + size > frame[2:]).any(1)
    inked = _overlap(boxes, np.hstack([ink, ink])).sum(1)
    costs = distances + _OUTSIDE * outside + _ON_INK * inked
    costs += _ON_MARKER * _overlap(boxes, marks).sum(1) + _CROSSING * _meet(lines, others).sum(1)
    return _Places(boxes, lines, distances, costs)


def _overlap(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Which of `boxes` (k, 4) overlap which of `others` (n, 4): bool (k, n)."""
    left, bottom, right, top = boxes.T[:, :, None]
    return (
        (left < others[:, 2])
        & (right > others[:, 0])
        & (bottom < others[:, 3])
        & (top > others[:, 1])
    )


def _meet(lines: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Which of `lines` (k, 2, 2) run through which of `boxes` (n, 4): bool (k, n).

    Along a line from 0 to 1, it is inside a box between the last entry and the first exit.
    """
    enter, leave = 0.0, 1.0
    for axis in (0, 1):
        start = lines[:, None, 0, axis]
        length = lines[:, None, 1, axis] - start
        length = np.where(np.abs(length) < 1e-9, 1e-9, length)
        first, second = (boxes[:, axis] - start) / length, (boxes[:, axis + 2] - start) / length
        enter = np.maximum(enter, np.minimum(first, second))
        leave = np.minimum(leave, np.maximum(first, second))
    return enter <= leave


def _cross(lines: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Which of `lines` (k, 2, 2) cross which of `others` (n, 2, 2): bool (k, n)."""

    def side(a, b, c):  # sign: on which side of the line from a to b the point c lies
        u, v = b - a, c - a
        return u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]

    a, b, p, q = lines[:, None, 0], lines[:, None, 1], others[None, :, 0], others[None, :, 1]
    return (side(a, b, p) * side(a, b, q) < 0) & (side(p, q, a) * side(p, q, b) < 0)


def _beside(places: list[_Places], label: int, k: int) -> np.ndarray:
    """Costs of all places of all labels (n, k) where one of them is at its place `k`.

    Those of this label itself are 0.
    """
    boxes = np.concatenate([one.boxes for one in places])
    lines = np.concatenate([one.lines for one in places])
    box, line = places[label].boxes[k][None], places[label].lines[k][None]
    crossings = _meet(lines, box)[:, 0].astype(int) + _meet(line, boxes)[0]
    crossings += _cross(lines, line)[:, 0]
    costs = _CROSSING * crossings + _ON_LABEL * _overlap(boxes, box)[:, 0]
    costs = costs.reshape(len(places), -1)
    costs[label] = 0
    return costs


def _settle(places: list[_Places]) -> list[int]:
    """The place of each label, from the cheapest result over all rotations of the order."""

    @cache  # labels take few of their places, and those again and again
    def beside(label: int, k: int) -> np.ndarray:
        return _beside(places, label, k)

    own = np.array([one.costs for one in places])
    count = len(places)
    best, least = [], np.inf
    for turn in range(count):
        chosen = own.argmin(1)
        crowd = sum(beside(*one) for one in enumerate(chosen))
        for _ in range(_SWEEPS):
            before = chosen.copy()
            for i in np.roll(np.arange(count), turn):
                k = (own[i] + crowd[i]).argmin()
                if k != chosen[i]:
                    crowd = crowd + beside(i, k) - beside(i, chosen[i])
                    chosen[i] = k
            if (chosen == before).all():
                break
        at = np.arange(count), chosen
        total = own[at].sum() + crowd[at].sum() / 2
        if total < least:
            best, least = list(chosen), total
    return best
