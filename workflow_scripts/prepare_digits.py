"""Make the embedded study's data: cluttered digits with simulated click maps, from a seed."""

import argparse
import functools
import math
import sys
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack

import numpy as np
from human_alignment.common.arguments import positive
from human_alignment.common.cli import UserError, progress, run
from human_alignment.data import digits
from human_alignment.data.blur import blur
from human_alignment.data.data_file import DataWriter, images_line

IMAGES_A_TASK = 50  # that a process makes at a time


def made(split: str, seed: int, index: int) -> tuple:
    """What `DataWriter.append` takes of one image: test images have human maps."""
    sample = digits.compose(digits.material(split), split, index, seed)
    human = None
    if split == "test":
        human = blur(digits.click_map(sample.ink, index, seed)[np.newaxis])[0]
    name = f"{split}-{index:06d}"
    return digits.encode(sample.image), sample.label, name, human, sample.box


def write(path: str, split: str, count: int, seed: int, threads: int) -> None:
    """Write one split. Image i is the same whichever process makes it."""
    attributes = dict(description=digits.DESCRIPTION, num_classes=10, image_size=digits.SIZE)
    one = functools.partial(made, split, seed)
    with DataWriter(path, dataset="digits", **attributes) as writer, ExitStack() as stack:
        processes = min(threads, math.ceil(count / IMAGES_A_TASK))
        if processes == 1:
            images = map(one, range(count))
        else:
            pool = ProcessPoolExecutor(processes)
            stack.callback(pool.shutdown, cancel_futures=True)  # those left by an interruption
            images = pool.map(one, range(count), chunksize=IMAGES_A_TASK)
        for image in progress(images, count, split, "image"):
            writer.append(*image)


def main(argv: list[str] | None = None) -> None:
    """Parse, write both files."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", required=True, help="test images with human maps (.h5)")
    parser.add_argument("--train-output", required=True, help="training images (.h5)")
    parser.add_argument("--seed", type=int, default=0, help="of everything; 0 or more")
    parser.add_argument("--train-images", type=int, default=6000)
    parser.add_argument("--test-images", type=int, default=600)
    parser.add_argument("--threads", type=positive, default=1, help="processes that make images")
    arguments = parser.parse_args(argv)
    if arguments.seed < 0:
        raise UserError(f"--seed: {arguments.seed} is negative")
    for name in ("train_images", "test_images"):
        if getattr(arguments, name) < 1:
            raise UserError(f"--{name.replace('_', '-')} must be at least 1")
    common = arguments.seed, arguments.threads
    write(arguments.output, "test", arguments.test_images, *common)
    write(arguments.train_output, "train", arguments.train_images, *common)
    print(images_line(arguments.output, arguments.train_output), file=sys.stderr)


if __name__ == "__main__":
    run(main)
