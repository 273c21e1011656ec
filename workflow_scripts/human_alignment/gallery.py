"""The gallery page: a sample of a study's images, with the maps and scores of every run.

The page holds raw maps at the resolution of the feature map, one byte a value, and the browser
enlarges and colours them: 16 networks x 8 explainers cost an image 8 kB. Scores are those of
the score files, never computed again.
"""

import base64
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import simplejpeg

from .classes import class_names
from .cli import UserError
from .datasets import DataFile
from .heatmaps import HeatmapFile
from .images import present
from .overlays import COLOUR_MAP
from .pages import as_data, as_text, fill
from .protocol import THRESHOLDED, Protocol
from .scoring import check_belong_together
from .spearman import OK
from .summaries import explainer_name

PAGE_LIMIT = 25_000_000  # bytes: what phones open and mail servers still take
_JPEG_QUALITY = 85
_LOOK = ("resize", "normalisation", "threshold", "below_threshold")  # fields the browser applies


@dataclass(frozen=True)
class Sample:
    """Which images of a data file a page shows.

    index: their places in the file, ascending.  sentence: how they were drawn, for readers.
    """

    index: list[int]
    sentence: str

    @classmethod
    def draw(cls, total: int, count: int, seed: int) -> "Sample":
        """`count` of `total` images, at random without replacement; all where that is fewer."""
        if count >= total:
            return cls(list(range(total)), f"All {total:,} images of the study.")
        drawn = np.random.default_rng(seed).choice(total, count, replace=False)
        return cls(
            sorted(drawn.tolist()),
            f"{count:,} of the study's {total:,} images, drawn at random without replacement "
            f"(seed {seed}), so that they stand for all of them.",
        )


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
    """Minimum over maximum of each map: where level 0 lies once the maximum is one.

    None for a map without a positive value: divided by its maximum, nothing is left of it.
    """
    tops, lows = maps.max(axis=(1, 2)), maps.min(axis=(1, 2))
    return [
        round(float(low / top), 4) if np.isfinite(low) and top > 0 else None
        for low, top in zip(lows, tops, strict=True)
    ]


def packed_maps(maps: np.ndarray, explainer: str, protocol: Protocol) -> dict:
    """Maps (n, h, w) of one explainer as the page holds them."""
    packed = {"shape": maps.shape[1:], "levels": _text64(quantise(maps).tobytes())}
    if explainer in THRESHOLDED and protocol.normalisation == "max":
        packed["floors"] = floors(maps)
    return packed


def read_rho(path: Path, explainers: list[str], image_ids: list[str]) -> dict[str, list]:
    """By explainer and image: rho to four digits, or the status word where it is undefined.

    Raises UserError when the file lacks one of the images or explainers.
    """
    table = pd.read_csv(path, usecols=["image_id", "explainer", "rho", "status"], dtype={0: str})
    found = {}
    for explainer in explainers:
        rows = table[table["explainer"] == explainer].set_index("image_id")
        missing = [name for name in image_ids if name not in rows.index]
        if missing:
            raise UserError(
                f"{path} has no {explainer} score of image {missing[0]!r} (and of "
                f"{len(missing) - 1} more); score the heatmaps again"
            )
        rows = rows.loc[image_ids]
        found[explainer] = [
            round(float(rho), 4) if status == OK else str(status)
            for rho, status in zip(rows["rho"], rows["status"], strict=True)
        ]
    return found


def packed_run(
    heatmaps: HeatmapFile, scores: Path, explainers: list[str], index: list[int], protocol: Protocol
) -> dict:
    """One run of one network as the page holds it. Its name is in the path of its scores."""
    maps = {
        name: packed_maps(
            np.concatenate([heatmaps.maps(name, i, i + 1) for i in index]), name, protocol
        )
        for name in explainers
    }
    return {
        "model": scores.parent.name,
        "run": scores.stem,
        "maps": maps,
        "rho": read_rho(scores, explainers, [heatmaps.image_ids[i] for i in index]),
    }


def packed_images(data: DataFile, index: list[int]) -> list[dict]:
    """The images as the study shows them, each a JPEG."""
    size = data.image_size
    return [
        {
            "id": data.image_ids[i],
            "label": int(data.labels[i]),
            "jpeg": _text64(
                simplejpeg.encode_jpeg(present(data.images(i, i + 1)[0], size), _JPEG_QUALITY)
            ),
        }
        for i in index
    ]


def common_explainers(files: list[HeatmapFile]) -> list[str]:
    """Explainers that every file has, in the order of the first."""
    return [name for name in files[0].explainers if all(name in f.explainers for f in files)]


def contents(
    data: DataFile,
    runs: list[tuple[HeatmapFile, Path]],
    sample: Sample,
    protocol: Protocol,
    study: str,
) -> dict:
    """All that the page shows. runs: heatmaps and score file of each, in the order of display."""
    for heatmaps, _ in runs:
        check_belong_together(data, heatmaps, protocol)
    explainers = common_explainers([heatmaps for heatmaps, _ in runs])
    human = np.concatenate([data.human_maps(i, i + 1) for i in sample.index])
    names = class_names(data.num_classes)
    images = packed_images(data, sample.index)
    colours = np.asarray(mpl.colormaps[COLOUR_MAP](np.arange(256), bytes=True))[:, :3]
    return {
        "study": study,
        "size": data.image_size,
        "colours": _text64(colours.tobytes()),
        "look": {field: getattr(protocol, field) for field in _LOOK},
        "classes": {label: names[label] for label in sorted({i["label"] for i in images})},
        "explainers": [
            {"id": name, "name": explainer_name(name), "thresholded": name in THRESHOLDED}
            for name in explainers
        ],
        "images": images,
        "human": {"shape": human.shape[1:], "levels": _text64(quantise(human).tobytes())},
        "runs": [
            packed_run(heatmaps, scores, explainers, sample.index, protocol)
            for heatmaps, scores in runs
        ],
    }


def page(held: dict, sentences: list[str]) -> str:
    """The whole page. sentences: what stands under the title, with how the sample was drawn.

    Raises UserError when it would be larger than `PAGE_LIMIT`.
    """
    html = fill(
        "gallery.html",
        study=as_text(held["study"]),
        about="".join(f"<p>{as_text(sentence)}</p>" for sentence in sentences if sentence),
        data=as_data(held),
    )
    size, count = len(html.encode()), len(held["images"])
    if size > PAGE_LIMIT:
        raise UserError(
            f"the gallery of {count} images takes {size / 1e6:.0f} MB, over the limit of "
            f"{PAGE_LIMIT / 1e6:.0f} MB; about {int(count * PAGE_LIMIT / size)} images fit: lower "
            "gallery.images"
        )
    return html
