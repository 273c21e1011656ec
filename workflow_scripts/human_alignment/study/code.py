"""The digest of a script's code, which tells Snakemake when a job's code has changed.

Snakemake does not look into scripts that a shell command calls. Each rule therefore carries this
digest of its script and of every module of ours that the script imports as a parameter. It is
taken of the syntax, without comments, docstrings and formatting, and of nothing outside the files:
a touch or a fresh clone leaves it as it is.
"""

import ast
import contextlib
import functools
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator
from importlib.util import cache_from_source
from pathlib import Path

from ..common.files import write_json

PACKAGE = "human_alignment"
_BLOCKS = ("body", "orelse", "handlers", "finalbody", "cases")  # what holds statements
# Error messages and progress bars change no result; an edit there re-runs nothing.
QUIET = frozenset({f"{PACKAGE}/common/cli.py"})
_THIS_MODULE = Path(__file__).read_bytes()


def code_digest(scripts: Path, name: str, templates: Iterable[str] = ()) -> str:
    """Twelve hexadecimal digits of a script's code.

    scripts: the folder that holds the scripts and the package.  name: the script's file name.
    templates: files of the package that the script fills, as paths below the package, and other
    files that it reads, as absolute paths.
    Raises FileNotFoundError when a file does not exist, SyntaxError when one is not Python.
    """
    files = sorted(imported(scripts, scripts / name))
    total = hashlib.sha256()
    for path in files:
        if path.relative_to(scripts).as_posix() not in QUIET:
            total.update(syntax_digest(path))
    for template in templates:
        total.update(hashlib.sha256((scripts / PACKAGE / template).read_bytes()).digest())
    return total.hexdigest()[:12]


def imported(scripts: Path, script: Path) -> set[Path]:
    """The script and all files of ours that it imports, directly or through others."""
    found, todo = {script}, [script]
    for path in todo:
        new = direct_imports(scripts, path) - found
        found |= new
        todo += new
    return found


@functools.cache
def direct_imports(scripts: Path, path: Path) -> frozenset[Path]:
    """Our own files that one file imports by an import statement."""
    return frozenset(
        file
        for name in _names(_facts(path)["imports"], path, scripts)
        if (file := scripts.joinpath(*name.split(".")).with_suffix(".py")).is_file()
    )


def _names(imports: Iterable[list], path: Path, scripts: Path) -> Iterator[str]:
    """Absolute dotted names of what may be modules; `from a import b` names both a and a.b."""
    for level, module, names in imports:
        base = [module] if module else []
        if level:
            base = [*path.parents[level - 1].relative_to(scripts).parts, *base]
        yield ".".join(base)
        yield from (".".join([*base, name]) for name in names)


def syntax_digest(path: Path) -> bytes:
    """SHA-256 of a Python file's syntax tree."""
    return bytes.fromhex(_facts(path)["syntax"])


@functools.cache
def _facts(path: Path) -> dict:
    """What a file imports and the digest of its syntax, kept beside its bytecode.

    To parse all files takes a third of a start of Snakemake, and each job of a cluster has one.
    What is kept counts for this text alone, and for this version of Python and of this module.
    """
    source = path.read_bytes()
    of = hashlib.sha256(_THIS_MODULE + source).hexdigest()
    kept = Path(cache_from_source(path)).with_suffix(".syntax")
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError):  # none, or damaged
        facts = json.loads(kept.read_bytes())
        if facts["of"] == of:
            return facts
    tree, parts = ast.parse(source, str(path)), []
    _add_text(tree, parts)
    syntax = hashlib.sha256("".join(parts).encode()).hexdigest()
    facts = {"of": of, "imports": list(_imports(tree)), "syntax": syntax}
    if not sys.dont_write_bytecode:
        with contextlib.suppress(OSError):  # the folder may be another's
            write_json(kept, facts)
    return facts


def _imports(tree: ast.Module) -> Iterator[tuple[int, str, list[str]]]:
    """Each import statement: its leading dots, the module, and the names taken of it."""
    statements: list[ast.AST] = [tree]
    for node in statements:
        for block in _BLOCKS:
            statements += getattr(node, block, ())
        if isinstance(node, ast.Import):
            yield from ((0, alias.name, []) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.level, node.module or "", [alias.name for alias in node.names]


def _add_text(node: object, parts: list[str]) -> None:
    """Append a syntax tree as text: to a list, because nested generators take longer.

    Empty fields are left out, because newer versions of Python add such fields, and statements
    that are only a string, because they do nothing: docstrings are among them.
    """
    if isinstance(node, ast.AST):
        parts.append(f"({type(node).__name__}")
        for name in node._fields:
            value = getattr(node, name, None)
            if value is not None and value != []:
                parts.append(f" {name}=")
                _add_text(value, parts)
        parts.append(")")
    elif isinstance(node, list):
        parts.append("[")
        for item in node:
            if not _is_string_statement(item):
                _add_text(item, parts)
        parts.append("]")
    else:
        parts.append(repr(node))


def _is_string_statement(node: object) -> bool:
    constant = node.value if isinstance(node, ast.Expr) else None
    return isinstance(constant, ast.Constant) and isinstance(constant.value, str)
