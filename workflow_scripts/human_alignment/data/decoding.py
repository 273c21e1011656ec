"""Decode images from their files' bytes."""

import io

import numpy as np
import simplejpeg
from PIL import Image, UnidentifiedImageError

from ..common.cli import UserError

# What Pillow and libjpeg raise for a damaged file, or one that is no picture.
UNREADABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)


def _is_jpeg(encoded: bytes) -> bool:
    return encoded[:2] == b"\xff\xd8"


def decode(encoded: bytes, name: str = "image") -> np.ndarray:
    """Decode a JPEG or PNG image to uint8 (height, width, 3). name: of the image, for messages.

    JPEG is decoded with the fast integer DCT, the default of TensorFlow and so of the published
    loader; Pillow and OpenCV use the accurate one and differ by up to 5 grey levels.
    Raises UserError when the bytes are no image.
    """
    try:
        if _is_jpeg(encoded):
            return simplejpeg.decode_jpeg(encoded, fastdct=True)
        with Image.open(io.BytesIO(encoded)) as image:
            return np.asarray(image.convert("RGB"))
    except UNREADABLE as error:
        # An UnidentifiedImageError names an object in memory, and nothing that helps.
        why = "" if isinstance(error, UnidentifiedImageError) else f" ({error})"
        count = len(encoded)
        raise UserError(
            f"{name}: its {count} bytes cannot be decoded as JPEG or PNG{why}"
        ) from error
