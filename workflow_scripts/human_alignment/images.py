"""From encoded bytes to a network's input, as the published loader does it."""

import io
from dataclasses import dataclass

import numpy as np
import simplejpeg
from PIL import Image

from .cli import UserError

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


def resize_bilinear(array: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bilinear resize of the last two axes, float32: half-pixel centres, no antialiasing.

    The arithmetic is TensorFlow's (`tf.image.resize`), in float32 and columns first, so that the
    truncation to uint8 which follows falls the same way. Written as `a + t * (b - a)`: flat zones
    stay exactly flat and their pixels tie.
    """
    return _lerp(_lerp(np.asarray(array, np.float32), width, -1), height, -2)


def _lerp(array: np.ndarray, length: int, axis: int) -> np.ndarray:
    """Resize one axis; float32 whatever the input."""
    old = array.shape[axis]
    if old == length:
        return array.astype(np.float32, copy=False)
    scale = np.float32(old) / np.float32(length)
    position = (np.arange(length, dtype=np.float32) + np.float32(0.5)) * scale - np.float32(0.5)
    floor = np.floor(position)
    low = np.maximum(floor.astype(np.int64), 0)
    high = np.minimum(np.ceil(position).astype(np.int64), old - 1)
    share = (position - floor).reshape([-1] + [1] * (array.ndim - 1 - axis % array.ndim))
    a = array.take(low, axis).astype(np.float32, copy=False)
    b = array.take(high, axis).astype(np.float32)
    b -= a
    b *= share
    b += a
    return b


def present(encoded: bytes, image_size: int) -> np.ndarray:
    """The image as a study shows it: decoded, resized, cut to uint8 (size, size, 3).

    The authors truncate between the bilinear resize and each family's own transform.
    """
    image = decode(encoded)
    if image.shape[:2] == (image_size, image_size):
        return image
    columns = _lerp(image, image_size, 1)
    rows = _lerp(columns.reshape(len(image), -1), image_size, 0)  # 2-D: twice as fast
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
