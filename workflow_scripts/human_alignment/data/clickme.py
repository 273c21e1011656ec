"""A ClickMe record, read exactly as serre-lab/Harmonization reads it, without TensorFlow."""

from dataclasses import dataclass

import numpy as np
import simplejpeg

from .blur import blur
from .resize import resize_bilinear
from .tfrecords import Record, features

SIDE = 256  # of images and human maps as published, in pixels
MAP_SIDE = 64  # at which human maps are blurred
IMAGE_SIZE = 224  # at which images are shown and maps compared
CLASSES = 1000
# Average alignment between human raters, a constant of serre-lab/Harmonization; no code that
# computes it is public.
HUMAN_CEILING = 0.65753
DESCRIPTION = "ClickMe: image parts that human players found telling for the class (ImageNet)."


@dataclass(frozen=True)
class Sample:
    """image: the JPEG's bytes, untouched.  label: 0 to 999.  human_map: float32 (64, 64)."""

    image: bytes
    label: int
    human_map: np.ndarray


def parse(record: Record) -> Sample:
    """Turn a record into image, label and blurred human map (0 to 255).

    The map goes from 256 to 64 pixels, bilinear without antialiasing, and is blurred there.
    Raises BadRecord on an absent feature, an undecodable or misshaped JPEG, or a wrong label.
    """
    found = features(record)
    for name, kind in (("image", bytes), ("heatmap", bytes), ("label", int)):
        if not isinstance(found.get(name), kind):
            raise record.bad(f"it has no feature {name!r} of one {kind.__name__} value")
    if not 0 <= found["label"] < CLASSES:
        raise record.bad(f"its label is {found['label']}, allowed are 0 to {CLASSES - 1}")
    _decode(record, "image", found["image"], "RGB")
    gray = _decode(record, "heatmap", found["heatmap"], "GRAY")[..., 0]
    human = blur(resize_bilinear(gray, MAP_SIDE, MAP_SIDE)[np.newaxis])[0]
    return Sample(found["image"], found["label"], human)


def _decode(record: Record, name: str, encoded: bytes, colours: str) -> np.ndarray:
    """Decode a JPEG feature with TensorFlow's default, the fast integer DCT; check its shape."""
    channels = {"RGB": 3, "GRAY": 1}[colours]
    try:
        height, width, stored, _ = simplejpeg.decode_jpeg_header(encoded)
        found = (height, width, 1 if stored.upper() == "GRAY" else 3)
        if found != (SIDE, SIDE, channels):
            raise record.bad(f"its {name} is {found}, expected {(SIDE, SIDE, channels)}")
        return simplejpeg.decode_jpeg(encoded, colorspace=colours, fastdct=True)
    except ValueError as error:
        raise record.bad(f"its {name} cannot be decoded ({error})") from error
