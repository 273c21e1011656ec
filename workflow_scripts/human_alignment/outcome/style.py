"""The style that all figures share, and how a figure is started, explained and saved."""

import io
import re
import textwrap
from collections.abc import Iterable
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..common.cli import UserError
from ..common.files import written_whole

WIDTH = 3.4  # inches: one column of a two-column page
PAGE_WIDTH = 7.0  # inches: both columns
USUAL = 24  # letters of a network's name for which figures have room
_TITLE = 20  # letters in a line of the title of a small panel
_LETTER = 0.06  # inches; width of a letter of a name
COLOURS = ("#0072B2", "#E69F00")  # without, with DCLS: two of Okabe and Ito's colours
LEGEND = ("without DCLS", "with DCLS")
GREY = "0.35"
# The colour and the marker of each explainer, the same in every figure and study. The colours are
# Okabe and Ito's but the two above, their yellow, which white swallows, and then three of Tol's.
EXPLAINER_LOOKS = {
    "grad_cam": ("#009E73", "o"),
    "threshold_grad_cam": ("#CC79A7", "s"),
    "hires_cam": ("#56B4E9", "^"),
    "grad_cam_plus_plus": ("#D55E00", "D"),
    "xgrad_cam": ("#000000", "v"),
    "layer_cam": ("#882255", "P"),
    "eigen_cam": ("#999933", "X"),
    "eigen_grad_cam": ("#332288", "p"),
    "saliency": ("0.4", "<"),  # these two explain a sample of the images
    "rise": ("0.6", ">"),
}
STYLE = {
    "font.size": 7,  # the smallest text anywhere
    "font.family": "DejaVu Sans",  # comes with matplotlib: same figure on every machine
    "axes.titlesize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 7,
    "figure.dpi": 200,
    "text.hinting": "none",  # letters as wide in PNG as in PDF, so that labels fit in both
    "pdf.fonttype": 42,  # text stays text
    "svg.hashsalt": "human_alignment",
}
_SAVED = {  # how, by ending: with nothing that changes from run to run
    # Level 6, which is usual, takes three times as long for files that are 2 % smaller.
    ".png": {"pil_kwargs": {"compress_level": 4}},
    ".pdf": {"metadata": {"CreationDate": None}},
    ".svg": {"metadata": {"Date": None}},
}


def new_figure(height: float, notes: list[str], width: float = WIDTH) -> Figure:
    """An empty figure of `width` x `height` inches with small notes added below it.

    An empty note takes no room.
    """
    lines = [line for note in notes for line in textwrap.wrap(note, int(width * 17))]
    room = (len(lines) * 7 * 1.2 + 3) / 72 if lines else 0
    figure = Figure(figsize=(width, height + room), layout="constrained")
    FigureCanvasAgg(figure)
    bottom = 1.5 / 72 / (height + room)
    figure.text(0.02, bottom, "\n".join(lines), va="bottom", color=GREY, linespacing=1.1)
    share = room / (height + room)
    figure.get_layout_engine().set(rect=(0, share, 1, 1 - share))
    return figure


def room_for(names: Iterable[str]) -> float:
    """How much longer than usual the longest of some names is, in inches; 0 up to USUAL letters."""
    return max(0, max(map(len, names), default=0) - USUAL) * _LETTER


def broken(name: str) -> str:
    """A name as the title of a small panel: a new line where one would be longer than _TITLE.

    A line ends after a letter that is no part of a word, such as `_`, `.` or a space.
    """
    lines = [""]
    for part in re.findall(r"[^\W_]*[\W_]+|[^\W_]+$", name):
        if lines[-1] and len(lines[-1]) + len(part.rstrip()) > _TITLE:
            lines.append("")
        lines[-1] += part
    return "\n".join(line.rstrip() for line in lines)


def say_instead(axes: Axes, sentence: str) -> None:
    """Put a sentence in the place of a plot that cannot be drawn. The layout ignores it."""
    axes.set_axis_off()
    text = textwrap.fill(sentence, 48, break_on_hyphens=False)
    style = {"ha": "center", "va": "center", "color": GREY, "in_layout": False}
    axes.text(0.5, 0.5, text, transform=axes.transAxes, **style)


@mpl.rc_context(STYLE)
def empty_figure(sentence: str, note: str) -> Figure:
    """A small figure that says why there is nothing to draw."""
    figure = new_figure(1.5, [note])
    say_instead(figure.subplots(), sentence)
    return figure


def score_label(ceiling: float | None) -> str:
    """Label of an axis of scores; ceiling: what the mean rho was divided by, if by anything."""
    return f"mean Spearman ρ / human ceiling {ceiling:g}" if ceiling else "mean Spearman ρ"


def settle(figure: Figure) -> None:
    """Solve the layout of a figure, so that places in it can be measured and stay as they are.

    Drawing it does not solve the layout again. A figure that is settled stays the same.
    """
    engine = figure.get_layout_engine()
    if engine:
        engine.execute(figure)
        shaped = [axes for axes in figure.axes if axes.get_aspect() != "auto"]
        if shaped:
            engine.execute(figure)  # the first time knew nothing of the room that they leave
        for axes in shaped:
            axes.apply_aspect()
        figure.set_layout_engine(None)  # "none" would leave one that has savefig draw it twice


def save(figure: Figure, paths: list[Path]) -> None:
    """Write a figure to each path in the format of its ending: .png (200 dpi), .pdf or .svg.

    All of them have the same layout, and the same figure gives the same bytes. Raises UserError
    on any other ending.
    """
    paths = [Path(path) for path in paths]
    for path in paths:
        if path.suffix not in _SAVED:
            raise UserError(f"{path}: figures are written as {', '.join(_SAVED)}")
    with mpl.rc_context(STYLE):
        settle(figure)
    for path in paths:
        # Into memory first: matplotlib's PDF writer hides a full disk behind an error of its own.
        drawn = io.BytesIO()
        with mpl.rc_context(STYLE):
            kind = path.suffix.removeprefix(".")
            figure.savefig(drawn, format=kind, dpi=200, **_SAVED[path.suffix])
        with written_whole(path) as partial:
            partial.write_bytes(drawn.getbuffer())
