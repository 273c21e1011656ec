"""Turn pictures of any kind into a data file without human maps.

The pictures can then be explained like a study's images. Each picture's central square is resized
to the study's image size. There are no labels: explain the predicted class
(`extract_heatmaps.py --target prediction`).
"""

import argparse
from pathlib import Path

from human_alignment.common.cli import run
from human_alignment.data.data_file import DataFile, DataWriter
from human_alignment.data.pictures import read_picture, square_png


def main(argv: list[str] | None = None) -> None:
    """Parse, read, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pictures", nargs="+", type=Path, help="files that Pillow reads")
    parser.add_argument(
        "--study", required=True, help="data file whose image size and classes are taken"
    )
    parser.add_argument("--output", required=True, help="data file to write (.h5)")
    arguments = parser.parse_args(argv)
    with DataFile(arguments.study) as study:
        about = dict(
            dataset="pictures",
            description="Pictures of one's own.",
            num_classes=study.num_classes,
            image_size=study.image_size,
            class_names=study.class_names,
        )
    with DataWriter(arguments.output, **about) as writer:
        for path in arguments.pictures:
            writer.append(square_png(read_picture(path), about["image_size"]), None, path.name)


if __name__ == "__main__":
    run(main)
