"""Bilinear resize, as TensorFlow does it."""

import functools

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
    low, high, share = _neighbours(old, length)
    share = share.reshape([-1] + [1] * (array.ndim - 1 - axis % array.ndim))
    a = array.take(low, axis).astype(np.float32, copy=False)
    b = array.take(high, axis).astype(np.float32, copy=False)
    b -= a
    b *= share
    b += a
    return b


@functools.lru_cache(maxsize=16)
def _neighbours(old: int, length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where each of `length` values lies on an axis of `old` ones, (length,) each.

    The places of the values before and behind it, int64, and the share of the latter, float32. They
    are kept, because thousands of maps have the same size.
    """
    scale = np.float32(old) / np.float32(length)
    position = (np.arange(length, dtype=np.float32) + np.float32(0.5)) * scale - np.float32(0.5)
    floor = np.floor(position)
    low = np.maximum(floor.astype(np.int64), 0)
    high = np.minimum(np.ceil(position).astype(np.int64), old - 1)
    return low, high, position - floor


def resize_map(array: np.ndarray, height: int, width: int) -> np.ndarray:
    """A map (h, w) at another size, float32: averaged over areas where it shrinks.

    Each axis is for itself. One that grows is interpolated as `resize_bilinear` does. Zero stays
    zero, and the mean of a map that shrinks stays what it is, to rounding.
    """
    for axis, length in ((1, width), (0, height)):
        shrinks = length < array.shape[axis]
        array = (_averaged if shrinks else lerp)(array, length, axis)
    return array


def _averaged(array: np.ndarray, length: int, axis: int) -> np.ndarray:
    """A shorter axis of a map: each value is the mean over the part of the axis that it covers."""
    old = array.shape[axis]
    ends, cells = np.linspace(0, old, length + 1), np.arange(old)
    covered = np.minimum(ends[1:, None], cells + 1) - np.maximum(ends[:-1, None], cells)
    weights = covered.clip(0) * (length / old)  # (length, old)
    shrunk = weights @ array if axis == 0 else array @ weights.T
    return shrunk.astype(np.float32)
