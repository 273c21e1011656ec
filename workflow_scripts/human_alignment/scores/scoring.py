"""Score one network: every explainer's maps against the human maps, image by image."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..common.cli import UserError, progress
from ..common.files import written_whole
from ..data.data_file import DataFile
from ..data.resize import resize_bilinear
from ..heatmaps.heatmap_file import HeatmapFile
from .bootstrap import bootstrap_interval
from .postprocess import counted, postprocess
from .protocol import Protocol
from .spearman import OK, correlate, rank

_BATCH = 8  # images whose maps are held at once: few enough for the cache


@dataclass(frozen=True)
class Scores:
    """Per image of a heatmap file: rho float64 (n,), NaN unless its status (n,) is `ok`."""

    rho: np.ndarray
    status: np.ndarray


def check_same_images(data: DataFile, heatmaps: HeatmapFile) -> None:
    """Refuse heatmaps of other images, or in another order."""
    if heatmaps.data_digest != data.digest:
        raise UserError(
            f"{heatmaps.path} was not extracted from {data.path}: their data digests differ "
            f"({heatmaps.data_digest[:12]} and {data.digest[:12]}); extract the heatmaps again"
        )
    whole = heatmaps.sampled or len(heatmaps) == len(data)
    if not whole or heatmaps.image_ids != [data.image_ids[row] for row in heatmaps.rows]:
        raise UserError(
            f"{heatmaps.path} and {data.path} do not list the same images in the same order "
            f"({len(heatmaps)} and {len(data)} images); extract the heatmaps again"
        )


def check_belong_together(data: DataFile, heatmaps: HeatmapFile, protocol: Protocol) -> None:
    """Refuse heatmaps of other images, in another order, or taken under another protocol."""
    check_same_images(data, heatmaps)
    for field in ("geometry", "target"):
        used, wanted = getattr(heatmaps, field), getattr(protocol, field)
        if used != wanted:
            raise UserError(
                f"{heatmaps.path} was extracted with {field} {used!r}, the protocol asks for "
                f"{wanted!r}; extract again with --{field} {wanted} or change the protocol"
            )


def human_maps(data: DataFile, rows: np.ndarray) -> np.ndarray:
    """Human maps of some rows in rising order, float32 (n, h, w); one read where they adjoin."""
    if rows[-1] - rows[0] == len(rows) - 1:
        return data.human_maps(rows[0], rows[-1] + 1)
    return np.concatenate([data.human_maps(row, row + 1) for row in rows])


def score(
    data: DataFile, heatmaps: HeatmapFile, explainers: list[str], protocol: Protocol
) -> dict[str, Scores]:
    """Spearman correlation of every image's maps with its human map, by explainer."""
    found = score_under(data, heatmaps, explainers, {"": protocol})
    return {name: scores[""] for name, scores in found.items()}


def score_under(
    data: DataFile, heatmaps: HeatmapFile, explainers: list[str], protocols: dict[str, Protocol]
) -> dict[str, dict[str, Scores]]:
    """Scores by explainer and by the names of several protocols of one geometry and target.

    The human maps are ranked once for all, and a map that two protocols turn into the same is
    correlated once. Memory does not grow with the images.
    """
    for protocol in protocols.values():
        check_belong_together(data, heatmaps, protocol)
    kinds = {
        (name, protocol.map_settings(name)): protocol
        for name in explainers
        for protocol in protocols.values()
    }
    parts: dict[tuple, list[tuple[np.ndarray, np.ndarray]]] = {kind: [] for kind in kinds}
    size = data.image_size
    with progress(None, len(heatmaps), "scores", "image") as bar:
        for start in range(0, len(heatmaps), _BATCH):
            stop = min(start + _BATCH, len(heatmaps))
            human = rank(resize_bilinear(human_maps(data, heatmaps.rows[start:stop]), size, size))
            raw = {name: heatmaps.maps(name, start, stop) for name in explainers}
            for kind, protocol in kinds.items():
                parts[kind].append(
                    correlate(human, postprocess(protocol, kind[0], raw[kind[0]], size))
                )
            bar.update(stop - start)
    whole = {
        kind: Scores(*(np.concatenate(column) for column in zip(*rows, strict=True)))
        for kind, rows in parts.items()
    }
    return {
        name: {key: whole[name, protocol.map_settings(name)] for key, protocol in protocols.items()}
        for name in explainers
    }


def summarise(scores: Scores, protocol: Protocol, resamples: int, seed: int) -> dict:
    """Mean, score, interval and counts of one explainer.

    `low` and `high` end the 95 % bootstrap interval of `score` over images. All four are null
    when no image has a defined correlation, the interval also when only one has.
    """
    values = counted(protocol, scores.rho, scores.status)
    names, counts = np.unique(scores.status, return_counts=True)
    found = {
        "n": len(values),
        "n_images": len(scores.rho),
        "mean_rho": None,
        "score": None,
        "low": None,
        "high": None,
        "status": dict(zip(names.tolist(), counts.tolist(), strict=True)),
        "protocol": protocol.as_dict(),
    }
    if len(values):
        mean = float(np.mean(values))
        found |= {"mean_rho": mean, "score": protocol.scaled(mean)}
    if len(values) > 1:
        low, high = bootstrap_interval(values, resamples=resamples, seed=seed)
        found |= {"low": protocol.scaled(low), "high": protocol.scaled(high)}
    return found


def write_scores(path: Path | str, heatmaps: HeatmapFile, scores: dict[str, Scores]) -> None:
    """Write a row per image and explainer: image_id, label, explainer, rho, status."""
    with written_whole(path) as partial, open(partial, "w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["image_id", "label", "explainer", "rho", "status"])
        for name, found in scores.items():
            for image_id, label, rho, status in zip(
                heatmaps.image_ids, heatmaps.labels, found.rho, found.status, strict=True
            ):
                shown = repr(float(rho)) if status == OK else ""
                writer.writerow([image_id, label, name, shown, status])
