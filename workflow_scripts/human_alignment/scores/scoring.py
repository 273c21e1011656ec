"""Score one network: every explainer's maps against the human maps, image by image."""

import numpy as np

from ..common.cli import UserError, progress
from ..data.data_file import DataFile
from ..data.resize import resize_bilinear
from ..heatmaps.heatmap_file import HeatmapFile
from .postprocess import postprocess
from .protocol import Protocol
from .score_file import Scores, Source
from .spearman import correlate, rank

EXPLAINERS_FLAG = {  # of scripts that read a heatmap file: `add_argument("--explainers", **...)`
    "nargs": "+",
    "metavar": "NAME",
    "help": "whose maps are read; default: all in the heatmap file",
}
_READ = 32  # images that are read at once
_BATCH = 8  # images whose maps are compared at once: few enough for the cache
_KEPT = 2**24  # bytes: more than what a batch frees at once


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
    heatmaps.check_layer(protocol.layer)
    for field, fitting in (("geometry", heatmaps.geometries), ("target", (heatmaps.target,))):
        used, wanted = getattr(heatmaps, field), getattr(protocol, field)
        if wanted not in fitting:
            raise UserError(
                f"{heatmaps.path} was extracted with {field} {used!r}, the protocol asks for "
                f"{wanted!r}; extract again with --{field} {wanted} or change the protocol"
            )


def human_maps(data: DataFile, rows: np.ndarray) -> np.ndarray:
    """Human maps of some rows in any order, float32 (n, h, w); one read where they adjoin."""
    if (np.diff(rows) == 1).all():
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

    The human maps are ranked once for all protocols, and where two protocols give the same maps
    these are correlated once. Memory does not grow with the images.
    """
    for protocol in protocols.values():
        check_belong_together(data, heatmaps, protocol)
    kinds = {
        (name, protocol.map_settings(name)): protocol
        for name in explainers
        for protocol in protocols.values()
    }
    # The GNU C library gives the memory of large arrays back to the system when they are freed; for
    # the next map the system would hand it out again, page by page. After one large array was freed
    # the library keeps the memory of smaller ones: see mallopt(3) on M_MMAP_THRESHOLD.
    np.empty(_KEPT, np.uint8)
    parts: dict[tuple, list[tuple[np.ndarray, np.ndarray]]] = {kind: [] for kind in kinds}
    size = data.image_size
    with progress(None, len(heatmaps), "scores", "image") as bar:
        for start in range(0, len(heatmaps), _READ):
            stop = min(start + _READ, len(heatmaps))
            human = human_maps(data, heatmaps.rows[start:stop])
            raw = {
                (name, layer): heatmaps.maps(name, start, stop, layer)
                for name in explainers
                for layer in {protocol.layer for protocol in protocols.values()}
            }
            for first in range(0, stop - start, _BATCH):
                some = slice(first, first + _BATCH)
                ranks = rank(resize_bilinear(human[some], size, size))
                for kind, protocol in kinds.items():
                    maps = postprocess(protocol, kind[0], raw[kind[0], protocol.layer][some], size)
                    parts[kind].append(correlate(ranks, maps))
            bar.update(stop - start)
    groups = data.groups[heatmaps.rows]
    whole = {
        kind: Scores(*(np.concatenate(column) for column in zip(*rows, strict=True)), groups)
        for kind, rows in parts.items()
    }
    return {
        name: {key: whole[name, protocol.map_settings(name)] for key, protocol in protocols.items()}
        for name in explainers
    }


def score_geometries(
    data: DataFile,
    files: list[HeatmapFile],
    protocols: dict[str, Protocol],
    explainers: list[str] | None = None,
) -> dict[str, dict[str, Scores]]:
    """Scores by explainer and by the protocol's name, each protocol on the maps of its geometry.

    files: heatmaps of one network, of another geometry each, or of both in one file.
    explainers: of all that the files have, these; None stands for all.
    Raises UserError on files of several networks, on files of which one lacks an explainer, and
    when a protocol's geometry is in none of them.
    """
    first = files[0]
    names = first.chosen(explainers)
    for other in files[1:]:
        if (first.weights_digest, names) != (other.weights_digest, other.chosen(explainers)):
            raise UserError(
                f"{first.path} and {other.path} are not of one network and its explainers; "
                "extract both again from the same weights"
            )
    scores: dict[str, dict[str, Scores]] = {name: {} for name in names}
    by_geometry = {geometry: one for one in files for geometry in one.geometries}
    for geometry in dict.fromkeys(protocol.geometry for protocol in protocols.values()):
        if geometry not in by_geometry:
            raise UserError(
                f"no heatmap file has the geometry {geometry!r} of the protocol; make one with "
                f"extract_heatmaps.py --geometry {geometry}"
            )
        same = {key: one for key, one in protocols.items() if one.geometry == geometry}
        for name, found in score_under(data, by_geometry[geometry], names, same).items():
            scores[name] |= found
    return scores


def source_fields(data: DataFile, heatmaps: HeatmapFile, explainers: list[str]) -> dict:
    """What scores of a heatmap file are made from: the fields of a `score_file.Source`."""
    more = {"versions": heatmaps.versions, "human_ceiling": data.human_ceiling}
    return _heatmap_fields(heatmaps, explainers) | more


def _heatmap_fields(heatmaps: HeatmapFile, explainers: list[str]) -> dict:
    """The fields of a `Source` that a heatmap file knows: those that must not differ."""
    return {
        "model": heatmaps.model,
        "dcls": heatmaps.dcls,
        "parameters": heatmaps.parameters,
        "weights_digest": heatmaps.weights_digest,
        "data_digest": heatmaps.data_digest,
        "explainers": explainers,
        "images": len(heatmaps),
        "data_images": heatmaps.images,
        "sampled": heatmaps.sampled,
    }


def check_scores_of(heatmaps: HeatmapFile, source: Source) -> None:
    """Refuse scores that were made from another network, other weights or other images.

    The human ceiling is not compared: it changes no rho.
    """
    for name, value in _heatmap_fields(heatmaps, source.explainers).items():
        if getattr(source, name) != value:
            raise UserError(
                f"the scores of {heatmaps.path} were made from other heatmaps: {name} was "
                f"{getattr(source, name)} and is {value}; score the heatmaps again"
            )
