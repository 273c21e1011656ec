"""The gallery page: a sample of a study's images, with the maps and scores of every run.

The page holds raw maps at the resolution of the feature map, one byte a value, and the browser
enlarges and colours them. Finer maps, as those of the input's own size, are averaged to 28 x 28, or
to fewer values where the page holds so many of them that it would become large. Scores are read
from the score files and not computed again.
"""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import simplejpeg
from PIL import Image

from ..common.cli import UserError
from ..common.layers import Layer
from ..common.paths import Run
from ..data.classes import class_name, class_names
from ..data.data_file import DataFile
from ..data.images import present
from ..data.outside_maps import OutsideMaps
from ..heatmaps.heatmap_file import HeatmapFile
from ..scores.protocol import THRESHOLDED, Protocol
from ..scores.reference_file import References
from ..scores.reference_maps import reference_maps
from ..scores.score_file import Scores, read_scores
from ..scores.scoring import check_belong_together, check_scores_of
from ..scores.spearman import OK
from ..scores.summary import explainer_name, explainer_order
from .overlays import COLOUR_MAP
from .pages import GALLERY_PAGE, render
from .reference_scores import reference_name

PAGE_LIMIT = 25_000_000  # bytes: what phones open and mail servers still take
CROPPED = (
    "Networks see the image as their own evaluation transforms crop it. Their maps are laid over "
    "the whole image and scored that way, as in the authors' code."
)
NOT_SAMPLED = "not in the sample"  # in place of a status, where an explainer has no map
MAPS_LIMIT = 4_500_000  # bytes of all maps of networks and references, if that can be
_JPEG_QUALITY, _JPEG_COLOURS = 85, "420"  # colours at half the resolution: a quarter fewer bytes
_LARGEST = 28  # side of the maps held; those of the last feature map are smaller
_LARGEST_HUMAN = 64  # side of the human maps held
_LOOK = ("resize", "normalisation", "threshold", "below_threshold")  # fields the browser applies


@dataclass(frozen=True)
class Sample:
    """The images of a data file that a page shows.

    index: their rows in the file, ascending.  sentence: how they were drawn, for readers.
    """

    index: list[int]
    sentence: str

    @classmethod
    def draw(cls, total: int, count: int, seed: int, first: Iterable[int] = ()) -> "Sample":
        """`count` of `total` rows at random without replacement; all where that is fewer.

        first: rows to draw before any others; they must be a random sample themselves.
        """
        if count >= total:
            return cls(list(range(total)), f"All {total:,} images of the study.")
        random, first = np.random.default_rng(seed), sorted(first)
        others = np.setdiff1d(np.arange(total), first)
        drawn = random.choice(first, min(count, len(first)), replace=False).tolist()
        drawn += random.choice(others, count - len(drawn), replace=False).tolist()
        return cls(
            sorted(map(int, drawn)),
            f"{count:,} of the study's {total:,} images, drawn at random without replacement "
            f"(seed {seed}).",
        )


@dataclass(frozen=True)
class Part:
    """Heatmaps of one run and their scores; explainers run on a sample are a part of their own.

    The run's name is in the path of its scores: `<model>/<run>.parquet`, or
    `<model>/<run>.<part>.parquet`.
    """

    heatmaps: HeatmapFile
    scores: Path

    @property
    def run(self) -> Run:
        """Model and run."""
        return Run.of(self.scores)

    def shape(self, explainer: str, layer: Layer) -> tuple[int, int]:
        """Height and width of the explainer's maps."""
        return self.heatmaps.maps(explainer, 0, 1, layer).shape[1:]

    def maps(self, explainer: str, rows: list[int], layer: Layer) -> np.ndarray:
        """Raw maps (n, h, w) of rows of the data file; NaN for a row that this file leaves out."""
        place = {int(row): i for i, row in enumerate(self.heatmaps.rows)}
        places = np.array([place.get(row, -1) for row in rows])
        maps = np.full((len(rows), *self.shape(explainer, layer)), np.nan, np.float32)
        here = np.flatnonzero(places >= 0)
        # Maps that follow each other are read at once: a read takes longer than a map.
        for run in np.split(here, np.flatnonzero(np.diff(places[here]) != 1) + 1):
            if len(run):
                first, last = places[run[0]], places[run[-1]]
                maps[run] = self.heatmaps.maps(explainer, first, last + 1, layer)
        return maps


def sampled_rows(parts: list[Part]) -> set[int]:
    """Rows that all sampled parts have in common; none if no part is sampled."""
    samples = [set(part.heatmaps.rows.tolist()) for part in parts if part.heatmaps.sampled]
    return set.intersection(*samples) if samples else set()


def _text64(values: np.ndarray | bytes) -> str:
    return base64.b64encode(bytes(values)).decode()


def quantise(maps: np.ndarray) -> np.ndarray:
    """Maps (n, h, w), each from its minimum to its maximum, as uint8 levels 0 to 255.

    A map that is constant or not finite is 0 throughout.
    """
    maps = np.asarray(maps, np.float64)
    finite = np.isfinite(maps).all(axis=(1, 2), keepdims=True)
    maps = np.where(finite, maps, 0)
    low = maps.min(axis=(1, 2), keepdims=True)
    span = maps.max(axis=(1, 2), keepdims=True) - low
    return np.rint(255 * (maps - low) / np.where(span > 0, span, 1)).astype(np.uint8)


def floors(maps: np.ndarray) -> list[float | None]:
    """Minimum over maximum of each map: the value of level 0 after division by the maximum.

    None for a map without a positive value: such a map cannot be divided by its maximum.
    """
    tops, lows = maps.max(axis=(1, 2)), maps.min(axis=(1, 2))
    return [
        round(float(low / top), 4) if np.isfinite(low) and top > 0 else None
        for low, top in zip(lows, tops, strict=True)
    ]


def held_side(shapes: Sequence[tuple[int, int]], images: int) -> int:
    """The side to which a page averages finer maps: 28, or less to keep to MAPS_LIMIT.

    shapes: height and width of the maps of one image.
    """

    def size(side: int) -> float:
        values = (side**2 if max(shape) > side else shape[0] * shape[1] for shape in shapes)
        return images * sum(values) * 4 / 3  # base64 writes three bytes as four

    return next((s for s in range(_LARGEST, 1, -1) if size(s) <= MAPS_LIMIT), 1)


def reduced(maps: np.ndarray, side: int) -> np.ndarray:
    """Maps (n, h, w) larger than `side`, averaged over areas to (n, side, side)."""
    if max(maps.shape[1:]) <= side:
        return maps
    pictures = (Image.fromarray(np.asarray(one, np.float32)) for one in maps)
    return np.stack([np.asarray(p.resize((side, side), Image.Resampling.BOX)) for p in pictures])


def packed_maps(maps: np.ndarray, explainer: str, protocol: Protocol, side: int) -> dict:
    """Raw maps (n, h, w) of one explainer as the page holds them. side: of `held_side`."""
    maps = reduced(maps, side)
    packed = {"shape": maps.shape[1:], "levels": _text64(quantise(maps).tobytes())}
    if explainer in THRESHOLDED and protocol.normalisation == "max":
        packed["floors"] = floors(maps)
    return packed


def shown_rho(scores: Scores, row: int) -> float | str:
    """Rho of a record to four digits, or a status word where it is undefined."""
    return round(float(scores.rho[row]), 4) if scores.status[row] == OK else str(scores.status[row])


def read_rho(part: Part, image_ids: list[str]) -> dict[str, list]:
    """By scored explainer, of each image: rho to four digits, or a status word where undefined.

    Raises UserError when the scores were made from other heatmaps.
    """
    scores = read_scores(part.scores)
    check_scores_of(part.heatmaps, scores.source)
    place = {image_id: row for row, image_id in enumerate(scores.image_ids.tolist())}
    found = {}
    rows = [place.get(image_id) for image_id in image_ids]
    for explainer, own in scores.scores.items():
        found[explainer] = [NOT_SAMPLED if row is None else shown_rho(own, row) for row in rows]
    return found


def packed_run(
    parts: list[Part],
    explainers: list[str],
    rows: list[int],
    rho: list[dict],
    protocol: Protocol,
    side: int,
) -> dict:
    """One run as the page holds it.

    rows: of the images shown.  rho: `read_rho` of each part.  side: of `held_side`.
    """
    model, run = parts[0].run
    maps, shown = {}, {}
    for part, own in zip(parts, rho, strict=True):
        for name in [name for name in own if name in explainers]:
            raw = part.maps(name, rows, protocol.layer)
            maps[name] = packed_maps(raw, name, protocol, side)
            shown[name] = own[name]
    return {"model": model, "run": run, "maps": maps, "rho": shown}


def packed_references(
    data: DataFile,
    found: References,
    rows: list[int],
    outside: Sequence[OutsideMaps],
    side: int,
) -> list[dict]:
    """References without a network as the page holds them: one map an image for all explainers.

    found: their scores.  rows: of the images shown.  outside: maps of other people's models.
    side: of `held_side`.
    Raises UserError when the scores are of another data file.
    """
    if found.source.data_digest != data.digest:
        raise UserError(
            f"the scores of the references are not of {data.path}; score the references again"
        )
    packed = []
    for name, maps in reference_maps(data, found, rows, outside, side).items():
        scores = found.scores[name]
        rho = [shown_rho(scores, row) for row in rows]
        levels = {"shape": maps.shape[1:], "levels": _text64(quantise(maps).tobytes())}
        packed.append(
            {"model": reference_name(name), "run": "reference", "reference": True}
            | {"maps": levels, "rho": rho}
        )
    return packed


def packed_images(data: DataFile, index: list[int]) -> list[dict]:
    """The images as the study shows them, each a JPEG."""

    def picture(i: int) -> str:
        shown = present(data, i)
        return _text64(simplejpeg.encode_jpeg(shown, _JPEG_QUALITY, colorsubsampling=_JPEG_COLOURS))

    return [
        {"id": data.image_ids[i], "label": int(data.labels[i]), "jpeg": picture(i)} for i in index
    ]


def common_explainers(rho: list[list[dict]]) -> list[str]:
    """Explainers that every run has scores of. rho: of each run `read_rho` of its parts."""
    names = [{name for part in parts for name in part} for parts in rho]
    return explainer_order(set.intersection(*names))


def page_contents(
    data: DataFile,
    parts: list[Part],
    sample: Sample,
    protocol: Protocol,
    study: str,
    references: References | None = None,
    outside: Sequence[OutsideMaps] = (),
) -> dict:
    """All that the page shows, as plain values. Runs are in the order of their first parts.

    references: scores of references, which follow the networks; `outside` has their maps where
    those are of other people's models.
    """
    for part in parts:
        check_belong_together(data, part.heatmaps, protocol)
    runs = [[p for p in parts if p.run == run] for run in dict.fromkeys(p.run for p in parts)]
    rows = sample.index
    human = np.concatenate([reduced(data.human_maps(row, row + 1), _LARGEST_HUMAN) for row in rows])
    names = class_names(data.num_classes, data.class_names)
    images = packed_images(data, rows)
    ids = [image["id"] for image in images]
    rho = [[read_rho(part, ids) for part in parts] for parts in runs]
    explainers = common_explainers(rho)
    shapes = [
        part.shape(name, protocol.layer)
        for run, scored in zip(runs, rho, strict=True)
        for part, own in zip(run, scored, strict=True)
        for name in own
        if name in explainers
    ]
    shapes += [(_LARGEST, _LARGEST)] * len(references.scores if references else [])
    side = held_side(shapes, len(rows))
    colours = np.asarray(mpl.colormaps[COLOUR_MAP](np.arange(256), bytes=True))[:, :3]
    return {
        "study": study,
        "size": data.image_size,
        "side": side,
        "human_side": _LARGEST_HUMAN,
        "colours": _text64(colours.tobytes()),
        "look": {field: getattr(protocol, field) for field in _LOOK},
        "classes": {
            label: class_name(names, label) for label in sorted({i["label"] for i in images})
        },
        "explainers": [
            {"id": name, "name": explainer_name(name), "thresholded": name in THRESHOLDED}
            for name in explainers
        ],
        "images": images,
        "human": {"shape": human.shape[1:], "levels": _text64(quantise(human).tobytes())},
        "runs": [
            *(
                packed_run(parts, explainers, rows, own, protocol, side)
                for parts, own in zip(runs, rho, strict=True)
            ),
            *(packed_references(data, references, rows, outside, side) if references else []),
        ],
    }


def sentences(sample: Sample, parts: list[Part], note: str, others: int = 0) -> list[str]:
    """The sentences under the title: how the images were drawn, the note, how maps are placed.

    parts: of the networks on the page.  others: how many networks the study has that it leaves out.
    """
    lacking = f"{others:,} other networks of the study are not on this page; leaderboard.html has "
    lacking += "the scores of all."
    found = [sample.sentence, lacking if others else "", note]
    cropped = any(part.heatmaps.geometries == ("crop",) for part in parts)
    found += [CROPPED if cropped else ""]
    return [sentence for sentence in found if sentence]


def page(contents: dict, sentences: list[str]) -> str:
    """The whole page. sentences: a paragraph each, under the title.

    Raises UserError when it would be larger than `PAGE_LIMIT`.
    """
    study = contents["study"]
    title = f"Gallery of the study {study}"
    html = render(GALLERY_PAGE, title=title, study=study, about=sentences, data=contents)
    size, count = len(html.encode()), len(contents["images"])
    if size > PAGE_LIMIT:
        raise UserError(
            f"the gallery of {count} images takes {size / 1e6:.0f} MB, over the limit of "
            f"{PAGE_LIMIT / 1e6:.0f} MB; about {int(count * PAGE_LIMIT / size)} images fit: lower "
            "gallery.images, or name fewer networks under gallery.models"
        )
    return html
