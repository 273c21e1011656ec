"""The digest of a script's code, which tells Snakemake when a job's code has changed.

Snakemake does not look into scripts that a shell command calls. Each rule therefore carries this
digest of its script and of every module of ours that the script imports as a parameter. It is
taken of the syntax, without comments, docstrings and formatting, and of nothing outside the files:
a touch or a fresh clone leaves it as it is.
"""

import ast
import functools
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

PACKAGE = "human_alignment"
_BLOCKS = ("body", "orelse", "handlers", "finalbody", "cases")  # what holds statements
# Error messages and progress bars change no result; an edit there re-runs nothing.
QUIET = frozenset({f"{PACKAGE}/common/cli.py"})


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
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes(), str(path))


@functools.cache
def direct_imports(scripts: Path, path: Path) -> frozenset[Path]:
    """Our own files that one file imports by an import statement."""
    return frozenset(
        file
        for name in _names(_tree(path), path, scripts)
        if (file := scripts.joinpath(*name.split(".")).with_suffix(".py")).is_file()
    )


def _names(tree: ast.Module, path: Path, scripts: Path) -> Iterator[str]:
    """Absolute dotted names of what may be modules; `from a import b` names both a and a.b."""
    statements: list[ast.AST] = [tree]
    for node in statements:
        for block in _BLOCKS:
            statements += getattr(node, block, ())
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = [node.module] if node.module else []
            if node.level:
                base = [*path.parents[node.level - 1].relative_to(scripts).parts, *base]
            yield ".".join(base)
            yield from (".".join([*base, alias.name]) for alias in node.names)


@functools.cache
def syntax_digest(path: Path) -> bytes:
    """SHA-256 of a Python file's syntax tree."""
    parts: list[str] = []
    _add_text(_tree(path), parts)
    return hashlib.sha256("".join(parts).encode()).digest()


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
