"""Score maps that no network made against the human maps, as the maps of networks are scored.

Two passes over the data file: one sums the human maps, one scores. Memory does not grow with the
images.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..common.cli import progress
from ..data.data_file import UNKNOWN, DataFile
from ..data.images import present
from ..data.outside_maps import OutsideMaps
from ..data.resize import resize_bilinear
from ..heatmaps.heatmap_file import HeatmapFile
from .human_agreement import Agreement
from .image_means import image_means
from .postprocess import postprocess
from .protocol import Protocol
from .reference_file import CENTRE, NO_MAP, NO_OTHER_CLASS, NO_OTHER_IMAGE
from .references import RATIOS, MapSums, centre, edge_strength, local_contrast, other_image
from .score_file import Scores
from .scoring import check_belong_together, human_maps
from .spearman import (
    CONSTANT_HEATMAP,
    CONSTANT_HUMAN_MAP,
    OK,
    Ranks,
    correlate,
    correlate_ranks,
    rank,
)

MEAN, CLASS_MEAN = "mean_human_map", "class_mean_human_map"
OF_IMAGE = {"edge_strength": edge_strength, "local_contrast": local_contrast}
OTHER_IMAGE = "other_image"  # of a network; tables name it with the explainer
NAMES = (CENTRE, MEAN, CLASS_MEAN, *OF_IMAGE)
_BATCH = 8  # records held at once: few enough for the cache


@dataclass(frozen=True)
class Found:
    """Scores by reference over the n records, in the order of the data file.

    ratio: of the centred Gaussian of each record, (n,).  chosen: the ratio of each fold, None where
    its other folds have no score.  agreement: see `human_agreement`.
    """

    scores: dict[str, Scores]
    ratio: np.ndarray
    chosen: list[float | None]
    groups: np.ndarray
    agreement: dict[str, np.ndarray]


def score_references(
    data: DataFile, protocol: Protocol, outside: Sequence[OutsideMaps], folds: int, seed: int
) -> Found:
    """Scores of `NAMES` and of the maps of other people's models.

    folds, seed: of the cross-validation of the centred Gaussian's ratio.
    """
    groups, labels, size = data.groups, data.labels, data.image_size
    total = sum_of_maps(data)
    classes = len(np.unique(labels)) > 1 and (labels != UNKNOWN).all()
    centres = rank(np.stack([centre(size, ratio) for ratio in RATIOS]))
    of_ratio = np.full((len(RATIOS), len(data)), np.nan)
    constant = np.zeros(len(data), bool)
    agreement = Agreement(groups, size)
    of_others = {maps.name: maps for maps in outside}
    names = [*NAMES[1:], *of_others]
    scores = {name: _empty(len(data)) for name in names}

    def maps_of(name: str, rows: list[int], own: list[MapSums]) -> tuple[list, str]:
        """A reference's map of each record, None where it has none, and the status this means."""
        if name == MEAN:
            return [total.mean_without(one) for one in own], NO_OTHER_IMAGE
        if name == CLASS_MEAN and not classes:
            return [None] * len(rows), NO_OTHER_CLASS
        if name == CLASS_MEAN:
            pairs = zip(rows, own, strict=True)
            return [total.mean_without(one, int(labels[row])) for row, one in pairs], NO_OTHER_IMAGE
        if name in OF_IMAGE:
            return [OF_IMAGE[name](image) for image in images], ""
        return [of_others[name].map(data.image_ids[row]) for row in rows], NO_MAP

    with progress(None, len(data), "references", "record") as bar:
        for rows, maps, own in _with_own_sums(data, groups):
            human = rank(resize_bilinear(maps, size, size))
            agreement.add(rows, maps, human, own)
            of_ratio[:, rows] = correlate_ranks(human, centres).T
            constant[rows] = human.norm == 0
            images = [present(data, row) for row in rows.tolist()]
            for name in names:
                found = _scored(protocol, human, *maps_of(name, rows.tolist(), own), size)
                scores[name].rho[rows], scores[name].status[rows] = found
            bar.update(len(rows))
    place, chosen = fit_ratios(of_ratio, groups, folds, seed)
    scores = {CENTRE: _centre_scores(of_ratio, place, constant)} | scores
    ratio = np.where(place >= 0, np.array(RATIOS)[place], np.nan)
    return Found(scores, ratio, chosen, groups, agreement.of_images())


def score_other_image(
    data: DataFile, heatmaps: HeatmapFile, explainers: list[str], protocol: Protocol, seed: int
) -> dict[str, Scores]:
    """Scores of a network's maps against the human maps of other images, by explainer.

    Each map meets the human map of one other record, drawn as `references.other_image` says. The
    value belongs to the record whose heatmap it is. A record without a heatmap has the status
    `no_map`, all have `no_other_image` where there is one image only.
    """
    check_belong_together(data, heatmaps, protocol)
    groups, size = data.groups[heatmaps.rows], data.image_size
    scores = {name: _empty(len(data), NO_MAP) for name in explainers}
    if len(np.unique(groups)) < 2:
        return {name: _empty(len(data), NO_OTHER_IMAGE) for name in scores}
    partners = heatmaps.rows[other_image(groups, seed)]
    with progress(None, len(heatmaps), "maps of other images", "record") as bar:
        for start in range(0, len(heatmaps), _BATCH):
            stop = min(start + _BATCH, len(heatmaps))
            human = rank(resize_bilinear(human_maps(data, partners[start:stop]), size, size))
            rows = heatmaps.rows[start:stop]
            for name, one in scores.items():
                raw = heatmaps.maps(name, start, stop, protocol.layer)
                maps = postprocess(protocol, name, raw, size)
                one.rho[rows], one.status[rows] = correlate(human, maps)
            bar.update(stop - start)
    return scores


def fit_ratios(
    rho: np.ndarray, groups: np.ndarray, folds: int, seed: int
) -> tuple[np.ndarray, list[float | None]]:
    """For each record the place of the ratio with the highest mean rho on other images.

    rho: of each of RATIOS with each record, (r, n), NaN where undefined.  groups: image of each
    record.  folds: into which the images are divided at random; as many as images if these are
    fewer. Returns the places (n,), -1 where no other image has a rho, and the ratio of each fold.
    """
    images = image_means(rho, groups)
    count = images.shape[1]
    fold = np.random.default_rng(seed).permutation(count) % min(folds, count)
    defined = ~np.isnan(images).any(axis=0)
    place = np.full(count, -1)
    chosen: list[float | None] = []
    for one in range(min(folds, count)):
        others = images[:, (fold != one) & defined]
        if others.shape[1]:
            best = int(np.argmax(others.mean(axis=1)))
            place[fold == one] = best
        chosen.append(RATIOS[best] if others.shape[1] else None)
    _, image = np.unique(groups, return_inverse=True)
    return place[image.reshape(-1)], chosen


def sum_of_maps(data: DataFile) -> MapSums:
    """Sums of all human maps of a data file."""
    total = MapSums()
    with progress(None, len(data), "sums of human maps", "record") as bar:
        for start in range(0, len(data), _BATCH):
            stop = min(start + _BATCH, len(data))
            total.add(data.labels[start:stop], data.human_maps(start, stop))
            bar.update(stop - start)
    return total


def _with_own_sums(
    data: DataFile, groups: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, list[MapSums]]]:
    """Blocks of records: rows (k,), human maps (k, h, w), and for each record the sums of all human
    maps of its image.

    The records of one image follow each other, so that few sums are held at once.
    """
    order = np.argsort(groups, kind="stable")
    ends = np.searchsorted(groups[order], groups[order], side="right")
    sums: dict[int, MapSums] = {}
    for start in range(0, len(order), _BATCH):
        rows = order[start : start + _BATCH]
        images = groups[rows].tolist()
        sums = {image: sums[image] for image in images if image in sums}
        for place, image in enumerate(images, start):
            if image not in sums:  # the first record of the image
                sums[image] = sums_of(data, order[place : ends[place]])
        yield rows, human_maps(data, rows), [sums[image] for image in images]


def sums_of(data: DataFile, rows: np.ndarray) -> MapSums:
    """Sums of the human maps of some records."""
    sums = MapSums()
    for start in range(0, len(rows), _BATCH):
        some = rows[start : start + _BATCH]
        sums.add(data.labels[some], human_maps(data, some))
    return sums


def _empty(count: int, status: str = OK) -> Scores:
    """Scores of `count` records, to be filled."""
    return Scores(np.full(count, np.nan), np.full(count, status, "<U32"))


def _scored(
    protocol: Protocol, human: Ranks, maps: list[np.ndarray | None], missing: str, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rho and status of maps of any size, (k,) each. missing: the status where there is no map."""
    absent = np.array([one is None for one in maps])
    empty = np.zeros((1, 1), np.float32)
    shown = [postprocess(protocol, "", (empty if one is None else one)[None], size) for one in maps]
    rho, status = correlate(human, np.concatenate(shown))
    status = status.astype("<U32")
    status[absent & (status != CONSTANT_HUMAN_MAP)] = missing
    return rho, status


def _centre_scores(rho: np.ndarray, place: np.ndarray, constant: np.ndarray) -> Scores:
    """Scores of the centred Gaussian. rho: by ratio, (r, n).  place: of the ratio, (n,), or -1."""
    own = np.where(place >= 0, rho[place, np.arange(len(place))], np.nan)
    causes = [constant, place < 0, np.isnan(own)]
    words = [CONSTANT_HUMAN_MAP, NO_OTHER_IMAGE, CONSTANT_HEATMAP]
    return Scores(own, np.select(causes, words, default=OK))
