"""Training batches: the images of each rank and step, and batches from a training file.

Batches have no state. The images of a step, and every random number that changes them, follow from
the seed and from the position in the training: step x batch size + place in the batch. A training
can therefore go on after any step, and any number of ranks and loader processes gives it the same
images.
"""

import functools
import random
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ..common.cli import UserError
from ..data.data_file import DataFile
from ..data.decoding import decode
from ..data.input_transform import InputTransform
from .recipe import Recipe

EPOCH, STEP, POSITION, PIECE = range(4)  # what a random stream is for; part of its key


def generator(*key: int) -> np.random.Generator:
    """Random numbers that belong to a key of whole numbers."""
    return np.random.default_rng(key)


def seed_all(*key: int) -> None:
    """Seed the global generators of Python, numpy and torch, which timm draws from."""
    value = int(np.random.SeedSequence(key).generate_state(1)[0])
    random.seed(value)
    np.random.seed(value)
    # Not torch.manual_seed: before CUDA is up, each call leaves a traceback behind in a list.
    torch.default_generator.manual_seed(value)
    if torch.cuda.is_initialized():  # never in a loader process
        torch.cuda.manual_seed(value)


@dataclass(frozen=True)
class Share:
    """The part of each step's batch that one rank works on: `count` pieces of `size` images.

    first: the rank's first piece among all pieces of a step.
    """

    batch_size: int
    size: int
    first: int
    count: int

    @classmethod
    def of(cls, recipe: Recipe, rank: int = 0, ranks: int = 1) -> "Share":
        """Divide a recipe's batch. Raises UserError as `Recipe.piece` does."""
        total, size = recipe.batch_size, recipe.piece(ranks)
        count = total // (size * ranks)
        return cls(total, size, rank * count, count)

    def pieces(self, steps: range) -> Iterator[tuple[int, range]]:
        """Step and positions of each of the rank's pieces."""
        for step in steps:
            for piece in range(self.first, self.first + self.count):
                start = step * self.batch_size + piece * self.size
                yield step, range(start, start + self.size)


class Order:
    """Which image is at a position of the training. Every epoch shows all images in a new order."""

    def __init__(self, images: int, seed: int, repeats: int = 1):
        self._images, self._seed, self._repeats = images, seed, repeats
        self._epoch = functools.lru_cache(2)(self._permutation)

    def _permutation(self, epoch: int) -> np.ndarray:
        return generator(self._seed, EPOCH, epoch).permutation(self._images)

    def __getitem__(self, position: int) -> int:
        epoch, place = divmod(position, self._images)
        return int(self._epoch(epoch)[place // self._repeats])


class FileBatches:
    """A training file in memory: a window around each object, shifted, its colours jittered."""

    def __init__(self, data: DataFile, recipe: Recipe, transform: InputTransform, seed: int):
        self._boxes = data.boxes()
        if recipe.windows and self._boxes is None:
            raise UserError("the recipe has a curriculum of windows but the data has no boxes")
        encoded = enumerate(data.images(0, len(data)))
        decoded = [decode(image, data.named(row)) for row, image in encoded]
        for row, image in enumerate(decoded):
            if image.shape != decoded[0].shape:
                raise UserError(
                    f"{data.named(row)} has the shape {image.shape}, the first one "
                    f"{decoded[0].shape}; a training from a data file needs images of one size"
                )
        if recipe.shift >= min(decoded[0].shape[:2]):
            raise UserError(
                f"the recipe's shift is {recipe.shift}; the images of {data.dataset} allow less "
                f"than their side, {min(decoded[0].shape[:2])}"
            )
        self._images = torch.from_numpy(np.stack(decoded)).permute(0, 3, 1, 2).contiguous()
        self._labels = torch.from_numpy(data.labels.astype(np.int64))
        self._recipe, self._seed = recipe, seed
        self._order = Order(len(data), seed, recipe.repeats)
        self._mean = torch.tensor(transform.mean).view(1, 3, 1, 1)
        self._std = torch.tensor(transform.std).view(1, 3, 1, 1)

    def __len__(self) -> int:
        """Images in an epoch."""
        return len(self._labels)

    def pieces(self, steps: range, share: Share) -> Iterator[tuple[Tensor, Tensor]]:
        """Images float32 (b, 3, s, s), normalised, and labels (b,) of each piece."""
        full, jitter = self._images.shape[-1], abs(self._recipe.color_jitter)  # it may be -0.0
        for step, positions in share.pieces(steps):
            sides = self._recipe.sides(step, full)
            side = int(generator(self._seed, STEP, step).choice(sides))
            index = [self._order[position] for position in positions]
            draws = [generator(self._seed, POSITION, position) for position in positions]
            windows = [self._window(i, side, draw) for i, draw in zip(index, draws, strict=True)]
            colours = np.stack([draw.uniform(-jitter, jitter, (2, 3, 1, 1)) for draw in draws])
            gain, offset = torch.from_numpy(colours.astype(np.float32)).unbind(1)
            images = torch.stack(windows).float() / 255 * (1 + gain) + offset
            yield (images - self._mean) / self._std, self._labels[index]

    def finish(self, images: Tensor) -> Tensor:
        """Network inputs of a piece, on its device: they are complete already."""
        return images

    def _window(self, index: int, side: int, draw: np.random.Generator) -> Tensor:
        """A `side` x `side` part of an image that holds its object where it fits."""
        image = self._images[index]
        height, width = image.shape[1:]
        if side < height and self._boxes is not None:
            left, top, right, bottom = (int(v) for v in self._boxes[index])
            x, y = start(left, right, side, width, draw), start(top, bottom, side, height, draw)
            return image[:, y : y + side, x : x + side]
        shift = self._recipe.shift
        x, y = draw.integers(0, 2 * shift + 1, 2)
        padded = nn.functional.pad(image[None].float(), [shift] * 4, mode="reflect")[0]
        return padded[:, y : y + height, x : x + width].to(image.dtype)


def start(low: int, high: int, side: int, full: int, draw: np.random.Generator) -> int:
    """A random start so that [start, start + side) covers [low, high) and stays in [0, full)."""
    first, last = max(0, high - side), min(full - side, low)
    if first > last:
        first = last = min(max((low + high - side) // 2, 0), full - side)
    return int(draw.integers(first, last + 1))
