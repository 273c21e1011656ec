"""Which networks a figure names, or draws in full, where a study has too many for all of them."""

import argparse
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from ..scores.pairs import PAPER_ORDER, Pair, place
from ..scores.summary import papers_explainers, read_summary, scores_of

MOST_LABELS = 24  # names in a panel, and rows of a figure that leaves some out
MOST_ROWS = 32  # up to so many rows none is left out
OTHER_DOTS = "The leaderboard names the other dots."


def ranking_explainer(summary: pd.DataFrame) -> str:
    """By whose scores networks are ranked: Threshold-Grad-CAM, or the first that the study has."""
    return papers_explainers(summary["explainer"])[-1]


def front_of(part: pd.DataFrame) -> list[str]:
    """The networks on the Pareto front, by rising top-1.

    part: `top1` and `score` by network. A network is on the front if no other is at least as high
    in both and higher in one; one without a top-1 is not.
    """
    order = part.dropna(subset="top1").sort_values(["top1", "score"], ascending=False)
    front, best, best_top1 = [], -np.inf, np.nan
    for row in order.itertuples():
        if row.score > best or (row.score == best and row.top1 == best_top1):
            front.append(row.Index)
            best, best_top1 = row.score, row.top1
    return front[::-1]


def _no_scores() -> pd.DataFrame:
    return pd.DataFrame({"top1": [], "score": []}, dtype=float)


@dataclass(frozen=True)
class Preference:
    """Who comes first where a figure has no room for all.

    First the networks in `label`, then those on the Pareto front of top-1 and score, then the
    paper's; each of these and all others by falling score.  scores: `top1` and `score` by network;
    networks without a score come last.
    """

    label: Collection[str] = ()
    scores: pd.DataFrame = field(default_factory=_no_scores)

    @classmethod
    def of(cls, summary: pd.DataFrame, label: Collection[str] = ()) -> "Preference":
        """By the scores of `ranking_explainer`. summary: scores/summary.csv."""
        if summary.empty:
            return cls(label)
        return cls(label, scores_of(summary, ranking_explainer(summary)))

    @cached_property
    def _front(self) -> set[str]:
        return set(front_of(self.scores))

    @cached_property
    def _known(self) -> dict[str, float]:
        """The score of each network that has one."""
        return self.scores["score"].dropna().to_dict()

    def group(self, network: str) -> int:
        """0 for a network in `label`, 1 on the front, 2 of the paper, 3 for any other."""
        if network in self.label:
            return 0
        if network in self._front:
            return 1
        return 2 if place(network) < len(PAPER_ORDER) else 3

    def _key(self, pair: Pair) -> tuple[int, float]:
        networks = [network for network in pair if network]
        best = max(self._known.get(network, -np.inf) for network in networks)
        return min(map(self.group, networks)), -best

    def first(self, of_study: Iterable[Pair], most: int = MOST_LABELS) -> list[Pair]:
        """The `most` pairs that come first, in the order given."""
        of_study = list(of_study)
        if len(of_study) <= most:
            return of_study
        kept = set(sorted(of_study, key=self._key)[:most])
        return [pair for pair in of_study if pair in kept]

    def rows(self, of_study: Sequence[Pair], page: str) -> tuple[list[Pair], str]:
        """The pairs that have a row in a figure, and a sentence on the others, empty if none.

        Up to MOST_ROWS pairs all have one; of more, MOST_LABELS. page: where the others are.
        """
        if len(of_study) <= MOST_ROWS:
            return list(of_study), ""
        sentence = (
            f"{MOST_LABELS} of {len(of_study):,} networks or pairs are shown; all are in {page}."
        )
        return self.first(of_study), sentence


def written(names: Iterable[str], all_named: bool) -> tuple[dict[str, str], str]:
    """What stands beside the dots of some names, and a sentence that explains it.

    It is the name where all dots that are drawn have one. Else they are too many for names, which
    would cover each other: it is a number then, and the sentence spells the numbers out.
    """
    names = list(dict.fromkeys(names))
    if all_named:
        return {name: name for name in names}, ""
    numbers = {name: str(place) for place, name in enumerate(names, 1)}
    # A no-break space, so that a number and its name stay on one line.
    spelt = ", ".join(f"{number}\N{NO-BREAK SPACE}{name}" for name, number in numbers.items())
    return numbers, f"{spelt}. {OTHER_DOTS}"


ANYONE = Preference()  # no network before another but the paper's


def add_label_flag(parser: argparse.ArgumentParser) -> None:
    """Add `--label`."""
    parser.add_argument(
        "--label", nargs="*", default=[], help="networks that are named and shown before others"
    )


def add_preference_flags(parser: argparse.ArgumentParser) -> None:
    """Add `--label` and an optional `--summary`: what `preference` reads."""
    add_label_flag(parser)
    parser.add_argument(
        "--summary",
        type=Path,
        nargs="?",
        help="scores/summary.csv, by whose scores networks are chosen where there are too many",
    )


def preference(arguments: argparse.Namespace) -> Preference:
    """The preference that the flags of `add_preference_flags` state.

    Raises UserError when the summary cannot be read.
    """
    if arguments.summary is None:
        return Preference(arguments.label)
    return Preference.of(read_summary(arguments.summary), arguments.label)
