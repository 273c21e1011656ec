"""Command-line flags that the scripts of this room share."""

import argparse
from collections.abc import Iterable

from ..common.arguments import THREADS_HELP, cores, positive
from ..common.geometry import canonical
from ..networks.devices import default_device
from .extraction import TARGETS

PAPER_EXPLAINERS = ["grad_cam", "threshold_grad_cam"]
DEVICE = default_device()


def extraction_parser(description: str) -> argparse.ArgumentParser:
    """A parser with the flags that extract_heatmaps.py and extract_attributions.py share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", required=True, help="data file of a prepare_* script")
    parser.add_argument("--weights", required=True, help="weights file (.safetensors)")
    parser.add_argument("--output", required=True, help="heatmap file to write (.h5)")
    parser.add_argument("--model", help="name to record; default: the weights file's name")
    parser.add_argument(
        "--geometry",
        type=canonical,
        default="crop",
        help="crop: the network family's own resize and centre crop (default); "
        "full: the whole image, resized to the network's input",
    )
    parser.add_argument(
        "--target",
        default="label",
        help=f"class that is explained: {' or '.join(TARGETS)}; default: label",
    )
    parser.add_argument("--threads", type=positive, default=cores(), help=THREADS_HELP)
    parser.add_argument("--device", default=DEVICE, help=f"cpu or cuda; default here: {DEVICE}")
    return parser


def add_explainers(
    parser: argparse.ArgumentParser, known: Iterable[str], default: Iterable[str] | None = None
) -> None:
    """Add the flag `--explainers`; without a default the user must give it.

    known: names of all explainers, for the help text. The parser does not check the names: the
    code that takes them does.
    """
    names = f"any of: {' '.join(known)}"
    if default is not None:
        names += f"; default: {'all' if default is known else ' '.join(default)}"
    parser.add_argument(
        "--explainers", nargs="+", default=default, required=default is None, help=names
    )


def sorted_once(names: Iterable[str]) -> tuple[str, ...]:
    """The names sorted, each once, so that a heatmap file does not depend on their order."""
    return tuple(sorted(set(names)))
