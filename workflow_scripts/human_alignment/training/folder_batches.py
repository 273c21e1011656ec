"""Training batches from an image folder of any size, augmented by timm. See batches.py."""

import sys
from collections.abc import Callable, Iterator

import torch
from PIL import Image
from timm.data import auto_augment, create_transform
from timm.data.random_erasing import RandomErasing
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ..common.cli import UserError
from ..data.folders import ImageFolder, read_image
from ..data.input_transform import InputTransform
from .batches import POSITION, Order, Share, seed_all
from .recipe import Recipe

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
