"""Write down what a study is made of: data, networks, protocol, config and software versions.

As a page for readers (HTML) and as JSON for programs.
"""

import argparse
import platform
from collections import Counter
from importlib.metadata import distributions
from pathlib import Path

import pandas as pd
import yaml
from human_alignment.common.cli import json_object, run
from human_alignment.common.files import write_json, written_whole
from human_alignment.data.data_file import DataFile
from human_alignment.heatmaps.heatmap_file import HeatmapFile
from human_alignment.outcome.pages import as_text, folded, paragraph, table, table_page
from human_alignment.scores.protocol import PROTOCOL_HELP, protocol_argument


def described_data(path: Path) -> dict:
    """The data file: what it is, how many images, which were left out."""
    with DataFile(path) as data:
        return {
            "dataset": data.dataset,
            "description": data.description,
            "images": len(data),
            "classes": data.num_classes,
            "image size": data.image_size,
            "left out": dict(Counter(entry["reason"] for entry in data.skipped)),
            "digest": data.digest,
        }


def described_run(path: Path) -> dict:
    """One run, as its heatmap file knows it; its name is in the path."""
    with HeatmapFile(path) as heatmaps:
        return {
            "network": path.parent.name,
            "run": path.stem,
            "parameters": heatmaps.parameters,
            "explainers": ", ".join(heatmaps.explainers),
            "geometry": heatmaps.geometry,
            "extracted with": heatmaps.versions,
            "weights digest": heatmaps.weights_digest,
        }


def software() -> dict[str, str]:
    """Versions of Python and of every package installed here."""
    packages = {found.metadata["Name"]: found.version for found in distributions()}
    return {
        "Python": platform.python_version(),
        "platform": platform.platform(),
        **dict(sorted(packages.items(), key=lambda item: item[0].lower())),
    }


def listed(values: dict, first: str, second: str) -> pd.DataFrame:
    """A mapping as a table of two columns."""
    rows = [
        (key, str(value) if value not in ({}, None) else "none") for key, value in values.items()
    ]
    return pd.DataFrame(rows, columns=[first, second])


def page(record: dict) -> str:
    """The record for readers."""
    config = yaml.safe_dump(record["config"], sort_keys=True, allow_unicode=True)
    versions = listed(record["software"], "package", "version")
    return table_page(
        f"What the study {record['config']['study']} is made of",
        paragraph(record["config"].get("note", "")),
        folded("Data", table(listed(record["data"], "property", "value"), "data"), True),
        folded("Networks", table(pd.DataFrame(record["runs"]), "networks"), True),
        folded("Protocol", table(listed(record["protocol"], "field", "value"), "protocol"), True),
        folded("Config, with defaults filled in", f"<pre>{as_text(config)}</pre>"),
        folded(f"Software, {len(versions)} entries", table(versions, "software")),
    )


def main(argv: list[str] | None = None) -> None:
    """Parse, gather, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--config", type=json_object, required=True, help="the config, as JSON")
    parser.add_argument("--protocol", type=protocol_argument, required=True, help=PROTOCOL_HELP)
    parser.add_argument("--data", type=Path, required=True, help="data file")
    parser.add_argument("--heatmaps", nargs="+", type=Path, required=True, help="of all runs")
    parser.add_argument("--output", required=True, help="page to write (.html)")
    parser.add_argument("--record", required=True, help="the same to write as .json")
    arguments = parser.parse_args(argv)
    record = {
        "config": arguments.config,
        "protocol": arguments.protocol.as_dict(),
        "data": described_data(arguments.data),
        "runs": [described_run(path) for path in arguments.heatmaps],
        "software": software(),
    }
    with written_whole(arguments.output) as partial:
        partial.write_text(page(record), encoding="utf-8")
    write_json(arguments.record, record)


if __name__ == "__main__":
    run(main)
