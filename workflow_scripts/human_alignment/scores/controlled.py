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


@dataclass(frozen=True)
class ControlledStudy:
    """All networks and explainers, in the paper's order.

    images: of all values, (m,): the row of the first record with their pixels.
    """

    rows: list[Controlled]
    images: np.ndarray

    def differences(self) -> Iterator[tuple[str, pd.DataFrame]]:
        """What networks with DCLS and plain ones are compared in, beside rho: a kind of comparison
        and the values, as `comparisons.read_rho` gives those of rho.
        """
        if self.rows:
            yield GIVEN_CENTRE, self._frame([(one, one.partial) for one in self.rows])
        for cutoff in dict.fromkeys(cutoff for one in self.rows for cutoff in one.smooth):
            kind = f"dcls - plain, up to {cutoff:g} cycle{'' if cutoff == 1 else 's'}"
            have = [(one, one.smooth[cutoff]) for one in self.rows if cutoff in one.smooth]
            yield kind, self._frame(have)

    def _frame(self, values: list[tuple[Controlled, np.ndarray]]) -> pd.DataFrame:
        """Columns network, explainer, image, rho."""
        tables = [
            pd.DataFrame({"image": self.images, "rho": value}).assign(
                network=one.names["network"], explainer=one.names["explainer"]
            )
            for one, value in values
        ]
        return pd.concat(tables, ignore_index=True)


def read_controlled(
    scores: Sequence[Path],
    controls: Sequence[Path],
    references: References,
    twins: Mapping[str, str] | None = None,
) -> ControlledStudy:
    """Scores and controls of all runs that have controls.

    scores: `<folder>/<network>/<run>.csv`, also of runs and explainers without controls.  controls:
    `<folder>/<network>/<run>.controls.h5`.  references: of the same data file.  twins: as
    `pairs.TWINS_FLAG` says.

    Raises UserError when a run has controls but no scores, when its two files and the references
    were not made from the same, and when runs were scored on other images.
    """
    by_run: dict[Run, list[Path]] = {}
    for path in scores:
        by_run.setdefault(Run.of(path), []).append(path)
    names: dict[str, dict] = {}
    runs: dict[tuple[str, str], list[dict]] = {}
    rows = first = None
    for path in controls:
        found = read_controls(path)
        _check_references(path, found, references)
        if rows is None:
            rows, first = found.rows, path
        if not np.array_equal(rows, found.rows):
            raise UserError(
                f"{first} and {path} are of different images; score the controls of all runs on "
                "the same"
            )
        own = [read_scores(other) for other in by_run.get(Run.of(path), [])]
        network = {key: value for key, value in network_of(path, twins).items() if key != "run"}
        names[network["network"]] = network
        for explainer in found.source.explainers:
            values = _of_run(path, found, own, references, explainer)
            runs.setdefault((network["network"], explainer), []).append(values)
    if rows is None:
        return ControlledStudy([], np.zeros(0, np.int64))
    groups = references.groups[rows]
    order = network_order(pd.DataFrame(list(names.values())))
    explainers = explainer_order(explainer for _, explainer in runs)
    return ControlledStudy(
        [
            _averaged(names[name] | {"explainer": explainer}, runs[name, explainer], groups)
            for name in order
            for explainer in explainers
            if (name, explainer) in runs
        ],
        np.unique(groups),
    )


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
