"""The embedded study's images: handwritten digits on cluttered photographs, simulated click maps.

Digits: UCI's optical recognition of handwritten digits as bundled with scikit-learn (CC BY 4.0),
in the file's order of writers: the first for training, the rest for testing. Backgrounds: the
two sample photographs of scikit-learn (CC BY 2.0), left part for training, right for testing.
No handwriting and no background is on both sides. Everything follows from the seed, and image i
does not depend on how many images are made.
"""

import functools
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage
from sklearn.datasets import load_digits, load_sample_image

SIZE = 64  # side of an image in pixels
TRAIN_DIGITS = 1350  # of 1,797
TRAIN_WIDTH = 0.6  # share of each photograph
PLAYERS = 10
LUMINANCE = np.array([0.299, 0.587, 0.114])  # of RGB (ITU-R BT.601)
BRUSH = 2.3  # radius of a simulated player's brush in pixels
DESCRIPTION = (
    "Handwritten digits (UCI, CC BY 4.0) on cluttered photographs (scikit-learn's sample images, "
    "CC BY 2.0); the human maps are simulated strokes along the digit's ink."
)


@dataclass(frozen=True)
class Material:
    """What one split's images are made of.

    digits: ink from 0 to 1, (n, 8, 8).  labels: (n,).  photographs: RGB from 0 to 1, (h, w, 3).
    """

    digits: np.ndarray
    labels: np.ndarray
    photographs: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Sample:
    """One image: uint8 (64, 64, 3), its digit, box (left, top, right, bottom), ink (64, 64)."""

    image: np.ndarray
    label: int
    box: tuple[int, int, int, int]
    ink: np.ndarray


@functools.cache
def material(split: str) -> Material:
    """Digits and photographs of `train` or `test`; the two share nothing."""
    bunch = load_digits()
    train = split == "train"
    rows = slice(0, TRAIN_DIGITS) if train else slice(TRAIN_DIGITS, None)
    photographs = []
    for name in ("china.jpg", "flower.jpg"):
        photograph = load_sample_image(name).astype(np.float32) / 255
        border = round(TRAIN_WIDTH * photograph.shape[1])
        photographs.append(photograph[:, :border] if train else photograph[:, border:])
    digits = bunch.images[rows].astype(np.float32) / 16
    return Material(digits, bunch.target[rows], tuple(photographs))


def _background(material: Material, random: np.random.Generator) -> np.ndarray:
    """A crop of a photograph, flipped, with permuted channels, contrast and brightness changed."""
    photograph = material.photographs[random.integers(len(material.photographs))]
    side = int(random.integers(SIZE, 3 * SIZE // 2 + 1))
    top = random.integers(photograph.shape[0] - side + 1)
    left = random.integers(photograph.shape[1] - side + 1)
    crop = photograph[top : top + side, left : left + side]
    crop = crop[:, ::-1] if random.random() < 0.5 else crop
    picture = Image.fromarray((crop * 255).astype(np.uint8)).resize((SIZE, SIZE), Image.BILINEAR)
    crop = np.asarray(picture, np.float32)[..., random.permutation(3)] / 255
    contrast, brightness = random.uniform(0.25, 0.6), random.uniform(0.1, 0.45)
    return np.clip((crop - crop.mean()) * contrast + brightness, 0, 1)


def _enlarge(digit: np.ndarray, random: np.random.Generator, order: int = 3) -> np.ndarray:
    """The 8x8 ink at 22 to 32 pixels, a little rotated and sheared, with crisp strokes.

    order: of the spline; 1 is fast and good enough for fragments.
    """
    side = int(random.integers(22, 33))
    angle, shear = np.deg2rad(random.uniform(-8, 8)), random.uniform(-0.1, 0.1)
    cosine, sine = np.cos(angle), np.sin(angle)
    matrix = np.array([[cosine, -sine], [sine, cosine]]) @ np.array([[1, 0], [shear, 1]])
    matrix *= 8 / side
    offset = np.array([3.5, 3.5]) - matrix @ np.array([(side - 1) / 2] * 2)
    ink = ndimage.affine_transform(digit, matrix, offset, (side, side), order=order)
    return np.clip((ink - 0.1) / 0.6, 0, 1)


def _color(under: float, random: np.random.Generator) -> np.ndarray:
    """A random colour whose luminance is 0.35 or more above what is under it.

    Digits are always the lighter part: micro networks with layer norm do not learn both
    polarities in the half minute they have.
    """
    color = random.random(3)
    luminance = float(color @ LUMINANCE)
    target = random.uniform(min(under + 0.35, 1.0), 1.0)
    if luminance < target:  # mix with white, which keeps the hue
        color += (1 - color) * (target - luminance) / (1 - luminance)
    return color.astype(np.float32)


def _paste(image: np.ndarray, ink: np.ndarray, top: int, left: int, color: np.ndarray) -> None:
    """Blend a colour into the image where the ink is; in place."""
    part = image[top : top + ink.shape[0], left : left + ink.shape[1]]
    part += ink[..., None] * (color - part)


def _distractors(image: np.ndarray, material: Material, random: np.random.Generator) -> None:
    """Eight 9x9 pieces of other digits, half transparent: strokes that belong to no class."""
    for _ in range(8):
        ink = _enlarge(material.digits[random.integers(len(material.digits))], random, order=1)
        top, left = random.integers(0, len(ink) - 9, 2)
        y, x = random.integers(0, SIZE - 9, 2)
        piece = ink[top : top + 9, left : left + 9] * random.uniform(0.3, 0.7)
        _paste(image, piece, y, x, random.random(3).astype("f4"))


def compose(material: Material, split: str, index: int, seed: int) -> Sample:
    """Image `index` of a split; it depends on the seed and the index alone."""
    random = np.random.default_rng([seed, split == "test", index])
    image = _background(material, random)
    _distractors(image, material, random)
    chosen = int(random.integers(len(material.digits)))
    ink = _enlarge(material.digits[chosen], random)
    side = len(ink)
    top, left = (int(v) for v in random.integers(0, SIZE - side + 1, 2))
    under = image[top : top + side, left : left + side].mean(axis=(0, 1))
    _paste(image, ink, top, left, _color(float(under @ LUMINANCE), random))
    image = np.clip(image + random.normal(0, 0.02, image.shape), 0, 1)
    whole = np.zeros((SIZE, SIZE), np.float32)
    whole[top : top + side, left : left + side] = ink
    box = (left, top, left + side, top + side)
    return Sample((image * 255).astype(np.uint8), int(material.labels[chosen]), box, whole)


def click_map(ink: np.ndarray, index: int, seed: int) -> np.ndarray:
    """Simulated human map of an image, 0 to 255, float32 (64, 64), not yet blurred.

    The mean over ten players. Each paints one to three short strokes: a round brush that starts
    on the ink and walks along it with motor noise.
    """
    random = np.random.default_rng([seed, 2, index])
    rows, columns = np.nonzero(ink > 0.5)
    points = np.stack([rows, columns], axis=1).astype(np.float64)
    grid = np.mgrid[0:SIZE, 0:SIZE].transpose(1, 2, 0)
    total = np.zeros((SIZE, SIZE), np.float32)
    for _ in range(PLAYERS):
        painted = np.zeros((SIZE, SIZE), bool)
        for _ in range(random.integers(1, 4)):
            for point in _stroke(points, random):
                painted |= ((grid - point) ** 2).sum(-1) <= BRUSH**2
        total += painted
    return total * np.float32(255 / PLAYERS)


def _stroke(points: np.ndarray, random: np.random.Generator) -> list[np.ndarray]:
    """Brush positions of one stroke: steps of two pixels, drawn back to the nearest ink."""
    here = points[random.integers(len(points))]
    direction = random.uniform(0, 2 * np.pi)
    path = [here + random.normal(0, 0.7, 2)]
    for _ in range(random.integers(3, 9)):
        direction += random.normal(0, 0.6)
        ahead = here + 2 * np.array([np.sin(direction), np.cos(direction)])
        nearest = points[((points - ahead) ** 2).sum(1).argmin()]
        here = nearest
        path.append(here + random.normal(0, 0.7, 2))
    return path


def encode(image: np.ndarray) -> bytes:
    """PNG bytes of an image; light compression, for speed."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG", compress_level=1)
    return stream.getvalue()
