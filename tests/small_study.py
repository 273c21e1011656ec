"""A study small enough for a test: made-up images and maps, scored by the pipeline's own script."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import make_gallery
import numpy as np
import pandas as pd
import score_alignment
from human_alignment.data.data_file import DataFile, DataWriter
from human_alignment.data.digits import encode
from human_alignment.heatmaps.heatmap_file import HeatmapWriter
from human_alignment.scores.bootstrap import add_intervals
from human_alignment.scores.pairs import full_name
from human_alignment.scores.protocol import PRESETS, Protocol
from human_alignment.scores.score_file import Scores, ScoreSource, write_scores
from human_alignment.scores.spearman import CONSTANT_HUMAN_MAP, OK
from human_alignment.scores.statistics import compared_row
from human_alignment.scores.variant_file import VariantSource, write_variants

SIDE = 32  # pixels of an image
CONSTANT_HUMAN, CONSTANT_MAP, NONFINITE = 4, 5, 6  # images of which a score is undefined
MODELS = ("near", "far", "odd")


@dataclass(frozen=True)
class SmallStudy:
    """Files of a study."""

    data: Path
    heatmaps: list[Path]
    scores: list[Path]
    protocol: str

    @property
    def sources(self) -> list[Path]:
        """What the scores of each run were made from."""
        return [scores.with_suffix(".source.json") for scores in self.scores]

    def gallery(self, output: Path, *more: str) -> Path:
        """Its gallery, written to `output`."""
        make_gallery.main(
            ["--data", str(self.data), "--heatmaps", *map(str, self.heatmaps)]
            + ["--scores", *map(str, self.scores), "--protocol", protocol_json(self.protocol)]
            + ["--study", "small", "--note", "A <b>note</b>.", "--output", str(output), *more]
        )
        return output


def protocol_json(preset: str) -> str:
    """All fields of a preset, as the rules pass them."""
    return json.dumps(PRESETS[preset].as_dict())


def blob(row: float, column: float, side: int) -> np.ndarray:
    """A map (side, side) with a peak at a place given from 0 to 1."""
    steps = (np.arange(side) + 0.5) / side
    distance = (steps[:, None] - row) ** 2 + (steps[None] - column) ** 2
    return np.exp(-12 * distance).astype(np.float32)


def image(number: int, row: float, column: float) -> np.ndarray:
    """A smooth picture (SIDE, SIDE, 3) that is bright at the place."""
    peak = blob(row, column, SIDE)[..., None]
    tint = np.array([[0.3 + 0.1 * (number % 5), 0.5, 0.9 - 0.1 * (number % 7)]])
    return (40 + 200 * peak * tint).clip(0, 255).astype(np.uint8)


def places(count: int) -> np.ndarray:
    """Where the peaks are, (count, 2)."""
    return np.random.default_rng(1).uniform(0.2, 0.8, (count, 2))


def write_data(
    path: Path, count: int, ids: Sequence[str] = (), repeats: Sequence[int] = (), **more
) -> None:
    """Images of four classes, each with its human map.

    ids: of the images, in place of image-000, image-001, ...  repeats: by record the number of the
    image that it shows.  more: arguments of DataWriter.
    """
    attributes = dict(dataset="small", description="made up", num_classes=4, image_size=SIDE)
    ids = ids or [f"image-{number:03d}" for number in range(count)]
    with DataWriter(path, **attributes | more) as writer:
        for number, place in enumerate(places(count)):
            human = blob(*place, 16) * (number != CONSTANT_HUMAN)
            shown = repeats[number] if len(repeats) else number
            picture = encode(image(shown, *places(count)[shown]))
            writer.append(picture, shown % 4, ids[number], human)


def raw_maps(model: str, count: int) -> np.ndarray:
    """Maps (count, 7, 7): `near` peaks where humans look, `far` elsewhere, `odd` fails twice."""
    shift = {"near": 0.02, "far": 0.4, "odd": 0.15}[model]
    peaks = (places(count) + shift * np.linspace(0.5, 1, count)[:, None]) % 1
    maps = np.stack([blob(*place, 7) for place in peaks])
    if model == "odd":
        maps[CONSTANT_MAP], maps[NONFINITE] = 0.5, np.nan
    return maps


def write_heatmaps(path: Path, data: DataFile, model: str, preset: str, name: str = "") -> None:
    """Maps of both explainers; Grad-CAM's are the squares. name: of the network in the file."""
    protocol, count = PRESETS[preset], len(data)
    header = {
        "model": name or model,
        "dcls": False,
        "parameters": 7,
        "weights_digest": "w" * 64,
        "data_digest": data.digest,
        "geometry": protocol.geometry,
        "target": protocol.target,
        "explainers": ["grad_cam", "threshold_grad_cam"],
        "layers": ["before_norm"],
        "norm": False,
        "versions": "torch 0",
        "images": count,
    }
    writer = HeatmapWriter(path, header, rows=(0, count), chunk=count)
    maps = raw_maps(model, count)
    columns = {"grad_cam": maps**2, "threshold_grad_cam": maps, "label": data.labels}
    columns |= {"image_id": np.char.encode(data.image_ids, "utf-8"), "predicted": data.labels}
    columns |= {"target": data.labels, "target_rank": np.zeros(count, np.int32)}
    columns |= {"target_logit": np.zeros(count, np.float32)}
    writer.put(0, columns | {"nonfinite": ~np.isfinite(maps).all(axis=(1, 2))})
    writer.finish()


def made_from(path: Path, explainers: Sequence[str], count: int) -> dict:
    """What the scores of `count` records are said to be made from: the fields of a `Source`."""
    return {
        "model": path.parent.name,
        "dcls": path.parent.name.endswith("_dcls"),
        "parameters": 7,
        "weights_digest": "w" * 64,
        "data_digest": "d" * 64,
        "explainers": list(explainers),
        "images": count,
        "data_images": count,
        "sampled": False,
        "human_ceiling": None,
    }


def scores_of(rho: Sequence[float], groups: np.ndarray | None = None) -> Scores:
    """Scores by hand: NaN stands for a constant human map.

    groups: which image each record shows; None stands for an image of its own each.
    """
    rho = np.asarray(rho, np.float64)
    return Scores(rho, np.where(np.isnan(rho), CONSTANT_HUMAN_MAP, OK), groups)


def write_score_file(
    path: Path,
    ids: list[str],
    rho: dict[str, Sequence[float]],
    predicted: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    **source,
) -> None:
    """A score file by hand, of rho by explainer. source: fields of a `ScoreSource`."""
    about = made_from(path, rho, len(ids)) | {"protocol": PRESETS["released"], **source}
    scores = {name: scores_of(values, groups) for name, values in rho.items()}
    labels = np.zeros(len(ids), np.int32)
    write_scores(path, ScoreSource(**about), ids, labels, scores, predicted)


def write_variant_file(
    path: Path,
    protocols: dict[str, Protocol],
    rho: dict[str, dict[str, Sequence[float]]],
    **source,
) -> None:
    """A file of scores under several protocols by hand, of rho by explainer and protocol."""
    scores = {
        explainer: {name: scores_of(values) for name, values in own.items()}
        for explainer, own in rho.items()
    }
    count = len(next(iter(next(iter(rho.values())).values())))
    about = made_from(path, rho, count) | {"protocols": protocols, **source}
    write_variants(path, VariantSource(**about), scores)


def compared(a, b, **settings) -> SimpleNamespace:
    """Scores of the same images compared, with the interval of their difference."""
    return SimpleNamespace(**next(add_intervals([compared_row(a, b)], **settings)))


def named(table: pd.DataFrame) -> pd.DataFrame:
    """A table with the columns model and dcls, and each network's name as the paper's are."""
    return table.assign(network=[*map(full_name, table["model"], table["dcls"])])


def make(
    folder: Path,
    count: int = 40,
    preset: str = "released",
    names: Sequence[str] = MODELS,
    ending: str = ".parquet",
    **about,
) -> SmallStudy:
    """Write a study of three networks into a folder.

    names: of the networks.  ending: of the score files.  about: further arguments of `write_data`.
    """
    study = SmallStudy(
        data=folder / "data.h5",
        heatmaps=[folder / "heatmaps" / name / "seed0.h5" for name in names],
        scores=[folder / "scores" / name / f"seed0{ending}" for name in names],
        protocol=preset,
    )
    write_data(study.data, count, **about)
    files = zip(MODELS, names, study.heatmaps, study.scores, strict=True)
    for model, name, heatmaps, scores in files:
        with DataFile(study.data) as data:
            write_heatmaps(heatmaps, data, model, preset, name)
        score_alignment.main(
            ["--data", str(study.data), "--heatmaps", str(heatmaps), "--protocol", preset]
            + ["--output", str(scores)]
        )
    return study
