"""The columns that docs/formats.md names are those that a finished study's tables have."""

import csv
import re

import pandas as pd
import pytest

PLACES = {  # what stands for a name, and what it may be
    "<explainer>": "(grad_cam|threshold_grad_cam|saliency)",
    "<measure>": "(auc_judd|pearson|sim)",
    "<status>": "(constant_human_map|constant_heatmap|nonfinite_heatmap)",
    "<end>": "(low|high|sd|n)",
}


@pytest.fixture(scope="module")
def results(workflow, study):
    return workflow.work / "results" / study["study"]


@pytest.fixture(scope="module")
def sections(root):
    """The text under each file's name."""
    text = (root / "docs" / "formats.md").read_text()
    parts = re.split(r"^### `(.*)`$", text, flags=re.M)
    bodies = [part.split("\n## ")[0] for part in parts[2::2]]
    return dict(zip(parts[1::2], bodies, strict=True))


def named(section):
    """Columns of a section: of its sentence, and of the first cells of its table."""
    sentence, _, table = section.partition("\n| column | |\n")
    cells = re.findall(r"^\|(.*?)\|", table, re.M)
    columns = re.findall(r"`([^`]+)`", " ".join([sentence, *cells]))
    return columns


def header(path):
    """The columns of a file."""
    if path.suffix == ".parquet":
        return list(pd.read_parquet(path).columns)
    with open(path, newline="") as stream:
        return next(csv.reader(stream))


def pattern(column):
    """A column as it is named, as a regular expression."""
    found = re.escape(column)
    for name, words in PLACES.items():
        found = found.replace(re.escape(name), words)
    return found


def test_columns_are_those_of_the_files(results, sections):
    for name, section in sections.items():
        found = name.replace("<model>", "convnext_tiny_dcls").replace("<run>", "seed0")
        columns, patterns = header(results / found), list(map(pattern, named(section)))
        for column in columns:
            assert any(re.fullmatch(one, column) for one in patterns), f"{name} lacks {column}"
        for one in patterns:
            assert any(re.fullmatch(one, column) for column in columns), f"{name} has no {one}"


def test_every_table_is_there(results, sections):
    written = {
        path.relative_to(results).as_posix()
        for folder in ("scores", "tables")
        for path in (results / folder).glob("*.csv")
    }
    assert len(written) > 15
    assert written - {"scores/references.csv"} == {  # the same columns as in tables/
        name for name in sections if "<" not in name
    }


def test_columns_of_several_tables_are_explained_once(root, sections):
    text = (root / "docs" / "formats.md").read_text()
    common = text.split("## Tables")[1].split("\n### ")[0]
    known = set(re.findall(r"`(\w+)`", common))
    for name, section in sections.items():
        sentence, _, table = section.partition("\n| column | |\n")
        if name.endswith(".csv") and "weights" not in name:
            own = re.findall(r"`(\w+)`", sentence)
            assert set(own) <= known, name
            assert not known.intersection(re.findall(r"^\| `(\w+)`", table, re.M)), name
