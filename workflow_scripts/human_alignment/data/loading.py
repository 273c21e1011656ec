"""Batches of network inputs from a data file, decoded by threads."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch

from .data_file import DataFile
from .images import network_input, presented
from .input_transform import InputTransform

AHEAD = 2  # batches decoded while a GPU works on one


def work_ahead(
    one: Callable, batches: Iterable[list], workers: int = 1, device: str = "cpu"
) -> Iterator[list]:
    """Yield `[one(item) for item in batch]` for each batch, in order, computed by threads.

    Only where a GPU does the rest are further batches decoded meanwhile. A core taken from a
    forward pass on all cores makes the others wait: decoding beside it was measured to cost three
    times what decoding between two passes does.

    Threads suffice: the JPEG decoder, Pillow and numpy leave the interpreter lock while working.
    """
    ahead = 0 if device == "cpu" else AHEAD
    with ThreadPoolExecutor(workers) as pool:
        begun: deque[list[Future]] = deque()
        for batch in batches:
            begun.append([pool.submit(one, item) for item in batch])
            if len(begun) > ahead:
                yield [future.result() for future in begun.popleft()]
        while begun:
            yield [future.result() for future in begun.popleft()]


def load_batches(
    data: DataFile,
    transform: InputTransform,
    geometry: str,
    ranges: list[tuple[int, int]],
    workers: int = 1,
    device: str = "cpu",
) -> Iterator[tuple[int, int, torch.Tensor]]:
    """Yield (start, stop, inputs) for each range of images; inputs float32 (n, 3, h, w)."""

    def one(item: tuple[int, bytes]) -> np.ndarray:
        row, encoded = item
        image = presented(encoded, data.image_size, data.named(row))
        return network_input(image, transform, geometry)

    batches = (list(enumerate(data.images(start, stop), start)) for start, stop in ranges)
    for (start, stop), inputs in zip(
        ranges, work_ahead(one, batches, workers, device), strict=True
    ):
        yield start, stop, torch.from_numpy(np.stack(inputs))
