"""Draw a sheet of samples of a data file: image, human map, and the map over the image."""

import argparse

import numpy as np
from human_alignment.common.cli import UserError, run
from human_alignment.data.data_file import DataFile
from human_alignment.data.images import present
from human_alignment.outcome.overlays import draw_grid, heatmap_overlay
from human_alignment.outcome.style import save

BLOCK = 8  # samples side by side
WIDTH = 7.0  # inches: a page


def skipped_entries(data: DataFile) -> list[str]:
    """How many entries the data file leaves out, and the first ten of them with the reason."""
    if not data.skipped:
        return []
    listed = [f"{entry['record']}: {entry['reason']}" for entry in data.skipped[:10]]
    more = ["..."] if len(data.skipped) > 10 else []
    return [f"{len(data.skipped)} entries were left out:", *listed, *more]


def main(argv: list[str] | None = None) -> None:
    """Parse, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="data file with human maps")
    parser.add_argument("--count", type=int, default=24, help="samples, evenly over the file")
    parser.add_argument("--output", nargs="+", required=True, help=".png, .pdf or .svg")
    arguments = parser.parse_args(argv)
    if arguments.count < 1:
        raise UserError(f"--count: {arguments.count} is not positive")
    pictures, labels, titles = [], [], []
    with DataFile(arguments.data) as data:
        count = min(arguments.count, len(data))
        chosen = np.linspace(0, len(data) - 1, count).round().astype(int)
        for block in np.split(chosen, range(BLOCK, count, BLOCK)):
            images = [present(data.images(i, i + 1)[0], data.image_size) for i in block]
            maps = [data.human_maps(i, i + 1)[0] for i in block]
            overlays = [heatmap_overlay(*pair) for pair in zip(images, maps, strict=True)]
            pictures += [images, maps, overlays]
            labels += [[f"class {data.labels[i]}" for i in block]] + [[""] * len(block)] * 2
            titles += ["image", "human map", "overlay"]
        about = f"{count} of the {len(data)} images of {data.dataset}, evenly over the file."
        notes = [about, data.description, *skipped_entries(data)]
    save(draw_grid(pictures, titles, labels, notes, WIDTH), arguments.output)


if __name__ == "__main__":
    run(main)
