"""Turn encoded images into network inputs, as the published loader does."""

import numpy as np
from PIL import Image

from .data_file import DataFile
from .decoding import decode
from .input_transform import InputTransform
from .resize import lerp


def present(data: DataFile, row: int) -> np.ndarray:
    """An image of a data file as a study shows it: see `presented`."""
    return presented(data.images(row, row + 1)[0], data.image_size, data.named(row))


def presented(encoded: bytes, image_size: int, name: str) -> np.ndarray:
    """An image as a study shows it: decoded, resized, cut to uint8 (size, size, 3).

    The authors truncate between the bilinear resize and each family's own transform.
    name: of the image. Raises UserError that begins with it when the bytes are no image.
    """
    image = decode(encoded, name)
    if image.shape[:2] == (image_size, image_size):
        return image
    columns = lerp(image, image_size, 1)
    rows = lerp(columns.reshape(len(image), -1), image_size, 0)  # 2-D: twice as fast
    return rows.reshape(image_size, image_size, 3).astype(np.uint8)


def network_pixels(image: np.ndarray, transform: InputTransform, geometry: str) -> np.ndarray:
    """An image (height, width, 3) at a network's input size, uint8 (crop, crop, 3).

    geometry: `crop` resizes the short side and takes the centre, `full` keeps the whole image.
    """
    picture = Image.fromarray(image)
    side, method = transform.crop, Image.Resampling[transform.interpolation.upper()]
    if geometry == "full":
        if picture.size == (side, side):
            return image
        return np.asarray(picture.resize((side, side), method))
    short = min(picture.size)
    size = tuple(int(transform.resize * length / short) for length in picture.size)
    if size != picture.size:
        picture = picture.resize(size, method)
    left, top = (round((length - side) / 2.0) for length in size)
    return np.asarray(picture.crop((left, top, left + side, top + side)))


def network_input(image: np.ndarray, transform: InputTransform, geometry: str) -> np.ndarray:
    """A network's input of an image (height, width, 3): float32 (3, crop, crop), normalised."""
    pixels = network_pixels(image, transform, geometry).astype(np.float32) / 255
    mean, std = np.float32(transform.mean), np.float32(transform.std)
    return ((pixels - mean) / std).transpose(2, 0, 1)
