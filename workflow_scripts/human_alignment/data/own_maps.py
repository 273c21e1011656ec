"""Human maps that users bring: how they find their pictures, and how they are laid on them.

Each map is named by its picture's id, or `<id>__<observer>` where a picture has several maps.
A picture is shown to networks as a square, and its map is of the same square: the whole picture
squeezed, or its centre cut out. See docs/data.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from ..common.cli import UserError
from ..common.picture_files import ENDINGS, files_below
from .fixations import OBSERVER, Fixations
from .outside_maps import Maps
from .pictures import central_square
from .resize import resize_map

ASPECT = 0.02  # by which width / height of a map may differ from its picture's, relatively


def pictures_by_id(folder: Path | str) -> dict[str, Path]:
    """Files of the pictures in a folder, at any depth, by id: the path in it without the ending.

    Raises UserError when there is no picture, and when two have one id.
    """
    found: dict[str, Path] = {}
    for path in files_below(folder, ENDINGS):
        image_id = path.relative_to(folder).with_suffix("").as_posix()
        if image_id in found:
            raise UserError(
                f"{found[image_id]} and {path} differ in their ending only, and maps could not "
                "tell them apart; rename or remove one of them"
            )
        found[image_id] = path
    if not found:
        raise UserError(f"{folder} holds no picture; its files may end in {', '.join(ENDINGS)}")
    return found


def maps_by_picture(
    image_ids: Iterable[str], names: Iterable[str]
) -> tuple[dict[str, list[str]], list[str]]:
    """Names of the maps of each picture that has any, in order, and names that are of no picture.

    A name is a picture's id, or else an id, two underscores and an observer.
    """
    known, strays = {image_id: [] for image_id in image_ids}, []
    for name in sorted(names):
        of_observer = name.rpartition(OBSERVER)[0]
        known.get(name, known.get(of_observer, strays)).append(name)
    return {image_id: found for image_id, found in known.items() if found}, strays


@dataclass(frozen=True)
class Layout:
    """How maps are laid on pictures.

    size: side of the square map.  crop: the central square instead of the whole picture.
    """

    size: int
    crop: bool = False

    def window(self, shape: tuple[int, int]) -> tuple[int, int, int, int]:
        """Top, left, height and width of the part of a picture (height, width) that is shown."""
        height, width = shape
        if not self.crop:
            return 0, 0, height, width
        side = min(height, width)
        return (height - side) // 2, (width - side) // 2, side, side


class MapsOnPictures:
    """Maps as they are given, brought to one size.

    sigma: standard deviation of a blur, in pixels of the map as given; 0 for none. Around the map
    there is nothing.
    """

    def __init__(self, maps: Maps, layout: Layout, sigma: float = 0):
        self._maps, self._layout, self._sigma = maps, layout, sigma
        self.names = maps.names

    def laid(self, name: str, shape: tuple[int, int]) -> np.ndarray:
        """The map of a picture (height, width): float32 (size, size).

        Raises UserError that names the map when it cannot be read, holds a negative value, or has
        another aspect than the picture.
        """
        found, where, size = self._maps.map(name), self._maps.place(name), self._layout.size
        if found.min() < 0:
            raise UserError(
                f"{where} holds {found.min():g}; allowed: 0 or more, where more means more looked "
                "at; subtract the lowest value, or set what is negative to 0"
            )
        _check_aspect(where, found.shape, shape)
        if self._sigma:
            found = gaussian_filter(found.astype(np.float64), self._sigma, mode="constant")
        if not self._layout.crop:
            return resize_map(found, size, size)
        short = min(found.shape)
        height, width = (round(size * side / short) for side in found.shape)
        return central_square(resize_map(found, height, width))


def _check_aspect(where: str, map_shape: tuple[int, int], shape: tuple[int, int]) -> None:
    ratio = (map_shape[1] * shape[0]) / (map_shape[0] * shape[1])
    if abs(ratio - 1) > ASPECT:
        raise UserError(
            f"{where} is {map_shape[1]} wide and {map_shape[0]} high, its picture {shape[1]} and "
            f"{shape[0]}: their aspects differ by more than {ASPECT:.0%}; give a map of the whole "
            "picture, upright as it is shown"
        )


class FixationsOnPictures:
    """Maps made of fixations. sigma: of each point, in pixels of its picture; above 0."""

    def __init__(self, fixations: Fixations, layout: Layout, sigma: float):
        self._fixations, self._layout, self._sigma = fixations, layout, sigma
        self.names = fixations.names

    def laid(self, name: str, shape: tuple[int, int]) -> np.ndarray:
        """The map of a picture (height, width): float32 (size, size)."""
        window, size = self._layout.window(shape), self._layout.size
        return self._fixations.density(name, shape, window, size, self._sigma)
