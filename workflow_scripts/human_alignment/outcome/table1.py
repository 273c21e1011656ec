"""Table 1: one row per network, beside the paper's numbers if the networks are the paper's."""

from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from ..common.cli import UserError
from ..scores.pairs import NETWORK, in_order, pairs
from ..scores.summary import (
    EXPLAINER_NAMES,
    average_runs,
    causes,
    coinciding,
    explainer_name,
    explainer_order,
    human_ceiling,
    read_checked,
)
from .few_images import MARK, REMARK, marked
from .markup import Block
from .preference import Preference
from .reference_scores import block

MICRO = 10_000_000  # every network of the paper has more than twice as many parameters
UNDER_PAPER = "_paper_protocol"  # suffix of the columns with scores under that protocol
_N = {"n": "images with a defined score"}
_SCORE = (
    "score of this explainer's maps: their mean Spearman correlation with the human maps; ± "
    "standard deviation over several trainings; in brackets the 95 % bootstrap interval over images"
)
_NETWORK = {
    "Model": "name of the network",
    "Parameters": "learnt values of the network, in millions (M) or thousands (k)",
    "Top-1 (%)": "accuracy in percent of images; ± standard deviation over several trainings",
}
_INTERVAL = {"": "score", "_low": "low", "_high": "high"}  # suffix here, column of the average


def table1(summary: pd.DataFrame) -> pd.DataFrame:
    """The paper's Table 1 with intervals: one row per network, in its order, plain before DCLS.

    Columns: model, dcls, parameters, top1 (percent), n_images (in the data file), then score,
    `_low`, `_high` of both explainers; after these network, runs, top1_sd, and per explainer `_sd`,
    `_n` (images with a defined score) and a count per cause of an undefined one; of further
    explainers all of it. Unknown numbers are NaN. `average_runs` says how several runs become one
    row, `scores.pairs` what model, dcls and network are.
    """
    networks = summary.groupby(NETWORK, sort=False)
    top1 = summary.groupby([*NETWORK, "run"], sort=False)["top1"].first()
    top1 = top1.groupby(NETWORK, sort=False)
    averaged = average_runs(summary).set_index(NETWORK)
    first = {
        "parameters": networks["parameters"].first(),
        "top1": top1.mean(),
        "n_images": networks["n_images"].max(),
    }
    later = {"runs": top1.size(), "top1_sd": top1.std(ddof=1)}
    whole = ["parameters", "n_images", "runs"]
    for explainer in explainer_order([*EXPLAINER_NAMES, *summary["explainer"]]):
        part = averaged[averaged["explainer"] == explainer]
        target = first if explainer in EXPLAINER_NAMES else later
        target.update({f"{explainer}{suffix}": part[name] for suffix, name in _INTERVAL.items()})
        counts = ["n", *causes(summary)]
        later.update({f"{explainer}_{name}": part[name] for name in ["sd", *counts]})
        whole += [f"{explainer}_{name}" for name in counts]
    table = pd.DataFrame({**first, **later})
    table[whole] = table[whole].round().astype("Int64")
    table = in_order(table.reset_index()).reset_index(drop=True)
    return table[["model", "dcls", *first, "network", *later]]


def read_paper(path: Path | str) -> pd.DataFrame:
    """Read the paper's Table 1: columns model, dcls, top1 (percent) and one per explainer."""
    return read_checked(path, ["model"], ["dcls", "top1", *EXPLAINER_NAMES])


def read_seeds(path: Path | str) -> pd.DataFrame:
    """Read the paper's means and standard deviations (`_sd`) over several trainings."""
    numbers = [f"{name}{end}" for name in ("top1", "threshold_grad_cam") for end in ("", "_sd")]
    return read_checked(path, ["model"], ["dcls", "runs", *numbers])


def refuse_micro(table: pd.DataFrame, paper: pd.DataFrame) -> None:
    """Raise UserError if a network with a name of the paper has too few parameters to be it."""
    same = table[table["network"].isin(paper["network"])]
    small = same[(same["parameters"] < MICRO).fillna(False)]
    if len(small):
        name = small["network"].iloc[0]
        raise UserError(
            f"{len(small)} networks ({name} first) have fewer than {MICRO:,} parameters: not "
            "those of the paper, whose numbers would mislead beside them; leave out --paper"
        )


def add_paper(table: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """Add the paper's numbers: columns `paper_X`, `X_difference` (ours - paper), `X_verdict`.

    The verdict on a score is `within interval` if the paper's number lies in our 95 % interval,
    else `differs`; empty where either is missing. Top-1 has no interval here, so no verdict.

    Raises UserError as `refuse_micro` does.
    """
    refuse_micro(table, paper)
    theirs = paper.set_index("network").drop(columns=["model", "dcls"]).add_prefix("paper_")
    result = table.merge(theirs, "left", left_on="network", right_index=True)
    for name in ["top1", *EXPLAINER_NAMES]:
        result[f"{name}_difference"] = result[name] - result[f"paper_{name}"]
    for name in EXPLAINER_NAMES:
        low, high, theirs = (result[c] for c in (f"{name}_low", f"{name}_high", f"paper_{name}"))
        verdict = theirs.between(low, high).map({True: "within interval", False: "differs"})
        result[f"{name}_verdict"] = verdict.where(low.notna() & high.notna() & theirs.notna(), "")
    return result


def read_protocol_scores(path: Path | str) -> pd.DataFrame:
    """Read scores of the study under another protocol, a row per network, run and explainer."""
    return read_checked(path, ["model", "run", "explainer"], ["dcls", "score", "low", "high", "n"])


def add_paper_protocol(table: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Add the scores under the `paper` protocol: `X_paper_protocol` with `_low`, `_high`, `_n`.

    scores: of `read_protocol_scores`; several runs are averaged as those of the table are.
    """
    averaged = average_runs(scores.assign(parameters=np.nan))
    for explainer in EXPLAINER_NAMES:
        part = averaged[averaged["explainer"] == explainer].set_index("network")
        wide = part[["score", "low", "high", "sd", "n"]].add_prefix(f"{explainer}{UNDER_PAPER}_")
        wide = wide.rename(columns=lambda name: name.removesuffix("_score"))
        table = table.merge(wide, "left", left_on="network", right_index=True)
    return table


def blocks(table: pd.DataFrame, references: pd.DataFrame | None = None) -> list[Block]:
    """Table 1 as text, then one block each for references without a network, the paper's numbers
    and the protocol `paper`, if any.

    references: of `reference_scores.read_references`. The block of the paper's numbers has the
    networks that the paper has, and their twins.
    """
    compared = "paper_top1" in table
    digits = 4 if compared else 3  # the paper prints four
    bounded = [name.removesuffix("_low") for name in table if name.endswith("_low")]
    explainers = [name for name in bounded if not name.endswith(UNDER_PAPER)]
    header = [*_NETWORK, *_score_header(explainers)]
    rows = [
        [row["network"], parameters_text(row), top1_text(row)]
        + _score_cells(row, explainers, digits)
        for row in table.to_dict("records")
    ]
    meanings = _NETWORK | _score_meanings(explainers)
    parts = [Block(header, rows, "Scores and accuracy", meanings)]
    if references is not None and len(references):
        parts.append(block(references, digits))
    if compared:
        parts.append(_comparison(table))
    if len(bounded) > len(explainers):
        parts.append(_under_paper(table, digits))
    return parts


def printed(
    table: pd.DataFrame, summary: pd.DataFrame, label: Collection[str]
) -> tuple[pd.DataFrame, list[str]]:
    """The rows that fit on a printed page, and a sentence on the others, none if all fit.

    table: of `table1`.  label: networks that come first, as `Preference` says.
    """
    shown, others = Preference.of(summary, label).rows(pairs(table), "table1.html")
    rows = table["network"].isin([name for pair in shown for name in pair])
    return table[rows], [others] if others else []


def _score_header(explainers: list[str]) -> list[str]:
    return [cell for explainer in explainers for cell in (explainer_name(explainer), "n")]


def _score_meanings(explainers: Iterable[str]) -> dict[str, str]:
    """What the columns of `_score_header` mean."""
    return dict.fromkeys(map(explainer_name, explainers), _SCORE) | _N


def _score_cells(row: dict, columns: list[str], digits: int) -> list[str]:
    """Score and number of images, of each of these columns."""
    cells = []
    for column in columns:
        count = row[f"{column}_n"]
        cells += [score_text(row, column, digits), "-" if pd.isna(count) else f"{count:,.0f}"]
    return cells


def _under_paper(table: pd.DataFrame, digits: int) -> Block:
    columns = [f"{explainer}{UNDER_PAPER}" for explainer in EXPLAINER_NAMES]
    rows = [
        [row["network"], *_score_cells(row, columns, digits)] for row in table.to_dict("records")
    ]
    header = ["Protocol paper", *_score_header(list(EXPLAINER_NAMES))]
    meanings = {"Protocol paper": "name of the network, scored under that protocol"}
    meanings |= _score_meanings(EXPLAINER_NAMES)
    caption = "Scores under the protocol that the paper's text describes"
    return Block(header, rows, caption, meanings)


def _comparison(table: pd.DataFrame) -> Block:
    names = [explainer_name(explainer) for explainer in EXPLAINER_NAMES]
    header = ["Paper", "Top-1 (%)", *(cell for name in names for cell in (name, "verdict"))]
    theirs = [f"paper_{name}" for name in ("top1", *EXPLAINER_NAMES)]
    known = table["model"].isin(table["model"][table[theirs].notna().any(axis=1)])
    rows = []
    for row in table[known].to_dict("records"):
        cells = [row["network"], _paper_cell(row, "top1", 2)]
        for name in EXPLAINER_NAMES:
            cells += [_paper_cell(row, name, 4), row[f"{name}_verdict"] or "-"]
        rows.append(cells)
    number = "the paper's number, in parentheses ours minus it"
    meanings = {
        "Paper": "name of the network",
        **dict.fromkeys(["Top-1 (%)", *names], number),
        "verdict": "whether the paper's score lies in our 95 % interval",
    }
    caption = "The paper's numbers, in parentheses ours minus the paper's"
    return Block(header, rows, caption, meanings)


def _paper_cell(row: dict, name: str, digits: int) -> str:
    theirs, difference = row[f"paper_{name}"], row[f"{name}_difference"]
    if pd.isna(theirs):
        return "-"
    text = f"{theirs:.{digits}f}"
    return text if pd.isna(difference) else f"{text} ({difference:+.{digits}f})"


def parameters_text(row: dict) -> str:
    """The number of parameters of a row of `table1`, in millions or thousands, or `unknown`."""
    count = row["parameters"]
    if pd.isna(count):
        return "unknown"
    return f"{count / 1e6:.1f} M" if count >= 1e6 else f"{count / 1e3:.0f} k"


def top1_text(row: dict) -> str:
    """Top-1 of a row of `table1` in percent, with its deviation over runs, or `not measured`."""
    if pd.isna(row["top1"]):
        return "not measured"
    spread = "" if pd.isna(row["top1_sd"]) else f" ± {row['top1_sd']:.2f}"
    return f"{row['top1']:.2f}{spread}"


def score_text(row: dict, explainer: str, digits: int) -> str:
    """An explainer's score in a row of `table1`, with its deviation over runs and its interval.

    A mark tells that it is from few images. Without a score: `not measured` or `undefined`.
    """
    count, score = row[f"{explainer}_n"], row[explainer]
    if pd.isna(score):
        return "not measured" if pd.isna(count) else "undefined"
    low, high, spread = (row[f"{explainer}_{name}"] for name in ("low", "high", "sd"))
    text = f"{score:.{digits}f}"
    if not pd.isna(spread):
        text += f" ± {spread:.{digits}f}"
    text = marked(text, count)
    return text if pd.isna(low) else f"{text} [{low:.{digits}f}, {high:.{digits}f}]"


def notes(summary: pd.DataFrame, table: pd.DataFrame, caption_note: str = "") -> list[str]:
    """What a reader must know to read the table: remarks of one or two sentences."""
    ceiling, same = human_ceiling(summary), coinciding(summary)
    divided = f", divided by the human ceiling {ceiling:g}" if ceiling else ""
    images = " or ".join(f"{count:,}" for count in table["n_images"].dropna().unique()) or "all"
    text = str([part.rows for part in blocks(table)])
    candidates = {
        f"Score: mean Spearman correlation of the model's map with the human map{divided}; in "
        "brackets its 95 % bootstrap interval over images.": True,
        "Human ceiling: the average alignment between human raters, as stated for the data set; "
        "0.65753 is the constant that serre-lab/Harmonization states for ClickMe, and no code that "
        "computes it is public. It is no upper bound for a heatmap that is compared with the "
        "average map of many raters: a score above 1 is possible and means no error.": bool(
            ceiling
        ),
        _repeats_words(summary): _repeated(summary),
        f"n: images with a defined score, of {images}. The CSV file counts the others by "
        "cause.": True,
        _coinciding_words(same): bool(same),
        "Several training runs: mean ± standard deviation over them; the interval is the mean of "
        "their intervals.": bool((table["runs"] > 1).any()),
        REMARK: MARK in text,
        "undefined: no image has a defined score.": "undefined" in text,
        "Paper: the paper's numbers, in parentheses ours minus the paper's. within interval: the "
        "paper's score lies in our interval.": "paper_top1" in table,
        "Protocol paper: the same networks and images, scored as the paper's text describes; the "
        "authors' code differs from it.": any(name.endswith(UNDER_PAPER) for name in table),
        caption_note: bool(caption_note),
    }
    return [note for note, wanted in candidates.items() if wanted]


def _repeated(summary: pd.DataFrame) -> bool:
    """Whether some image stands in several records, as far as the summary says."""
    return "n_records" in summary and bool((summary["n_records"] > summary["n_images"]).any())


def _repeats_words(summary: pd.DataFrame) -> str:
    """How many records the images have; empty where each has one."""
    if not _repeated(summary):
        return ""
    images, records = summary.loc[summary["n_records"].idxmax(), ["n_images", "n_records"]]
    return (
        f"The {images:,.0f} images stand in {records:,.0f} records, each with a human map of its "
        "own. Scores of an image's records are averaged first, and intervals are over images. The "
        "authors' code counts each record: `mean_rho_of_records` in each run's summary."
    )


def _coinciding_words(same: list[list[str]]) -> str:
    """Which explainers give the same scores, and why some must."""
    groups = [" = ".join(map(explainer_name, group)) for group in same]
    return (
        f"The same scores to three digits: {'; '.join(groups)}. Where a network pools right behind "
        "its last feature map, the gradient is the same at all positions, and Grad-CAM, HiResCAM "
        "and XGrad-CAM are one map."
    )
