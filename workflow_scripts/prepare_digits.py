"""Make the embedded study's data: cluttered digits with simulated click maps, from a seed."""

import argparse
import sys

import numpy as np
from human_alignment.common.cli import UserError, progress, run
from human_alignment.data import digits
from human_alignment.data.blur import blur
from human_alignment.data.data_file import DataWriter, images_line


def write(path: str, split: str, count: int, seed: int) -> None:
    """Write one split: test images with human maps, training images without."""
    material = digits.material(split)
    attributes = dict(description=digits.DESCRIPTION, num_classes=10, image_size=digits.SIZE)
    with DataWriter(path, dataset="digits", **attributes) as writer:
        for index in progress(range(count), count, split, "image"):
            sample = digits.compose(material, split, index, seed)
            human = None
            if split == "test":
                painted = digits.click_map(sample.ink, index, seed)
                human = blur(painted[np.newaxis])[0]
            name = f"{split}-{index:06d}"
            writer.append(digits.encode(sample.image), sample.label, name, human, sample.box)


def main(argv: list[str] | None = None) -> None:
    """Parse, write both files."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", required=True, help="test images with human maps (.h5)")
    parser.add_argument("--train-output", required=True, help="training images (.h5)")
    parser.add_argument("--seed", type=int, default=0, help="of everything; 0 or more")
    parser.add_argument("--train-images", type=int, default=6000)
    parser.add_argument("--test-images", type=int, default=600)
    arguments = parser.parse_args(argv)
    if arguments.seed < 0:
        raise UserError(f"--seed: {arguments.seed} is negative")
    for name in ("train_images", "test_images"):
        if getattr(arguments, name) < 1:
            raise UserError(f"--{name.replace('_', '-')} must be at least 1")
    write(arguments.output, "test", arguments.test_images, arguments.seed)
    write(arguments.train_output, "train", arguments.train_images, arguments.seed)
    print(images_line(arguments.output, arguments.train_output), file=sys.stderr)


if __name__ == "__main__":
    run(main)
