"""Bilinear resize, as TensorFlow does it."""

import numpy as np


def resize_bilinear(array: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bilinear resize of the last two axes, float32: half-pixel centres, no antialiasing.

    The arithmetic is TensorFlow's (`tf.image.resize`), in float32 and columns first, so that the
    truncation to uint8 which follows falls the same way. Written as `a + t * (b - a)`: flat zones
    stay exactly flat and their pixels tie.
    """
    return lerp(lerp(np.asarray(array, np.float32), width, -1), height, -2)


def lerp(array: np.ndarray, length: int, axis: int) -> np.ndarray:
    """Resize one axis to `length` values; float32 whatever the input."""
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
