"""Write `config/README.md`, the reference of the configuration, from `schemas/config.schema.yaml`.

Snakemake's workflow catalogue looks for such a file there, and the site of documentation shows it.
"""

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = ROOT / "config" / "README.md"
PACKAGE = "../workflow_scripts/human_alignment"
HEADER = f"""\
# Configuration

*Written by `make docs` from [the schema](../schemas/config.schema.yaml), by which every config is
checked before any job; an unknown key is an error.*

The Snakemake workflow reads `config.yaml`, which holds the paper's study with a comment at every
key. Another study is another file: `snakemake --configfile mine.yaml`, with a name of its own under
`study`. It needs `study`, `data`, `models` and the section of its data set; all other keys have the
defaults below. [Your own images and human maps](../docs/data.md) shows a whole config in ten
lines. Single values can be given on the command line too: `--config partial=true`.

Some sections hold records, whose fields the package explains:
[`Recipe`]({PACKAGE}/training/recipe.py) under `recipes`, [`Network`]({PACKAGE}/networks/records.py)
under `networks`, and [`Protocol`]({PACKAGE}/scores/protocol.py) under `protocol`, on which there is
[a page](../docs/protocols.md) with the formulas.
"""
TABLE = "| key | value | default | |\n|---|---|---|---|\n"
WORDS = {"integer": "whole number", "number": "number", "boolean": "true or false"}
WORDS |= {"string": "text", "null": "null", "object": "mapping"}


def resolved(node: dict, schema: dict) -> dict:
    """A node of the schema with what its `$ref` names; its own words win."""
    if "$ref" not in node:
        return node
    return schema["$defs"][node["$ref"].rpartition("/")[2]] | node


def value(node: dict, schema: dict) -> str:
    """In words which values a node allows."""
    node = resolved(node, schema)
    if "enum" in node:
        return ", ".join(f"`{word}`" for word in node["enum"])
    types = node["type"] if isinstance(node["type"], list) else [node["type"]]
    return " or ".join(one(kind, node, schema) for kind in sorted(types, key="null".__ne__))


def one(kind: str, node: dict, schema: dict) -> str:
    """In words which values of one type a node allows."""
    if kind == "array":
        return f"list: {value(node['items'], schema)}"
    if kind == "object" and isinstance(inner := node.get("additionalProperties"), dict):
        return f"mapping of names; of each: {value(inner, schema)}"
    if kind == "string" and "$comment" in node:
        return escaped(node["$comment"])
    return WORDS[kind] + (interval(node) if kind in ("integer", "number") else "")


def interval(node: dict) -> str:
    """In words the ends of a number."""
    low = f"from {node['minimum']}" if "minimum" in node else f"above {node['exclusiveMinimum']}"
    return f" {low} to {node['maximum']:,}"


def escaped(text: str) -> str:
    """Plain text as Markdown; what stands between backticks is code and stays as it is."""
    parts = text.split("`")
    parts[::2] = [re.sub(r"([*_<>|\[\]])", r"\\\1", part) for part in parts[::2]]
    return "`".join(parts)


def sentence(text: str) -> str:
    """A description as a paragraph of its own, with links to the documents that it names."""
    text = re.sub(r"docs/(\w+\.md)", r"[\1](../docs/\1)", text)
    return f"{text[0].upper()}{text[1:]}."


def rows(prefix: str, node: dict, schema: dict) -> Iterator[str]:
    """A row of the table for each key of a section, those of its parts after a point."""
    for name, inner in node["properties"].items():
        inner, key = resolved(inner, schema), f"{prefix}{name}"
        if "default" in inner:
            default = f"`{json.dumps(inner['default'])}`"
        else:
            default = "*required*" if name in node.get("required", []) else ""
        words = escaped(inner["description"])
        yield f"| `{key}` | {value(inner, schema)} | {default} | {words} |\n"
        if "properties" in inner:
            yield from rows(f"{key}.", inner, schema)


def page(schema: dict) -> str:
    """The reference as Markdown."""
    sections = {k: v for k, v in schema["properties"].items() if "properties" in v}
    single = {k: v for k, v in schema["properties"].items() if k not in sections}
    parts = [HEADER, "\n## Keys at the top\n\n", TABLE]
    parts += rows("", {"properties": single, "required": schema["required"]}, schema)
    parts += ["\n## A model, under `models`\n\n", TABLE]
    parts += rows("", schema["$defs"]["model"], schema)
    for name, section in sections.items():
        parts += [f"\n## `{name}`\n\n{sentence(section['description'])}\n\n", TABLE]
        parts += rows("", section, schema)
    return "".join(parts)


def main(argv: list[str] | None = None) -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    output = parser.parse_args(argv).output
    schema = yaml.safe_load((ROOT / "schemas" / "config.schema.yaml").read_text())
    output.write_text(page(schema))


if __name__ == "__main__":
    main()
