"""The leaderboard: all networks of a study by their score, with references in between."""

import pandas as pd

from ..scores.reference_file import CENTRE
from ..scores.summary import explainer_name, human_ceiling, papers_explainers
from .families import family
from .few_images import MARK, REMARK
from .page_tables import Cell, Table
from .preference import ranking_explainer
from .reference_scores import OTHER_IMAGE, reference_name
from .table1 import parameters_text, score_text, table1, top1_text

REFERENCE = "reference"  # in the column `family`
SKILL = ["skill", "skill_low", "skill_high"]


def leaderboard(
    summary: pd.DataFrame,
    skill: pd.DataFrame | None = None,
    references: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """A row per network and reference, from the highest score of `ranking_explainer` on.

    summary: scores/summary.csv.  skill: tables/skill.csv.  references: of `read_references`.

    Columns: network, rank (equal scores share one), family, dcls, parameters, top1 (percent); of
    each of the paper's explainers, or of the study's first, the score with `_low`, `_high`, `_sd`
    and `_n` as in Table 1; skill against the centred Gaussian with `_low` and `_high`; gain, the
    score of a network with DCLS minus that of its plain twin. Skill and gain are those of
    `ranking_explainer`. A reference has neither rank nor dcls, and REFERENCE for a family. What is
    not known is NaN; references without a score are left out.
    """
    explainers, ranking = papers_explainers(summary["explainer"]), ranking_explainer(summary)
    columns = [f"{one}{end}" for one in explainers for end in ("", "_low", "_high", "_sd", "_n")]
    table = table1(summary)
    plain = table[table["dcls"] == 0].set_index("network")[ranking]
    table["gain"] = (table[ranking] - table["model"].map(plain)).where(table["dcls"] == 1)
    table["rank"] = table[ranking].rank(ascending=False, method="min").astype("Int64")
    table["family"] = table["model"].map(family)
    table = table.merge(_skill(skill, ranking), "left", on="network")
    first = ["network", "rank", "family", "dcls", "parameters", "top1", "top1_sd"]
    table = table[[*first, *columns, *SKILL, "gain"]]
    if references is not None and (rows := _reference_rows(references, explainers)):
        others = pd.DataFrame(rows, columns=table.columns).astype({"rank": "Int64"})
        table = pd.concat([table.astype({"dcls": "Int64"}), others.astype({"dcls": "Int64"})])
    return table.sort_values(ranking, ascending=False, kind="stable", ignore_index=True)


def _skill(skill: pd.DataFrame | None, explainer: str) -> pd.DataFrame:
    """Skill against the centred Gaussian, a row per network: columns network and SKILL."""
    if skill is None:
        return pd.DataFrame(columns=["network", *SKILL])
    own = skill[(skill["reference"] == CENTRE) & (skill["explainer"] == explainer)]
    return own[["network", "skill", "low", "high"]].set_axis(["network", *SKILL], axis=1)


def _reference_rows(references: pd.DataFrame, explainers: list[str]) -> list[dict]:
    """The references with a score, as rows of the leaderboard.

    One of a network's maps of other images has the score of its own explainer only.
    """
    rows = []
    for row in references.dropna(subset="score").to_dict("records"):
        known = {"network": reference_name(row["reference"]), "family": REFERENCE}
        own = row["reference"].removeprefix(OTHER_IMAGE)
        for explainer in explainers:
            if own in (row["reference"], explainer):
                known |= {explainer: row["score"], f"{explainer}_n": row["n_images"]}
                known |= {f"{explainer}_{end}": row[end] for end in ("low", "high")}
        if len(known) > 2:
            rows.append(known)
    return rows


def page_table(table: pd.DataFrame, explainers: list[str]) -> Table:
    """What the page shows of a `leaderboard`: rounded, each score with its interval in one cell.

    Skill and gain are left out where no network has them.
    """
    shown = [name for name in ("skill", "gain") if table[name].notna().any()]
    words = {"skill": "Skill", "gain": "Gain by DCLS"}
    header = ["Network", "Rank", "Family", "DCLS", "Parameters", "Top-1 (%)"]
    header += [*map(explainer_name, explainers), *(words[name] for name in shown)]
    numeric = [name not in ("Network", "Family", "DCLS") for name in header]
    rows = [_cells(row, explainers, shown) for row in table.to_dict("records")]
    return Table(header, numeric, rows)


def _cells(row: dict, explainers: list[str], shown: list[str]) -> list[Cell]:
    """The cells of one row; those that a reference cannot have are empty."""
    is_network = row["family"] != REFERENCE
    has_dcls = ("no", "yes")[row["dcls"]] if is_network else ""
    texts = {
        "rank": "" if pd.isna(row["rank"]) else str(row["rank"]),
        "parameters": parameters_text(row) if is_network else "",
        "top1": top1_text(row) if is_network else "",
        **{name: score_text(row, name, 3) for name in explainers},
        "skill": _with_interval(row, "skill"),
        "gain": "" if pd.isna(row["gain"]) else f"{row['gain']:+.3f}",
    }
    numbers = {
        name: Cell(texts[name], "" if pd.isna(row[name]) else float(row[name])) for name in texts
    }
    if not is_network:
        numbers |= {name: Cell("", "") for name in explainers if pd.isna(row[name])}
    cells = [Cell(row["network"]), numbers["rank"], Cell(row["family"]), Cell(has_dcls)]
    return cells + [numbers[name] for name in ("parameters", "top1", *explainers, *shown)]


def _with_interval(row: dict, name: str) -> str:
    if pd.isna(row[name]):
        return ""
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return f"{row[name]:.3f}" + ("" if pd.isna(low) else f" [{low:.3f}, {high:.3f}]")


def meanings(summary: pd.DataFrame) -> dict[str, str]:
    """What each column of the page means."""
    ceiling, ranking = human_ceiling(summary), explainer_name(ranking_explainer(summary))
    divided = f", divided by the human ceiling {ceiling:g}" if ceiling else ""
    score = (
        f"the score: mean Spearman correlation of the network's maps with the human maps{divided}; "
        "± standard deviation over several trainings; in brackets its 95 % bootstrap interval over "
        "images"
    )
    explainers = [explainer_name(name) for name in papers_explainers(summary["explainer"])]
    return {
        "Network": "name of the network, or what made the maps of a reference",
        "Rank": f"by the score of {ranking}. Rows without a rank are networks without a score, and "
        "references: maps that no network made, or maps of other images",
        "Family": "the letters that the name of the network, or of its plain twin, begins with",
        "DCLS": "whether the network has Dilated Convolution with Learnable Spacings",
        "Parameters": "learnt values of the network, in millions (M) or thousands (k)",
        "Top-1 (%)": "accuracy in percent of images; ± standard deviation over several trainings",
        **dict.fromkeys(explainers, score),
        "Skill": "how much of the way from a Gaussian in the middle of the image (0) to the human "
        f"ceiling (1) the maps of {ranking} go; in brackets its 95 % interval",
        "Gain by DCLS": f"the score of {ranking} minus that of the plain twin. The table of "
        "differences on the same images has the interval, in rho",
    }


def remarks(table: Table, note: str = "") -> list[str]:
    """What a reader must know of the cells. table: of `page_table`.  note: the study's own."""
    cells = [cell.text for row in table.rows for cell in row]
    candidates = {
        REMARK: any(MARK in text for text in cells),
        "undefined: no image has a defined score.": "undefined" in cells,
        note: bool(note),
    }
    return [text for text, wanted in candidates.items() if wanted]
