"""Small tables of plain text in Markdown, LaTeX and HTML."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Block:
    """Cells of one table as plain Unicode text; the first column names each row.

    caption: what the table shows; shown in HTML only.  numeric: cells after the first column are
    numbers or single words, to be set flush right.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    numeric: bool = True


def to_markdown(parts: list[Block], remarks: list[str]) -> str:
    """Pipe tables with padded columns, readable in a terminal as they are, and notes below."""
    text = []
    for block in parts:
        lines = [[cell.replace("|", "\\|") for cell in row] for row in (block.header, *block.rows)]
        widths = [max(3, *map(len, column)) for column in zip(*lines, strict=True)]
        lines.insert(1, ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])])
        for cells in lines:
            padded = [cells[0].ljust(widths[0])]
            padded += [cell.rjust(w) for cell, w in zip(cells[1:], widths[1:], strict=True)]
            text.append(f"| {' | '.join(padded)} |")
        text.append("")
    return "\n".join([*text, *(f"- {remark}" for remark in remarks)]) + "\n"


_LATEX = {c: f"\\{c}" for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "|": r"\textbar{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "±": r"$\pm$",
    "†": r"$^{\dagger}$",
    "ρ": r"$\rho$",
}


def latex_text(text: str) -> str:
    """Escape plain text for LaTeX; a minus sign before a digit becomes a real one."""
    escaped = "".join(_LATEX.get(character, character) for character in text)
    return re.sub(r"(?<!\w)-(?=\d)", "$-$", escaped)


def to_latex(parts: list[Block], remarks: list[str]) -> str:
    """Tables for `\\input`, notes below them at their width; needs only the package booktabs.

    One box, so that it may stand in a table environment, in a paragraph or alone in a document
    of class standalone.
    """
    text = ["% needs \\usepackage{booktabs} and, for accents, a UTF-8 document"]
    text += [
        r"\begingroup\footnotesize\setlength{\tabcolsep}{3pt}",
        r"\sbox0{\begin{tabular}{@{}l@{}}",
    ]
    for block in parts:
        text.append(rf"\begin{{tabular}}{{@{{}}l{'r' * (len(block.header) - 1)}@{{}}}}")
        lines = [" & ".join(map(latex_text, row)) + r" \\" for row in (block.header, *block.rows)]
        text += [r"\toprule", lines[0], r"\midrule", *lines[1:], r"\bottomrule"]
        text.append(r"\end{tabular} \\ \noalign{\vskip 1.5ex}")
    text += [r"\end{tabular}}%", r"\begin{minipage}{\wd0}", r"\usebox0\par"]
    text += [r"\raggedright"]
    text += [latex_text(remark) + r"\par" for remark in remarks]
    return "\n".join([*text, r"\end{minipage}", r"\endgroup"]) + "\n"


_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 75rem; margin: 1.5rem auto; padding: 0 1rem; }
h1 { font-size: 1.3rem; }
.wide { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; border-block: 2px solid; font-size: 0.875rem; }
caption { text-align: left; font-weight: 600; padding-bottom: 0.3rem; }
th, td { padding: 0.3rem 0.75rem; text-align: left; vertical-align: top; }
thead { border-bottom: 1px solid; }
tbody th { font-weight: 400; position: sticky; left: 0; background: Canvas; }
tbody tr + tr { border-top: 1px solid color-mix(in srgb, currentColor 15%, transparent); }
table:not(.numeric) tbody th { min-width: 12rem; }
.numeric :is(th, td) { white-space: nowrap; font-variant-numeric: tabular-nums; }
.numeric :is(th, td):not(:first-child) { text-align: right; }
ul { font-size: 0.875rem; padding-left: 1.2rem; }
"""


def to_html(title: str, parts: list[Block], remarks: list[str]) -> str:
    """One page that loads nothing: tables with header cells named as such, notes below.

    A table wider than the screen scrolls by itself, also with the keyboard.
    """
    lines = ["<!doctype html>", '<html lang="en">', "<head>", '<meta charset="utf-8">']
    lines += ['<meta name="viewport" content="width=device-width, initial-scale=1">']
    lines += [f"<title>{escape(title)}</title>", f"<style>{_STYLE}</style>", "</head>", "<body>"]
    lines += [f"<h1>{escape(title)}</h1>"]
    for block in parts:
        name = escape(block.caption or title)
        kind = ' class="numeric"' if block.numeric else ""
        lines += [f'<div class="wide" role="region" aria-label="{name}" tabindex="0">']
        lines += [f"<table{kind}>", f"<caption>{name}</caption>"]
        cells = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in block.header)
        lines += [f"<thead><tr>{cells}</tr></thead>", "<tbody>"]
        for first, *others in block.rows:
            cells = "".join(f"<td>{escape(cell)}</td>" for cell in others)
            lines += [f'<tr><th scope="row">{escape(first)}</th>{cells}</tr>']
        lines += ["</tbody>", "</table>", "</div>"]
    lines += ["<ul>", *(f"<li>{escape(remark)}</li>" for remark in remarks), "</ul>"]
    return "\n".join([*lines, "</body>", "</html>"]) + "\n"
