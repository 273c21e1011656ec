"""Table 1, one row per network, beside the paper's numbers where they compare; in three markups."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from .cli import UserError
from .summaries import (
    EXPLAINER_NAMES,
    NETWORK,
    average_runs,
    causes,
    explainer_name,
    explainer_order,
    full_name,
    human_ceiling,
    model_order,
    read_checked,
)

FEW_IMAGES = 100  # a score from fewer is marked
_MICRO = 10_000_000  # every network of the paper has more than twice as many parameters
_PAPER_KEY = [f"paper_{name}" for name in NETWORK]
_INTERVAL = {"": "score", "_low": "low", "_high": "high"}  # suffix in Table 1, average's column


def table1(summary: pd.DataFrame) -> pd.DataFrame:
    """The paper's Table 1 with intervals: one row per network, in its order, plain before DCLS.

    Columns: model, dcls, parameters, top1 (percent), n_images (in the data file), then score,
    `_low`, `_high` of both explainers; after these runs, top1_sd, and per explainer `_sd`, `_n`
    (images with a defined score) and a count per cause of an undefined one; of further explainers
    all of it. Unknown numbers are NaN. `average_runs` says how several runs become one row.
    """
    networks = summary.groupby(NETWORK, sort=False)
    top1 = summary.groupby([*NETWORK, "run"], sort=False)["top1"].first().groupby(NETWORK)
    averaged = average_runs(summary).set_index(NETWORK)
    first = {
        "parameters": networks["parameters"].first(),
        "top1": top1.mean(),
        "n_images": networks["n_images"].max(),
    }
    later = {"runs": top1.size(), "top1_sd": top1.std(ddof=1)}
    whole = ["parameters", "n_images", "runs"]
    for explainer in explainer_order(summary):
        part = averaged[averaged["explainer"] == explainer]
        target = first if explainer in EXPLAINER_NAMES else later
        target.update({f"{explainer}{suffix}": part[name] for suffix, name in _INTERVAL.items()})
        counts = ["n", *causes(summary)]
        later.update({f"{explainer}_{name}": part[name] for name in ["sd", *counts]})
        whole += [f"{explainer}_{name}" for name in counts]
    table = pd.DataFrame({**first, **later})
    table[whole] = table[whole].round().astype("Int64")
    table = table.reset_index()
    place = {name: rank for rank, name in enumerate(model_order(summary))}
    return table.sort_values(
        NETWORK, key=lambda column: column.map(place) if column.name == "model" else column
    ).reset_index(drop=True)


def read_paper(path: Path | str) -> pd.DataFrame:
    """Read the paper's Table 1: columns model, dcls, top1 (percent) and one per explainer."""
    return read_checked(path, ["model"], ["dcls", "top1", *EXPLAINER_NAMES])


def add_paper(table: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """Add the paper's numbers: columns `paper_X`, `X_difference` (ours - paper), `X_verdict`.

    The verdict on a score is `within interval` if the paper's number lies in our 95 % interval,
    else `differs`; empty where either is missing. Top-1 has no interval here, so no verdict.

    Raises UserError if a network with a name of the paper is of a micro size: its scores and the
    paper's are of different networks on different images.
    """
    merged = table.merge(paper.add_prefix("paper_"), "left", left_on=NETWORK, right_on=_PAPER_KEY)
    small = merged["paper_model"].notna() & (merged["parameters"] < _MICRO).fillna(False)
    if small.any():
        names = [full_name(row.model, row.dcls) for row in merged[small].itertuples()]
        raise UserError(
            f"{len(names)} networks ({names[0]} first) have fewer than {_MICRO:,} parameters: not "
            "those of the paper, whose numbers would mislead beside them; leave out --paper"
        )
    result = merged.drop(columns=_PAPER_KEY)
    for name in ["top1", *EXPLAINER_NAMES]:
        result[f"{name}_difference"] = result[name] - result[f"paper_{name}"]
    for name in EXPLAINER_NAMES:
        low, high, theirs = (result[c] for c in (f"{name}_low", f"{name}_high", f"paper_{name}"))
        verdict = theirs.between(low, high).map({True: "within interval", False: "differs"})
        result[f"{name}_verdict"] = verdict.where(low.notna() & high.notna() & theirs.notna(), "")
    return result


@dataclass(frozen=True)
class Block:
    """Cells of one table as plain Unicode text; the first column is the network's name."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]


def blocks(table: pd.DataFrame) -> list[Block]:
    """Table 1 as text; with `add_paper`'s columns a second block compares it with the paper."""
    compared = "paper_top1" in table
    digits = 4 if compared else 3  # the paper prints four
    explainers = [name.removesuffix("_low") for name in table if name.endswith("_low")]
    header = ["Model", "Parameters", "Top-1 (%)"]
    for explainer in explainers:
        header += [explainer_name(explainer), "n"]
    rows = []
    for row in table.to_dict("records"):
        cells = [full_name(row["model"], row["dcls"]), _parameters(row), _top1(row)]
        for explainer in explainers:
            count = row[f"{explainer}_n"]
            cells += [_score(row, explainer, digits), "-" if pd.isna(count) else f"{count:,}"]
        rows.append(cells)
    main = Block(header, rows)
    return [main, _comparison(table)] if compared else [main]


def _comparison(table: pd.DataFrame) -> Block:
    names = [explainer_name(explainer) for explainer in EXPLAINER_NAMES]
    header = ["Paper", "Top-1 (%)", *(cell for name in names for cell in (name, "verdict"))]
    rows = []
    for row in table.to_dict("records"):
        cells = [full_name(row["model"], row["dcls"]), _paper_cell(row, "top1", 2)]
        for name in EXPLAINER_NAMES:
            cells += [_paper_cell(row, name, 4), row[f"{name}_verdict"] or "-"]
        rows.append(cells)
    return Block(header, rows)


def _paper_cell(row: dict, name: str, digits: int) -> str:
    theirs, difference = row[f"paper_{name}"], row[f"{name}_difference"]
    if pd.isna(theirs):
        return "-"
    text = f"{theirs:.{digits}f}"
    return text if pd.isna(difference) else f"{text} ({difference:+.{digits}f})"


def _parameters(row: dict) -> str:
    count = row["parameters"]
    if pd.isna(count):
        return "unknown"
    return f"{count / 1e6:.1f} M" if count >= 1e6 else f"{count / 1e3:.0f} k"


def _top1(row: dict) -> str:
    if pd.isna(row["top1"]):
        return "not measured"
    spread = "" if pd.isna(row["top1_sd"]) else f" ± {row['top1_sd']:.2f}"
    return f"{row['top1']:.2f}{spread}"


def _score(row: dict, explainer: str, digits: int) -> str:
    count, score = row[f"{explainer}_n"], row[explainer]
    if pd.isna(score):
        return "not measured" if pd.isna(count) else "undefined"
    low, high, spread = (row[f"{explainer}_{name}"] for name in ("low", "high", "sd"))
    text = f"{score:.{digits}f}"
    if not pd.isna(spread):
        text += f" ± {spread:.{digits}f}"
    if count < FEW_IMAGES:
        text += "†"
    return text if pd.isna(low) else f"{text} [{low:.{digits}f}, {high:.{digits}f}]"


def notes(summary: pd.DataFrame, table: pd.DataFrame, caption_note: str = "") -> list[str]:
    """What a reader must know to read the table, one sentence or two each."""
    ceiling = human_ceiling(summary)
    divided = f", divided by the human ceiling {ceiling:g}" if ceiling else ""
    images = " or ".join(f"{count:,}" for count in table["n_images"].dropna().unique()) or "all"
    text = str(blocks(table)[0].rows)
    candidates = {
        f"Score: mean Spearman correlation of the model's map with the human map{divided}; in "
        "brackets its 95 % bootstrap interval over images.": True,
        f"n: images with a defined score, of {images}. The CSV file counts the others by "
        "cause.": True,
        "Several training runs: mean ± standard deviation over them; the interval is the mean of "
        "their intervals.": bool((table["runs"] > 1).any()),
        f"†: from fewer than {FEW_IMAGES} images.": "†" in text,
        "undefined: no image has a defined score.": "undefined" in text,
        "Paper: its numbers, in parentheses ours minus the paper's. within interval: the paper's "
        "score lies in our interval.": "paper_top1" in table,
        caption_note: bool(caption_note),
    }
    return [note for note, wanted in candidates.items() if wanted]


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
