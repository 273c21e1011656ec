"""The pages of the tables explain every column that docs/formats.md names."""

import re

import pytest
import show_table
from human_alignment.outcome.claims_table import COLUMNS
from human_alignment.outcome.claims_table import MEANINGS as OF_CLAIMS
from human_alignment.outcome.columns import MEANINGS, OF_TABLE, meanings
from human_alignment.outcome.table1 import blocks, table1
from human_alignment.scores.measures import MEASURES
from many_networks import references, summary_of, tables_of

SHOWN = sorted(OF_TABLE)  # tables that show_table.py makes pages of


@pytest.fixture(scope="module")
def documented(root):
    """The columns of each table, as docs/formats.md names them."""
    text = (root / "docs" / "formats.md").read_text()
    parts = re.split(r"^### `(?:scores|tables)/(\w+).csv`$", text, flags=re.M)
    found = {}
    for name, body in zip(parts[1::2], parts[2::2], strict=True):
        sentence, _, table = re.split(r"\n##", body)[0].partition("\n| column | |\n")
        cells = re.findall(r"^\|(.*?)\|", table, re.M)
        found[name] = set(re.findall(r"`(\w+)`", " ".join([sentence, *cells])))
    return found


@pytest.mark.parametrize("table", SHOWN)
def test_every_column_of_a_table_is_explained(documented, table):
    columns = documented[table]
    assert len(columns) > 5
    assert set(meanings(table, columns)) == columns
    assert set(OF_TABLE[table]) <= columns  # nothing is explained that is not there


def test_a_column_that_nobody_knows_is_left_out():
    assert meanings("mine", ["model", "hue"]) == {"model": MEANINGS["model"]}


def test_a_column_means_what_its_table_says():
    assert "Mann and Whitney" in meanings("strata", ["p_value"])["p_value"]
    assert "Wilcoxon" in meanings("comparisons", ["p_value"])["p_value"]


def test_every_measure_has_a_word():
    words = re.findall(r"\w+", meanings("measures", ["measure"])["measure"])
    assert set(MEASURES) <= set(words)


def test_columns_of_claims_and_of_table_1_are_explained():
    assert set(COLUMNS.values()) == set(OF_CLAIMS)
    for block in blocks(table1(summary_of(2)), references()):
        assert set(block.header) == set(block.meanings), block.caption


def test_the_page_tells_what_its_columns_mean_and_that_they_sort(tmp_path):
    tables_of(0)["tables/strata.csv"].to_csv(tmp_path / "strata.csv", index=False)
    files = ["--table", str(tmp_path / "strata.csv"), "--output", str(tmp_path / "s.html")]
    show_table.main([*files, "--title", "T"])
    page = (tmp_path / "s.html").read_text()
    header = re.findall(r'<button type="button" title="[^"]+">(\w+)</button>', page)
    assert header == re.findall(r"<dt>(\w+)</dt><dd>[^<]+</dd>", page)
    assert header == (tmp_path / "strata.csv").read_text().split("\n")[0].split(",")
    assert "A click on a column’s name sorts the rows." in page
