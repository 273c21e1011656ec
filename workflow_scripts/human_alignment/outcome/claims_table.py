"""The checklist of the paper's claims as a table, as Markdown and as a page."""

import pandas as pd

from ..scores.pairs import PAPER_ORDER, full_name
from ..scores.statistics import FEWEST
from ..scores.summary import EXPLAINER_NAMES
from .claims import Claim, Evidence, check
from .few_images import FEW_IMAGES
from .page_tables import Table, tables_page
from .table1 import MICRO, refuse_micro

TITLE = "The paper's claims"
PAPERS = [full_name(model, dcls) for model in PAPER_ORDER for dcls in (0, 1)]  # the networks
NOT_TESTED = "not tested"  # the verdict where the networks are not the paper's
VERDICTS = (
    "A claim is undecided if numbers that are open (their 95 % interval holds values for and "
    "against it) or missing could decide it either way. Otherwise it holds or does not hold."
)
READING = (
    "Differences of scores are with DCLS minus without, or Threshold-Grad-CAM minus Grad-CAM, "
    "paired by image. Differences of top-1 are in percentage points; they have no interval, so "
    "the sign decides.",
    "r: Pearson's correlation over networks with its 95 % interval by Fisher's transformation; "
    "size enters by its logarithm. Plain networks and networks with DCLS are correlated apart, "
    "because a network and its twin are not independent. Fewer than "
    f"{FEWEST} networks have no interval.",
)
COLUMNS = {
    "claim": "Claim",
    "sections": "Sections",
    "verdict": "Verdict",
    "evidence": "Numbers",
    "paper_verdict": "Verdict on the paper's numbers",
    "paper_evidence": "The paper's numbers",
}
MEANINGS = {  # by the names of the columns on the page
    "Claim": "what the paper says, in our words",
    "Sections": "where the paper says it",
    "Verdict": "what the study's numbers say of the claim",
    "Numbers": "the study's numbers that decide, in brackets their 95 % intervals",
    "Verdict on the paper's numbers": "the same verdict on the numbers that the paper prints",
    "The paper's numbers": "those that decide it",
}


def as_table(claims: list[Claim], tested: bool = True) -> pd.DataFrame:
    """A row per claim, columns claim, sections, verdict, evidence.

    tested: of `tests_the_paper`; where False, no claim has a verdict but NOT_TESTED.
    """
    rows = [
        (claim.text, claim.sections, claim.verdict if tested else NOT_TESTED, claim.evidence)
        for claim in claims
    ]
    return pd.DataFrame(rows, columns=["claim", "sections", "verdict", "evidence"])


def tests_the_paper(networks: pd.DataFrame) -> bool:
    """Whether a study has networks of the paper, and no small ones under their names.

    networks: of the evidence.
    """
    own = networks[networks.index.isin(PAPERS)]
    return not own.empty and not (own["parameters"] < MICRO).any()


def add_paper(
    table: pd.DataFrame, evidence: Evidence, paper: pd.DataFrame, seeds: pd.DataFrame
) -> pd.DataFrame:
    """Add the columns paper_verdict and paper_evidence: the same claims on the paper's numbers.

    evidence: of the study.  paper, seeds: of `read_paper` and `read_seeds`.
    Raises UserError as `refuse_micro` does.
    """
    refuse_micro(evidence.networks.reset_index(), paper)
    sizes = evidence.networks["parameters"]
    theirs = as_table(check(Evidence.of_paper(paper, seeds, sizes)))
    return table.assign(paper_verdict=theirs["verdict"], paper_evidence=theirs["evidence"])


def few_images(networks: pd.DataFrame) -> list[str]:
    """Names of networks with a score from fewer than FEW_IMAGES images."""
    counts = networks[[f"{name}_n" for name in EXPLAINER_NAMES]].astype(float).min(axis=1)
    return list(counts[counts < FEW_IMAGES].index)


def scope(networks: pd.DataFrame) -> str:
    """What the study lacks of what the claims are about, in words; empty if it lacks nothing.

    networks: of the evidence.
    """
    own = networks[networks.index.isin(PAPERS)]
    lacking = [name for name in PAPERS if name not in own.index]
    if own.empty:
        return "These claims are about the paper's networks, and this study has none of them."
    if (own["parameters"] < MICRO).any():
        return (
            "These claims are about the paper's networks. This study has small ones under their "
            "names, so it tests none of the claims: its numbers say nothing about the paper."
        )
    if lacking:
        return f"These claims are about the paper's networks. The study lacks {', '.join(lacking)}."
    return ""


def remarks(networks: pd.DataFrame, note: str) -> list[str]:
    """What a reader must know to read the table. networks: of the evidence."""
    few = ", ".join(few_images(networks))
    verdicts = VERDICTS if tests_the_paper(networks) else ""
    found = [
        verdicts,
        *READING,
        f"Scored on fewer than {FEW_IMAGES} images: {few}." if few else "",
        note,
    ]
    return [remark for remark in found if remark]


def to_markdown(table: pd.DataFrame, scope: str, remarks: list[str]) -> str:
    """A list with an item per claim: cells are too long for a table in a terminal."""
    lines = [f"# {TITLE}", "", *([scope, ""] if scope else [])]
    for row in table.to_dict("records"):
        lines.append(f"- **{row['verdict']}**: {row['claim']} ({row['sections']})")
        lines.append(f"  - {row['evidence']}")
        if "paper_verdict" in row:
            verdict, evidence = row["paper_verdict"], row["paper_evidence"]
            lines.append(f"  - the paper's own numbers: **{verdict}**; {evidence}")
    return "\n".join([*lines, "", *remarks]) + "\n"


def to_page(table: pd.DataFrame, scope: str, remarks: list[str], name: str, csv: str) -> str:
    """A page that holds the table also as the CSV file `name`."""
    shown = Table.of_frame(table.rename(columns=COLUMNS)).explained(MEANINGS)
    return tables_page(TITLE, [shown], remarks, name, csv, scope)
