"""Draw docs/data.png: how a picture and its fixations become what networks and scores see.

    PYTHONPATH=workflow_scripts python docs/draw_data.py --output docs/data.png

The picture is a sample photograph of scikit-learn (china.jpg by danielbuechele, CC BY 2.0), the
fixations are made up.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import prepare_folder
from human_alignment.common.cli import run
from human_alignment.common.files import written_whole
from human_alignment.data.data_file import DataFile
from human_alignment.data.images import present
from human_alignment.outcome.overlays import Row, draw_grid, heatmap_overlay
from PIL import Image, ImageDraw
from sklearn.datasets import load_sample_image

POINTS = [(150, 170), (225, 150), (305, 165), (330, 240), (250, 215), (470, 235), (90, 330)]
SIGMA = 28  # pixels of the picture
NOTES = [
    "Left: a picture of 640 x 427 pixels, seven fixations, and the part that is shown. Then the "
    f"image that networks see, the human map (sigma {SIGMA} pixels of the picture), and both."
]


def marked(picture: np.ndarray, crop: bool) -> np.ndarray:
    """The picture with its fixations and a frame around the part that is shown."""
    height, width = picture.shape[:2]
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    for x, y in POINTS:
        draw.ellipse((x - 9, y - 9, x + 9, y + 9), fill="white", outline="black", width=3)
    edge = (width - height) // 2 if crop else 0
    draw.rectangle((edge, 0, width - edge - 1, height - 1), outline="red", width=8)
    return np.asarray(image)


def row(folder: Path, picture: np.ndarray, title: str, *more: str) -> Row:
    """The four pictures of one way to make a square, by the pipeline's own script."""
    output = folder / "d.h5"
    prepare_folder.main(
        ["--images", str(folder / "pictures"), "--fixations", str(folder / "points.csv")]
        + ["--sigma", str(SIGMA), "--output", str(output), *more]
    )
    with DataFile(output) as data:
        image, human = present(data, 0), data.human_maps(0, 1)[0]
        alone = heatmap_overlay(np.zeros_like(image), human)  # in the colours of the overlay
        both = heatmap_overlay(image, human)
        return Row(title, [marked(picture, bool(more)), image, alone, both])


def main(argv: list[str] | None = None) -> None:
    """Prepare the picture both ways, draw."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, required=True, help="picture to write")
    arguments = parser.parse_args(argv)
    picture = load_sample_image("china.jpg")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pictures").mkdir()
        Image.fromarray(picture).save(folder / "pictures" / "china.png")
        table = pd.DataFrame([("china.png", *one) for one in POINTS], columns=["file", "x", "y"])
        table.to_csv(folder / "points.csv", index=False)
        rows = [row(folder, picture, "squeezed"), row(folder, picture, "--crop", "--crop")]
    figure = draw_grid(rows, NOTES, width=6.5)
    with written_whole(arguments.output) as partial:
        figure.savefig(partial, dpi=90)


if __name__ == "__main__":
    run(main)
