"""What a config file must be before its keys count: readable, and no key twice in one mapping."""

from pathlib import Path

import yaml

from ..common.cli import UserError
from ..common.records import shown

_MERGE = "tag:yaml.org,2002:merge"


def check_config_file(path: Path | str) -> None:
    """Check the text of a config file, YAML or JSON.

    YAML readers, Snakemake's too, keep the last of two equal keys and do not say so.

    Raises UserError when the file cannot be read, is no YAML, holds no mapping, or has a key twice;
    the message names the key and both lines.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"the config file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UserError(
            f"the config file {path} is not UTF-8 (byte {error.start}); save it as UTF-8"
        ) from None
    try:
        # Tabs as spaces: JSON may hold them, and Snakemake reads both.
        root = yaml.compose(text.expandtabs(), Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        place = f" at line {where.line + 1}" if where else ""
        reason = getattr(error, "problem", None) or getattr(error, "reason", None)
        raise UserError(f"the config file {path} is no YAML{place}: {reason}") from None
    except RecursionError:
        raise UserError(f"the config file {path} is nested too deeply") from None
    if not isinstance(root, yaml.MappingNode):
        raise UserError(
            f"the config file {path} holds no keys; it begins like `study: my_study`, as "
            "config.yaml does"
        )
    problems: list[str] = []
    _search(root, (), set(), problems)
    if problems:
        raise UserError(f"the config file {path} cannot be used:\n  " + "\n  ".join(problems[:10]))


def _search(node: yaml.Node, above: tuple[str, ...], seen: set[int], problems: list[str]) -> None:
    """Collect keys that stand twice. A node that several aliases name is looked at once."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for place, value in enumerate(node.value):
            _search(value, (*above, str(place)), seen, problems)
    if not isinstance(node, yaml.MappingNode):
        return
    lines: dict[tuple, int] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            problems.append(f"line {key.start_mark.line + 1}: a key must be text")
            continue
        name, line = (key.tag, key.value), key.start_mark.line + 1
        if name in lines and key.tag != _MERGE:
            where = ".".join(above) or "top level"
            problems.append(
                f"{where}: the key {shown(key.value)} stands twice, in lines {lines[name]} and "
                f"{line}; keep one"
            )
        lines.setdefault(name, line)
        _search(value, (*above, key.value[:40]), seen, problems)
