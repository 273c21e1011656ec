"""From encoded bytes to a network's input, as the published loader does it."""

import io
from dataclasses import dataclass

import numpy as np
import simplejpeg
from PIL import Image

from ..common.cli import UserError
from .resize import lerp

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def decode(encoded: bytes) -> np.ndarray:
    """Decode a JPEG or PNG image to uint8 (height, width, 3).

    JPEG goes through the fast integer DCT, TensorFlow's default and thereby the published
    loader's; Pillow and OpenCV use the accurate one and differ by up to 5 grey levels.
    Raises UserError when the bytes are no image.
    """
    try:
        if encoded[:2] == b"\xff\xd8":
            return simplejpeg.decode_jpeg(encoded, fastdct=True)
        with Image.open(io.BytesIO(encoded)) as image:
            return np.asarray(image.convert("RGB"))
    except (ValueError, OSError, SyntaxError) as error:  # Pillow's, of a broken PNG
        raise UserError(f"image of {len(encoded)} bytes cannot be decoded: {error}") from error


def present(encoded: bytes, image_size: int) -> np.ndarray:
    """The image as a study shows it: decoded, resized, cut to uint8 (size, size, 3).

    The authors truncate between the bilinear resize and each family's own transform.
    """
    image = decode(encoded)
    if image.shape[:2] == (image_size, image_size):
        return image
    columns = lerp(image, image_size, 1)
    rows = lerp(columns.reshape(len(image), -1), image_size, 0)  # 2-D: twice as fast
    return rows.reshape(image_size, image_size, 3).astype(np.uint8)


@dataclass(frozen=True)
class InputTransform:
    """A family's evaluation transform.

    resize: short side in pixels before the centre crop.  crop: side of the input.
    """

    resize: int
    crop: int
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD

    def pixels(self, image: np.ndarray, geometry: str) -> np.ndarray:
        """uint8 (crop, crop, 3): `released` resizes and crops, `full` keeps the whole image."""
        picture = Image.fromarray(image)
        if geometry == "full":
            if picture.size == (self.crop, self.crop):
                return image
            return np.asarray(picture.resize((self.crop, self.crop), Image.Resampling.BICUBIC))
        short = min(picture.size)
        size = tuple(int(self.resize * side / short) for side in picture.size)
        if size != picture.size:
            picture = picture.resize(size, Image.Resampling.BICUBIC)
        left, top = (round((side - self.crop) / 2.0) for side in size)
        return np.asarray(picture.crop((left, top, left + self.crop, top + self.crop)))

    def __call__(self, image: np.ndarray, geometry: str) -> np.ndarray:
        """float32 (3, crop, crop), normalised."""
        pixels = self.pixels(image, geometry).astype(np.float32) / 255
        mean, std = np.float32(self.mean), np.float32(self.std)
        return ((pixels - mean) / std).transpose(2, 0, 1)
