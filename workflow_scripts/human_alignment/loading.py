"""Batches of network inputs from a data file, decoded ahead by threads."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch

from .datasets import DataFile
from .images import InputTransform, present

AHEAD = 2  # batches decoded while the network works on one


def work_ahead(one: Callable, batches: Iterable[list], workers: int = 1) -> Iterator[list]:
    """Yield `[one(item) for item in batch]` for each batch, in order, computed ahead by threads.

    Threads suffice: the JPEG decoder, Pillow and numpy leave the interpreter lock while working.
    """
    with ThreadPoolExecutor(workers) as pool:
        ahead: deque[list[Future]] = deque()
        for batch in batches:
            ahead.append([pool.submit(one, item) for item in batch])
            if len(ahead) > AHEAD:
                yield [future.result() for future in ahead.popleft()]
        while ahead:
            yield [future.result() for future in ahead.popleft()]


def load_batches(
    data: DataFile,
    transform: InputTransform,
    geometry: str,
    ranges: list[tuple[int, int]],
    workers: int = 1,
) -> Iterator[tuple[int, int, torch.Tensor]]:
    """Yield (start, stop, inputs) for each range of images; inputs float32 (n, 3, h, w)."""

    def one(encoded: bytes) -> np.ndarray:
        return transform(present(encoded, data.image_size), geometry)

    batches = (data.images(start, stop) for start, stop in ranges)
    for (start, stop), inputs in zip(ranges, work_ahead(one, batches, workers), strict=True):
        yield start, stop, torch.from_numpy(np.stack(inputs))
