"""Images in one sub-folder per class."""

import hashlib
from pathlib import Path

import numpy as np
from PIL import Image
from timm.data.readers.reader_image_folder import find_images_and_targets

from ..common.class_folders import ENDINGS
from ..common.cli import UserError
from .decoding import UNREADABLE


class ImageFolder:
    """Images in one sub-folder per class; the sorted sub-folders are the classes 0, 1, ...

    timm lists them. Pillow decodes them, as it does for timm's published accuracies.
    Raises UserError when there is no image.
    """

    def __init__(self, root: Path | str):
        self.root = Path(root)
        self.dataset = self.root.name
        self.samples: list[tuple[str, int]]
        self.samples, class_to_idx = find_images_and_targets(str(root), types=ENDINGS)
        self.classes: list[str] = list(class_to_idx)
        if not self.samples:
            raise UserError(f"{root} holds no images; expected one sub-folder of images per class")

    def __len__(self) -> int:
        """Number of images."""
        return len(self.samples)

    @property
    def num_classes(self) -> int:
        """Number of sub-folders that hold images."""
        return len(self.classes)

    @property
    def digest(self) -> str:
        """SHA-256 of the names and classes of all images, in order; not of their content."""
        names = [f"{Path(path).relative_to(self.root)}\0{label}\n" for path, label in self.samples]
        return hashlib.sha256("".join(names).encode()).hexdigest()


def read_image(path: str) -> Image.Image | None:
    """An image file in RGB, decoded; None when it cannot be read."""
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except UNREADABLE:
        return None


def read_pixels(path: str) -> np.ndarray | None:
    """An image file as uint8 (height, width, 3); None when it cannot be read."""
    image = read_image(path)
    return None if image is None else np.asarray(image)
