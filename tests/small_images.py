"""Encoded images of a few pixels, for tests that look at no pixel."""

import io

import numpy as np
from PIL import Image


def small_image(number: int = 0, kind: str = "PNG", side: int = 2) -> bytes:
    """An image of one colour, which follows from the number (below 65,536)."""
    colour = np.array([number % 256, number // 256, 99], np.uint8)
    stream = io.BytesIO()
    Image.fromarray(np.tile(colour, (side, side, 1))).save(stream, kind)
    return stream.getvalue()
