"""Training batches, from a training file in memory or from an image folder of any size.

Nothing here has a state. The images of a step, and every random number that shapes them, follow
from the seed and from their position in the training: step x batch size + place in the batch. So
a training resumes anywhere, and sees the same images on any number of ranks and loader processes.
"""

import functools
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from timm.data import auto_augment, create_transform
from timm.data.random_erasing import RandomErasing
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from .cli import UserError
from .datasets import DataFile
from .folders import ImageFolder, read_image
from .images import InputTransform, decode
from .recipe import Recipe

EPOCH, STEP, POSITION, PIECE = range(4)  # what a random stream is for; part of its key
_TRIES = 10  # unreadable images in a row before a blank one takes their place


def posterize(image: Image.Image, bits: int, **_) -> Image.Image:
    """Keep the first bits of each channel; with none of them the image is black.

    Pillow 13 refuses to keep none, which timm's RandAugment asks for at its full magnitude: once
    in 600 images of rand-m9-mstd0.5-inc1, and each time it would end the training.
    """
    return _timms_posterize(image, bits) if bits else image.point(lambda _: 0)


_timms_posterize = auto_augment.posterize
_NAMES = ("Posterize", "PosterizeIncreasing", "PosterizeOriginal")
auto_augment.NAME_TO_OP.update(dict.fromkeys(_NAMES, posterize))


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
        """Divide a recipe's batch.

        Raises UserError when it does not divide, or mixup would meet an odd number of images.
        """
        total = recipe.batch_size
        size = recipe.device_batch or total // ranks
        if not size or total % (size * ranks):
            forward = f" with a device_batch of {size}" if recipe.device_batch else ""
            raise UserError(
                f"a batch of {total} images cannot be divided among {ranks} ranks{forward}; "
                "change the recipe's batch_size or device_batch, or the number of ranks"
            )
        if size % 2 and (recipe.mixup or recipe.cutmix):
            raise UserError(f"mixup and cutmix need an even device_batch; it is {size}")
        count = total // (size * ranks)
        return cls(total, size, rank * count, count)

    def pieces(self, steps: range) -> Iterator[tuple[int, range]]:
        """Step and positions of each of the rank's pieces."""
        for step in steps:
            for piece in range(self.first, self.first + self.count):
                start = step * self.batch_size + piece * self.size
                yield step, range(start, start + self.size)


class Order:
    """Which image stands at a position: every epoch shows all of them, in a new order."""

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
        decoded = np.stack([decode(image) for image in data.images(0, len(data))])
        self._images = torch.from_numpy(decoded).permute(0, 3, 1, 2).contiguous()
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
        full, jitter = self._images.shape[-1], self._recipe.color_jitter
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


class FolderBatches:
    """An image folder, decoded and augmented by timm's transforms in loader processes."""

    def __init__(
        self, folder: ImageFolder, recipe: Recipe, transform: InputTransform, seed: int, workers=0
    ):
        self._samples = _Samples(folder, _augmentation(recipe, transform), seed)
        self._order = Order(len(folder), seed, recipe.repeats)
        self._workers = workers
        self._mean = 255 * torch.tensor(transform.mean).view(1, 3, 1, 1)
        self._std = 255 * torch.tensor(transform.std).view(1, 3, 1, 1)
        self._erasing = recipe.random_erasing
        self._allowed = int(recipe.max_unreadable * len(folder))
        self._unreadable: set[str] = set()

    def __len__(self) -> int:
        """Images in an epoch."""
        return len(self._samples)

    def pieces(self, steps: range, share: Share) -> Iterator[tuple[Tensor, Tensor]]:
        """Images uint8 (b, 3, s, s) and labels (b,) of each piece.

        Raises UserError when more images are unreadable than the recipe allows.
        """
        keys = ([(p, self._order[p]) for p in ps] for _, ps in share.pieces(steps))
        loader = DataLoader(
            self._samples,
            batch_sampler=keys,
            num_workers=self._workers,
            collate_fn=_collate,
            pin_memory=torch.cuda.is_available(),
            generator=torch.Generator(),  # the loader draws a number; not from the global one
        )
        for images, labels, unreadable in loader:
            self._count(unreadable)
            yield images, labels

    def finish(self, images: Tensor) -> Tensor:
        """Network inputs of a piece, float32, on its device; draws from the global generators."""
        inputs = (images.float() - self._mean.to(images.device)) / self._std.to(images.device)
        if self._erasing:
            return RandomErasing(self._erasing, mode="pixel", device=images.device)(inputs)
        return inputs

    def _count(self, unreadable: list[str]) -> None:
        for path in set(unreadable) - self._unreadable:
            print(f"warning: {path} cannot be read; another image takes its place", file=sys.stderr)
        self._unreadable |= set(unreadable)
        if len(self._unreadable) > self._allowed:
            raise UserError(
                f"{len(self._unreadable)} of {len(self)} images cannot be read, among them "
                f"{min(self._unreadable)}; the recipe's max_unreadable allows {self._allowed}"
            )


def _augmentation(recipe: Recipe, transform: InputTransform) -> Callable:
    """timm's training transform, from a Pillow image to uint8 (3, s, s)."""
    try:
        return create_transform(
            transform.crop,
            is_training=True,
            scale=recipe.crop_scale,
            color_jitter=recipe.color_jitter or None,
            auto_augment=recipe.auto_augment or None,
            interpolation=recipe.interpolation,
            mean=transform.mean,
            use_prefetcher=True,  # leaves the rest to `finish`
        )
    except (AssertionError, KeyError, ValueError) as error:
        raise UserError(
            f"auto_augment: timm does not understand {recipe.auto_augment!r} ({error}); "
            "an example is rand-m9-mstd0.5-inc1"
        ) from error


class _Samples(Dataset):
    """Augmented images by (position, index)."""

    def __init__(self, folder: ImageFolder, transform: Callable, seed: int):
        self._files, self._transform, self._seed = folder.samples, transform, seed

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, int, list[str]]:
        """Pixels uint8 (3, s, s), label, and the paths that could not be read on the way."""
        position, index = key
        seed_all(self._seed, POSITION, position)
        unreadable: list[str] = []
        for attempt in range(_TRIES):
            path, label = self._files[(index + attempt) % len(self)]
            image = read_image(path)
            if image is not None:
                break
            unreadable.append(path)
        return self._transform(image or Image.new("RGB", (256, 256))), label, unreadable


def _collate(samples: list[tuple]) -> tuple[Tensor, Tensor, list[str]]:
    images, labels, unreadable = zip(*samples, strict=True)
    return torch.stack(images), torch.tensor(labels), sum(unreadable, [])
