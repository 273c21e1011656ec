"""The reference of the configuration is that of the schema."""

import re

import pytest
import yaml


@pytest.fixture(scope="module")
def schema(root):
    return yaml.safe_load((root / "schemas" / "config.schema.yaml").read_text())


@pytest.fixture
def configuration(root, monkeypatch):
    monkeypatch.syspath_prepend(root / "docs")
    import configuration

    return configuration


def keys(node, schema, prefix=""):
    """Every key of a part of the schema, with its node."""
    for name, inner in node.get("properties", {}).items():
        yield f"{prefix}{name}", inner
        yield from keys(inner, schema, f"{prefix}{name}.")


def test_the_committed_page_is_what_the_schema_gives(root, configuration, tmp_path):
    configuration.main(["--output", str(tmp_path / "page.md")])
    committed = (root / "config" / "README.md").read_text()
    assert committed == (tmp_path / "page.md").read_text(), "run: python docs/configuration.py"


def test_every_key_is_described_and_shown(root, schema):
    page = (root / "config" / "README.md").read_text()
    every = [*keys(schema, schema), *keys(schema["$defs"]["model"], schema)]
    assert len(every) > 90
    for name, node in every:
        assert node.get("description"), f"{name} has no description"
        section, _, rest = name.partition(".")
        assert f"| `{name}` |" in page or f"| `{rest}` |" in page or f"## `{name}`\n" in page, name


def test_values_and_defaults_are_in_words(configuration):
    section = {
        "properties": {
            "side": {"type": "integer", "minimum": 1, "maximum": 4096, "description": "a | b_c"},
            "share": {
                "type": ["number", "null"],
                "exclusiveMinimum": 0,
                "maximum": 1,
                "default": None,
                "description": "`x_y` of <it>",
            },
            "words": {
                "type": "array",
                "items": {"$ref": "#/$defs/word"},
                "default": ["a"],
                "description": "d",
            },
        },
        "required": ["side"],
    }
    schema = {"$defs": {"word": {"enum": ["a", "b"]}}}
    assert list(configuration.rows("", section, schema)) == [
        "| `side` | whole number from 1 to 4,096 | *required* | a \\| b\\_c |\n",
        "| `share` | null or number above 0 to 1 | `null` | `x_y` of \\<it\\> |\n",
        '| `words` | list: `a`, `b` | `["a"]` | d |\n',
    ]


def test_a_table_has_as_many_cells_in_each_row(root):
    for line in (root / "config" / "README.md").read_text().splitlines():
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) == 5, line
