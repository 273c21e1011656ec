"""What a study is made of, as a record and a page: data, networks, protocol, config, software."""

import contextlib
import platform
from collections import Counter
from importlib.metadata import distributions
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from pydantic import ConfigDict

from ..common.paths import Run
from ..common.records import Record, checked, read_json
from ..data.data_file import DataFile
from ..scores.protocol import Protocol
from .page_tables import Table
from .pages import STUDY_PAGE, render


def study_record(
    config: dict,
    protocol: Protocol,
    data: Path,
    sources: list[Path],
    training: Path | None = None,
) -> dict:
    """All of it as plain values, to be written as JSON. config: with its defaults.

    sources: what the scores of each run were made from, `<network>/<run>.source.json`.
    training: the data set's training file, if it has one.
    """
    return {
        "config": config,
        "protocol": protocol.as_dict(),
        "data": described_data(data, training),
        "runs": [described_run(path) for path in sources],
        "software": software(),
    }


def described_data(path: Path, training: Path | None = None) -> dict:
    """What a data file holds, and how many entries it leaves out, by reason.

    training: the training file, whose images are counted in the data file.
    """
    with contextlib.ExitStack() as stack:
        data = stack.enter_context(DataFile(path))
        _, counts = np.unique(data.groups, return_counts=True)
        shared = {}
        if training:
            others = stack.enter_context(DataFile(training))
            shared = {"records that show an image of the training file": data.shared_with(others)}
        return {
            "dataset": data.dataset,
            "description": data.description,
            "images": len(counts),
            "records": len(data),
            "images in several records": int(np.sum(counts > 1)),
            **shared,
            "classes": data.num_classes,
            "image size": data.image_size,
            "human ceiling": data.human_ceiling,
            "left out": dict(Counter(entry["reason"] for entry in data.skipped)),
            "digest": data.digest,
        }


_DATA = {"property": "what is told of the data file", "value": "as the file has it"}
_NETWORKS = {
    "network": "name of the network",
    "run": "which weights: published, or those of a training by its seed",
    "parameters": "learnt values of the network",
    "explainers": "whose heatmaps are scored",
    "geometry": "crop: each network sees the image as its own evaluation transform crops it; "
    "full: the whole image",
    "extracted with": "versions of the software that made the heatmaps",
    "weights digest": "SHA-256 of the weights",
}
_PROTOCOL = {"field": "one step of the scoring", "value": "how the study does it"}
_SOFTWARE = {"package": "installed where this page was made", "version": "of the package"}


class _Source(Record):
    """The fields that the page shows of what scores were made from."""

    model_config = ConfigDict(extra="ignore")

    parameters: int
    explainers: list[str]
    protocol: Protocol
    versions: str
    weights_digest: str


def described_run(path: Path) -> dict:
    """One run, from what its scores were made from, `<network>/<run>.source.json`.

    Raises UserError that names the file where it is damaged.
    """
    found = checked(_Source, str(path), read_json(path))
    return {
        "network": Run.of(path).model,
        "run": path.name.removesuffix(".source.json"),
        "parameters": found.parameters,
        "explainers": ", ".join(found.explainers),
        "geometry": found.protocol.geometry,
        "extracted with": found.versions,
        "weights digest": found.weights_digest,
    }


def software() -> dict[str, str]:
    """Versions of Python and of every package installed in this environment."""
    packages = {found.metadata["Name"]: found.version for found in distributions()}
    return {
        "Python": platform.python_version(),
        "platform": platform.platform(),
        **dict(sorted(packages.items(), key=lambda item: item[0].lower())),
    }


def study_page(record: dict) -> str:
    """The record as a page for readers."""
    config = record["config"]
    return render(
        STUDY_PAGE,
        title=f"What the study {config['study']} is made of",
        note=config.get("note", ""),
        tables={
            "Data": Table.of_mapping(record["data"], *_DATA).explained(_DATA),
            "Networks": Table.of_frame(pd.DataFrame(record["runs"])).explained(_NETWORKS),
            "Protocol": Table.of_mapping(record["protocol"], *_PROTOCOL).explained(_PROTOCOL),
        },
        config=yaml.safe_dump(config, sort_keys=True, allow_unicode=True),
        software=Table.of_mapping(record["software"], *_SOFTWARE).explained(_SOFTWARE),
    )
