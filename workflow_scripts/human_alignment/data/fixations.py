"""Places in pictures that observers looked at or clicked on, and the maps that they make.

They lie in one CSV file with the columns `file,x,y`, and `weight` and `observer` where there are
any; or in a folder with one CSV file a map, `<name>.csv`, with the columns `x,y` and `weight`.
"""

from pathlib import Path

import numpy as np
from scipy.special import ndtr

from ..common.cli import UserError
from ..common.picture_files import files_below
from .csv_columns import numbers, read_columns, without_ending

OBSERVER = "__"  # stands between a picture's id and the observer in the name of a map


class Fixations:
    """Points by the name of the map that they make: `<image id>`, or `<image id>__<observer>`.

    outside: how many points lay outside of their pictures, of the maps made so far.

    Raises UserError that names the file, and the line where it has one, for what cannot be read and
    for values that are no finite numbers, or negative as weights.
    """

    def __init__(self, path: Path | str):
        self.path, self.outside = Path(path), 0
        if not self.path.exists():
            raise UserError(f"the fixations {path} do not exist; allowed: a CSV file, or a folder")
        self._points = self._from_folder() if self.path.is_dir() else self._from_file()

    @property
    def names(self) -> list[str]:
        """Names of all maps."""
        return list(self._points)

    def _from_folder(self) -> dict[str, np.ndarray]:
        return {
            path.relative_to(self.path).with_suffix("").as_posix(): _points(
                path, read_columns(path, ("x", "y"), ("weight",))
            )
            for path in files_below(self.path, (".csv",))
        }

    def _from_file(self) -> dict[str, np.ndarray]:
        found = read_columns(self.path, ("file", "x", "y"), ("weight", "observer"))
        points, rows = _points(self.path, found), {}
        observers = found.get("observer", [""] * len(points))
        for row, (file, observer) in enumerate(zip(found["file"], observers, strict=True)):
            name = without_ending(file) + (OBSERVER + observer.strip() if observer.strip() else "")
            rows.setdefault(name, []).append(row)
        return {name: points[own] for name, own in rows.items()}

    def density(
        self, name: str, shape: tuple[int, int], window: tuple[int, int, int, int], size: int,
        sigma: float,
    ) -> np.ndarray:  # fmt: skip
        """The map of some points: each is a normal distribution, weighted and added up.

        shape: height and width of the picture.  window: top, left, height, width of the part that
        the map is of.  size: the map's side.  sigma: standard deviation.  All are in pixels of the
        picture but `size`; points are from 0 at its left and upper edge. Those outside of it count
        in `outside` and are left out.

        Returns float32 (size, size): the sum of weights that falls on each pixel of the map.
        """
        x, y, weight = self._points[name].T
        height, width = shape
        inside = (x >= 0) & (x <= width) & (y >= 0) & (y <= height)
        self.outside += int((~inside).sum())
        x, y, weight = x[inside], y[inside], weight[inside]
        top, left, high, wide = window
        rows = _shares(y - top, high, size, sigma)
        columns = _shares(x - left, wide, size, sigma)
        return ((rows * weight) @ columns.T).astype(np.float32)


def _points(path: Path, columns: dict[str, np.ndarray]) -> np.ndarray:
    """x, y and weight, float64 (rows, 3); the weight is 1 where none is given."""
    x, y = (numbers(path, name, columns[name]) for name in ("x", "y"))
    weight = np.ones(len(x))
    if "weight" in columns:
        weight = numbers(path, "weight", columns["weight"], lowest=0)
    return np.stack([x, y, weight], axis=1)


def _shares(place: np.ndarray, length: float, size: int, sigma: float) -> np.ndarray:
    """How much of normal distributions falls on each of `size` equal parts of 0 to `length`.

    place: their means, (n,).  Returns (size, n).
    """
    ends = (np.linspace(0, length, size + 1)[:, None] - place) / sigma
    low, high = ends[:-1], ends[1:]
    # Above the mean by its mirror image: near 1 the difference of two values has no digits left.
    above = low > 0
    return np.where(above, ndtr(-low) - ndtr(-high), ndtr(high) - ndtr(low))
