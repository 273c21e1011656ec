"""Measure a network's top-1 and top-5 accuracy on a data file's images or on an image folder.

The folder has one sub-folder per class, in the order of the classes when sorted, as the ImageNet
validation images usually do. Images go through the network's own resize and centre crop.
"""

import argparse
from pathlib import Path

import human_alignment.networks.startup  # noqa: F401 (before torch)
import torch
from human_alignment.common.arguments import THREADS_HELP, cores, positive
from human_alignment.common.cli import UserError, run
from human_alignment.common.files import write_json
from human_alignment.data.data_file import DataFile
from human_alignment.data.folders import ImageFolder
from human_alignment.networks.accuracy import evaluate
from human_alignment.networks.devices import default_device, own_card
from human_alignment.networks.weights import load_weights


def main(argv: list[str] | None = None) -> None:
    """Parse, evaluate, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--images", required=True, type=Path, help="data file (.h5) or folder of class sub-folders"
    )
    parser.add_argument("--weights", required=True, help="weights file (.safetensors)")
    parser.add_argument("--output", required=True, help="accuracies to write (.json)")
    parser.add_argument("--batch-size", type=int, default=32, help="images a forward pass")
    parser.add_argument("--threads", type=positive, default=cores(), help=THREADS_HELP)
    parser.add_argument("--device", default=default_device())
    arguments = parser.parse_args(argv)
    torch.set_num_threads(arguments.threads)
    path = arguments.images
    images = ImageFolder(path) if path.is_dir() else DataFile(path)
    model, spec, notes = load_weights(arguments.weights)
    if isinstance(images, ImageFolder) and notes.get("classes", images.classes) != images.classes:
        raise UserError(
            f"the class folders of {path} are not those that {arguments.weights} was trained on; "
            f"there the first is {notes['classes'][0]}, here {images.classes[0]}"
        )
    device = own_card(arguments.device)
    found = evaluate(model, spec, images, arguments.batch_size, arguments.threads, device)
    write_json(arguments.output, found)


if __name__ == "__main__":
    run(main)
