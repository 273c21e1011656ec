"""Read, crop and resize pictures of any kind and size."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from ..common.cli import UserError
from .decoding import UNREADABLE
from .input_transform import InputTransform


def read_picture(path: Path | str) -> np.ndarray:
    """A picture, rotated as its EXIF tag says: uint8 (height, width, 3).

    Grey levels become RGB, and 16 bits become 8. Transparent parts become white. Of several
    frames the first is taken. Raises UserError naming the file when it cannot be read.
    """
    try:
        with Image.open(path) as image:
            picture = ImageOps.exif_transpose(image)
            if picture.mode.startswith(("I", "F")):  # Pillow would cut grey levels off at 255
                return _from_deep_grey(np.asarray(picture))
            if picture.has_transparency_data:
                picture = picture.convert("RGBA")
                white = Image.new("RGBA", picture.size, "white")
                picture = Image.alpha_composite(white, picture)
            return np.asarray(picture.convert("RGB"))
    except FileNotFoundError as error:
        raise UserError(f"picture {path} does not exist") from error
    except UNREADABLE as error:
        raise UserError(
            f"{path} cannot be read as a picture ({error}); save it again as JPEG or PNG"
        ) from error


def _from_deep_grey(levels: np.ndarray) -> np.ndarray:
    """Grey levels of 16 bits, or others up to their highest, as uint8 (h, w, 3)."""
    top = 65535 if levels.dtype == np.uint16 else max(levels.max(), 1e-12)
    grey = (levels.clip(0, top) / top * 255).round().astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=-1)


def central_square(picture: np.ndarray) -> np.ndarray:
    """The middle of a picture, as wide as its short side: (s, s, 3)."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return picture[top : top + side, left : left + side]


def square_png(picture: np.ndarray, side: int) -> bytes:
    """The central square of a picture, `side` pixels wide, as PNG."""
    return squeezed_png(central_square(picture), side)


def squeezed_png(picture: np.ndarray, side: int) -> bytes:
    """The whole of a picture (h, w, 3), uint8, in a square `side` pixels wide, as PNG."""
    stream = io.BytesIO()
    square = Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC)
    square.save(stream, "PNG")
    return stream.getvalue()


def seen_part(
    height: int, width: int, transform: InputTransform, geometry: str
) -> tuple[slice, slice]:
    """Rows and columns of a picture that its network sees.

    With geometry `full` all of it; with `crop` the centre crop that the family's evaluation
    transform takes, in the picture's own pixels.
    """
    if geometry == "full":
        return slice(0, height), slice(0, width)
    side = max(1, round(min(height, width) * transform.crop / transform.resize))
    top, left = (height - side) // 2, (width - side) // 2
    return slice(top, top + side), slice(left, left + side)


def shrunk(picture: np.ndarray, longest: int) -> np.ndarray:
    """A picture whose long side has at most `longest` pixels, uint8."""
    image = Image.fromarray(picture)
    image.thumbnail((longest, longest), Image.Resampling.BICUBIC)
    return np.asarray(image)
