"""Controls of one network's scores: what its maps share with maps that know nothing of the image.

- `centre`: rho of each heatmap with the centred Gaussian that its record was scored with.
- `other_image`: rho of each heatmap with the human map of another image, drawn at random. It
  belongs to the record whose heatmap it is. Chance is not 0, this is.
- rho with the own human map, of the maps without their high frequencies: smooth maps agree better.
- the spectrum of the raw maps: how smooth they are.
"""

from dataclasses import dataclass

import numpy as np

from ..common.cli import UserError, progress
from ..data.data_file import DataFile
from ..data.resize import resize_bilinear
from ..heatmaps.heatmap_file import HeatmapFile
from .explainer_names import EXPLAINER_NAMES
from .image_means import image_means
from .postprocess import postprocess
from .protocol import Protocol
from .reference_file import CENTRE, NO_OTHER_IMAGE, References
from .references import centre, other_image
from .score_file import Scores
from .scoring import check_belong_together, human_maps
from .smoothing import low_pass, spectrum
from .spearman import Ranks, correlate, correlate_several, rank

OTHER_IMAGE = "other_image"
KINDS = (CENTRE, OTHER_IMAGE)
_BATCH = 8  # images whose maps are held at once: few enough for the cache


@dataclass(frozen=True)
class Controls:
    """Of one run. scores: by explainer and KINDS.  smooth: by explainer and cut-off in cycles per
    image.  spectra: by explainer the mean share of each band, (b,), and the number of images.
    """

    scores: dict[str, dict[str, Scores]]
    smooth: dict[str, dict[float, Scores]]
    spectra: dict[str, tuple[np.ndarray, int]]


def smoothed_explainers(explainers: list[str]) -> list[str]:
    """The paper's two explainers, as far as they are there; else the first one."""
    return [name for name in EXPLAINER_NAMES if name in explainers] or explainers[:1]


def check_references(data: DataFile, references: References, path: str) -> None:
    """Refuse references of another data file. path: of the references, for the message."""
    source = references.source
    if (source.data_digest, source.image_size) != (data.digest, data.image_size):
        raise UserError(
            f"{path} was not scored on {data.path}: their data digests are "
            f"{source.data_digest[:12]} and {data.digest[:12]}; score the references again"
        )


def score_controls(
    data: DataFile,
    heatmaps: HeatmapFile,
    explainers: list[str],
    references: References,
    protocol: Protocol,
    cutoffs: list[float],
    seed: int,
) -> Controls:
    """Controls of these explainers of a heatmap file, in one pass.

    references: of the same data file.  cutoffs: in cycles per image.  seed: of the pairs of images.
    A heatmap is sorted once for both KINDS. Memory does not grow with the images.

    Raises UserError when the heatmaps are of other images or were extracted under another protocol.
    """
    check_belong_together(data, heatmaps, protocol)
    size, rows = data.image_size, heatmaps.rows
    groups = references.groups[rows]
    smoothed = smoothed_explainers(explainers)
    many = len(np.unique(groups)) > 1
    partners = rows[other_image(groups, seed)] if many else rows
    pairs = _Centres(references.ratio[rows], size)
    parts: dict[tuple, list] = {(name, kind): [] for name in explainers for kind in KINDS}
    parts |= {(name, cutoff): [] for name in smoothed for cutoff in cutoffs}
    shares: dict[str, list[np.ndarray]] = {name: [] for name in explainers}
    with progress(None, len(heatmaps), "controls", "image") as bar:
        for start in range(0, len(heatmaps), _BATCH):
            stop = min(start + _BATCH, len(heatmaps))
            own, other = (
                rank(resize_bilinear(human_maps(data, some[start:stop]), size, size))
                for some in (rows, partners)
            )
            met = [pairs.of(start, stop), other]
            for name in explainers:
                raw = heatmaps.maps(name, start, stop, protocol.layer)
                shares[name].append(spectrum(raw))
                found = correlate_several(met, postprocess(protocol, name, raw, size))
                for kind, one in zip(KINDS, found, strict=True):
                    parts[name, kind].append(one)
                for cutoff in cutoffs if name in smoothed else []:
                    smooth = postprocess(protocol, name, low_pass(raw, cutoff), size)
                    parts[name, cutoff].append(correlate(own, smooth))
            bar.update(stop - start)
    whole = {key: _joined(found) for key, found in parts.items()}
    for name in explainers:
        whole[name, CENTRE] = _without(whole[name, CENTRE], ~pairs.known)
        whole[name, OTHER_IMAGE] = _without(whole[name, OTHER_IMAGE], np.full(len(rows), not many))
    return Controls(
        {name: {kind: whole[name, kind] for kind in KINDS} for name in explainers},
        {name: {cutoff: whole[name, cutoff] for cutoff in cutoffs} for name in smoothed},
        {name: _mean_share(np.concatenate(found), groups) for name, found in shares.items()},
    )


class _Centres:
    """The ranked Gaussian of each record; one is ranked for each ratio.

    known: which records have a ratio, (n,) bool.
    """

    def __init__(self, ratio: np.ndarray, size: int):
        self.known = ~np.isnan(ratio)
        ratios, place = np.unique(np.where(self.known, ratio, 1.0), return_inverse=True)
        self._ranks = rank(np.stack([centre(size, one) for one in ratios.tolist()]))
        self._place = place.reshape(-1)

    def of(self, start: int, stop: int) -> Ranks:
        """Of the records from `start` to `stop`, exclusive."""
        return self._ranks.of(self._place[start:stop])


def _joined(parts: list[tuple[np.ndarray, np.ndarray]]) -> Scores:
    rho, status = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Scores(rho, status.astype("<U32"))


def _without(scores: Scores, missing: np.ndarray) -> Scores:
    """Scores in which some records have no other image to be compared with. missing: (n,) bool."""
    return Scores(
        np.where(missing, np.nan, scores.rho), np.where(missing, NO_OTHER_IMAGE, scores.status)
    )


def _mean_share(shares: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, int]:
    """Mean spectrum (b,) over images, and their number. shares: of records, (n, b)."""
    images = image_means(shares.T, groups)
    known = images[:, ~np.isnan(images).any(axis=0)]
    mean = known.mean(axis=1) if known.shape[1] else np.full(len(images), np.nan)
    return mean, known.shape[1]
