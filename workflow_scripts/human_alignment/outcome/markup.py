"""Small tables of plain text in Markdown and LaTeX."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Block:
    """Cells of one table as plain Unicode text; the first column names each row.

    caption: what the table shows.  meanings: what columns mean, by their names in the header.
    Both are for pages; Markdown and LaTeX leave them out.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    meanings: Mapping[str, str] = field(default_factory=dict)


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
