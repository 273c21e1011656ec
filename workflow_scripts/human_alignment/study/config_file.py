"""What a config file must be before its keys count: readable, and no key twice in one mapping."""

from pathlib import Path

import yaml

from ..common.cli import UserError
from ..common.records import shown

_MERGE = "tag:yaml.org,2002:merge"
_MOST_DIGITS = 4000  # of a number; Python refuses to read one of more than 4,300


def check_config_file(path: Path | str) -> None:
    """Check the text of a config file, YAML or JSON.

    YAML readers, Snakemake's too, keep the last of two equal keys and do not say so.

    Raises UserError when the file cannot be read, is no YAML, holds no mapping, or has a key twice;
    the message names the key and both lines. Also where a value holds itself, by an alias.
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
    _search(root, (), (), set(), problems)
    if problems:
        raise UserError(f"the config file {path} cannot be used:\n  " + "\n  ".join(problems[:10]))


def _search(
    node: yaml.Node, above: tuple, inside: tuple, seen: set[int], problems: list[str]
) -> None:
    """Collect what readers choke on or do not tell: above all, keys that stand twice.

    above: keys on the way to the node.  inside: identities of the nodes that hold it.  seen: of
    nodes that were looked at; one that several aliases name is looked at once.
    """
    where = ".".join(above)[-200:] or "top level"
    if id(node) in inside:
        problems.append(f"{where}: an anchor that holds itself")
    if id(node) in seen:
        return
    seen.add(id(node))
    inside = (*inside, id(node))
    match node:
        case yaml.ScalarNode():
            digits = node.value.strip("+-_0123456789") == ""
            if digits and len(node.value) > _MOST_DIGITS:
                problems.append(f"{where}: a number of more than {_MOST_DIGITS:,} digits")
        case yaml.SequenceNode():
            for place, value in enumerate(node.value):
                _search(value, (*above, str(place)), inside, seen, problems)
        case yaml.MappingNode():
            lines: dict[tuple, int] = {}
            for key, value in node.value:
                line = key.start_mark.line + 1
                if not isinstance(key, yaml.ScalarNode):
                    problems.append(f"line {line}: a key must be text")
                    continue
                name = key.tag, key.value
                if name in lines and key.tag != _MERGE:
                    problems.append(
                        f"{where}: the key {shown(key.value)} stands twice, in lines "
                        f"{lines[name]} and {line}; keep one"
                    )
                lines.setdefault(name, line)
                _search(value, (*above, key.value), inside, seen, problems)
