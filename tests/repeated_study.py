"""A data file in which images stand in several records, each with the map of other people."""

from pathlib import Path

import numpy as np
from human_alignment.data.data_file import DataWriter
from human_alignment.data.digits import encode
from scipy import ndimage


def picture(number: int, side: int) -> bytes:
    """An encoded image of its own for each number."""
    random = np.random.default_rng(number)
    return encode(random.integers(0, 255, (side, side, 3)).astype(np.uint8))


def smooth(random: np.random.Generator, count: int, side: int) -> np.ndarray:
    """Smooth maps (count, side, side), float32, 0 or more."""
    noise = random.normal(size=(count, side, side))
    maps = ndimage.gaussian_filter(noise, (0, side / 8, side / 8))
    return (maps - maps.min()).astype(np.float32)


def write(
    path: Path,
    images: list[int],
    labels: list[int | None],
    maps: np.ndarray,
    side: int = 28,
    **more,
) -> Path:
    """Write records r0, r1, ...: the number of the image, its class and its human map.

    more: further arguments of DataWriter.
    """
    about = dict(dataset="repeated", description="made up", num_classes=4, image_size=side)
    with DataWriter(path, **about | more) as writer:
        for place, (image, label, one) in enumerate(zip(images, labels, maps, strict=True)):
            writer.append(picture(image, side), label, f"r{place}", one)
    return path
