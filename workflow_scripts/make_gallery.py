"""Write the gallery: one HTML page to browse images, human maps, heatmaps and their scores.

A run's name is in the path of its scores, `<folder>/<model>/<run>.parquet`; explainers that were
run on a sample of the images have files of their own, `<run>.saliency.parquet`.
"""

import argparse
import contextlib
from pathlib import Path

from human_alignment.common.cli import UserError, run
from human_alignment.common.files import written_whole
from human_alignment.data.data_file import DataFile
from human_alignment.data.outside_maps import OutsideMaps, maps_argument
from human_alignment.heatmaps.heatmap_file import HeatmapFile
from human_alignment.outcome.gallery import (
    Part,
    Sample,
    page,
    page_contents,
    sampled_rows,
    sentences,
)
from human_alignment.scores.protocol import PROTOCOL_HELP, protocol_argument
from human_alignment.scores.reference_file import read_references


def main(argv: list[str] | None = None) -> None:
    """Parse, gather, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="data file with human maps")
    parser.add_argument("--heatmaps", nargs="+", required=True, help="of all runs and parts")
    parser.add_argument("--scores", nargs="+", type=Path, required=True, help="in the same order")
    parser.add_argument("--references", nargs="?", help="rho of references (.h5), to show them too")
    parser.add_argument(
        "--maps",
        nargs="*",
        type=maps_argument,
        default=[],
        metavar="NAME=PATH",
        help="maps of other models, as score_references.py had them",
    )
    parser.add_argument("--protocol", type=protocol_argument, required=True, help=PROTOCOL_HELP)
    parser.add_argument("--images", type=int, default=200, help="how many to show at most")
    parser.add_argument("--seed", type=int, default=0, help="of the choice of images")
    parser.add_argument(
        "--others", type=int, default=0, help="how many networks the study has beside these"
    )
    parser.add_argument("--study", default="study", help="its name, for the title")
    parser.add_argument("--note", default="", help="a sentence under the title")
    parser.add_argument("--output", required=True, help="page to write (.html)")
    arguments = parser.parse_args(argv)
    if len(arguments.heatmaps) != len(arguments.scores):
        raise UserError("--heatmaps and --scores must name the same runs, in the same order")
    if arguments.images < 1:
        raise UserError(f"--images: {arguments.images} is not positive")
    with contextlib.ExitStack() as stack:
        data = stack.enter_context(DataFile(arguments.data))
        parts = [
            Part(stack.enter_context(HeatmapFile(path)), scores)
            for path, scores in zip(arguments.heatmaps, arguments.scores, strict=True)
        ]
        sample = Sample.draw(len(data), arguments.images, arguments.seed, sampled_rows(parts))
        references = read_references(arguments.references) if arguments.references else None
        outside = [
            stack.enter_context(OutsideMaps(name, path, data.image_ids))
            for name, path in arguments.maps
        ]
        contents = page_contents(
            data, parts, sample, arguments.protocol, arguments.study, references, outside
        )
    about = sentences(sample, parts, arguments.note, arguments.others)
    html = page(contents, about)
    with written_whole(arguments.output) as partial:
        partial.write_text(html, encoding="utf-8")


if __name__ == "__main__":
    run(main)
