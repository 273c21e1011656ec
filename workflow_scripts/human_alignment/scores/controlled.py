"""Scores of a study beside their controls, image by image: what skill, partial correlations and
smoothness are computed from.

The runs of a network are averaged first, then the records of an image. A record that is undefined
in any run is undefined. Rho enters as the protocol's `constant_maps` says.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..common.cli import UserError
from ..common.paths import Run
from .control_file import ControlFile, read_controls
from .controls import OTHER_IMAGE
from .image_means import image_means
from .image_values import ImageValues, Values
from .pairs import network_of, network_order
from .postprocess import entering
from .protocol import Protocol
from .reference_file import CENTRE, References
from .score_file import ScoreFile, read_scores
from .skill import partial_correlation
from .summary import explainer_order

GIVEN_CENTRE = "dcls - plain, given the centre"
_SHARED = ("data_digest", "weights_digest", "images", "sampled", "protocol")


@dataclass(frozen=True)
class Controlled:
    """One network and explainer: values of m images, (m,), NaN where undefined.

    names: the columns `pairs.NETWORK`, and explainer.  rho: of heatmap and human map.  centre: of
    the centred Gaussian and the human map.  other_image: of the heatmap and another image's human
    map.  partial: of heatmap and human map, given the Gaussian.  smooth: rho by cut-off in cycles
    per image, empty where it was not measured.  spectrum: share of each band, (b,), over
    `spectrum_n` images.
    """

    names: dict
    rho: np.ndarray
    centre: np.ndarray
    other_image: np.ndarray
    partial: np.ndarray
    smooth: dict[float, np.ndarray]
    spectrum: np.ndarray
    spectrum_n: int


class ControlledStudy:
    """Scores and controls of all runs that have controls, read network by network.

    scores: score files `<folder>/<network>/<run>.parquet`, also of runs and explainers without
    controls.  controls: `<folder>/<network>/<run>.controls.h5`.  references: of the same data file.
    twins: as `pairs.TWINS_FLAG` says.

    What reads raises UserError when a run has controls but no scores, when its two files and the
    references were not made from the same, and when runs were scored on other images.
    """

    def __init__(
        self,
        scores: Sequence[Path],
        controls: Sequence[Path],
        references: References,
        twins: Mapping[str, str] | None = None,
    ):
        self._references = references
        self._scores: dict[Run, list[Path]] = {}
        for path in scores:
            self._scores.setdefault(Run.of(path), []).append(path)
        self._controls: dict[str, list[Path]] = {}
        self._names: dict[str, dict] = {}
        for path in controls:
            names = {key: value for key, value in network_of(path, twins).items() if key != "run"}
            self._names[names["network"]] = names
            self._controls.setdefault(names["network"], []).append(path)
        self._first: tuple[Path, np.ndarray] | None = None  # of whose images all must be

    @property
    def networks(self) -> list[str]:
        """Names of the networks with controls, in the paper's order."""
        return network_order(pd.DataFrame(list(self._names.values()))) if self._names else []

    def rows(self) -> Iterator[Controlled]:
        """All networks and explainers, in the paper's order; one network is held at a time."""
        for network in self.networks:
            yield from self.of(network)

    def of(self, network: str) -> list[Controlled]:
        """One network by explainer; nothing of a network without controls."""
        runs: dict[str, list[dict]] = {}
        for path in self._controls.get(network, []):
            found = read_controls(path)
            _check_references(path, found, self._references)
            self._check_images(path, found.rows)
            own = [read_scores(other) for other in self._scores.get(Run.of(path), [])]
            for explainer in found.source.explainers:
                values = _of_run(path, found, own, self._references, explainer)
                runs.setdefault(explainer, []).append(values)
        return [
            _averaged(
                self._names[network] | {"explainer": explainer},
                runs[explainer],
                self._references.groups[self._first[1]],
            )
            for explainer in explainer_order(runs)
        ]

    def _check_images(self, path: Path, rows: np.ndarray) -> None:
        self._first = self._first or (path, rows)
        if not np.array_equal(self._first[1], rows):
            raise UserError(
                f"{self._first[0]} and {path} are of different images; score the controls of all "
                "runs on the same"
            )

    def compared(self, network: str) -> Values:
        """What a network with DCLS and its plain twin are compared in, beside rho: values of
        images by the kind of comparison and the explainer.
        """
        found: Values = {}
        for one in self.of(network):
            explainer = one.names["explainer"]
            images = np.unique(self._references.groups[self._first[1]])
            found[GIVEN_CENTRE, explainer] = ImageValues(images, one.partial)
            for cutoff, values in one.smooth.items():
                kind = f"dcls - plain, up to {cutoff:g} cycle{'' if cutoff == 1 else 's'}"
                found[kind, explainer] = ImageValues(images, values)
        return found


def _check_references(path: Path, found: ControlFile, references: References) -> None:
    """Refuse controls that did not meet the Gaussians of these references."""
    made_from = ((one.source.data_digest, one.source.protocol) for one in (found, references))
    if len(set(made_from)) > 1 or not np.array_equal(
        found.ratio, references.ratio[found.rows], equal_nan=True
    ):
        raise UserError(
            f"{path} was not made with these references; score the controls again with "
            "score_controls.py"
        )


def _of_run(
    path: Path,
    found: ControlFile,
    scores: list[ScoreFile],
    references: References,
    explainer: str,
) -> dict:
    """Values of the records of one run and explainer, by the fields of `Controlled`."""
    own = next((one for one in scores if explainer in one.source.explainers), None)
    if own is None:
        raise UserError(
            f"{path} has controls of {explainer}, but no score file of {Run.of(path)} has its "
            "scores; give all score files"
        )
    for field in _SHARED:
        if getattr(own.source, field) != getattr(found.source, field):
            raise UserError(
                f"{own.path} and {path} were not made from the same: {field} differs; score both "
                "again"
            )
    protocol = found.source.protocol
    rho = _entering(protocol, own.scores[explainer])
    kinds = found.controls.scores[explainer]
    heatmap_centre = _entering(protocol, kinds[CENTRE])
    human_centre = _entering(protocol, references.scores[CENTRE])[found.rows]
    smooth = found.controls.smooth.get(explainer, {})
    spectrum, count = found.controls.spectra[explainer]
    return {
        "rho": rho,
        "centre": human_centre,
        "other_image": _entering(protocol, kinds[OTHER_IMAGE]),
        "partial": partial_correlation(rho, heatmap_centre, human_centre),
        "smooth": {cutoff: _entering(protocol, one) for cutoff, one in smooth.items()},
        "spectrum": spectrum,
        "spectrum_n": count,
    }


def _entering(protocol: Protocol, scores) -> np.ndarray:
    return entering(protocol, scores.rho, scores.status)


def _averaged(names: dict, runs: list[dict], groups: np.ndarray) -> Controlled:
    """A network's values over its runs, and then over the records of each image."""

    def mean(values: list[np.ndarray]) -> np.ndarray:
        return image_means(np.mean(values, axis=0), groups)

    fields = ("rho", "centre", "other_image", "partial")
    shared = [
        cutoff for cutoff in runs[0]["smooth"] if all(cutoff in one["smooth"] for one in runs)
    ]
    return Controlled(
        names,
        **{field: mean([one[field] for one in runs]) for field in fields},
        smooth={cutoff: mean([one["smooth"][cutoff] for one in runs]) for cutoff in shared},
        spectrum=np.mean([one["spectrum"] for one in runs], axis=0),
        spectrum_n=min(one["spectrum_n"] for one in runs),
    )
