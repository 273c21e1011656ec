import html

import check_claims
import numpy as np
import pandas as pd
import pytest
from human_alignment.common.cli import UserError
from human_alignment.outcome.claims import (
    FAILS,
    HOLDS,
    UNDECIDED,
    Claim,
    Evidence,
    Finding,
    check,
    read_differences,
)
from human_alignment.outcome.claims_table import NOT_TESTED, as_table
from human_alignment.outcome.table1 import read_paper, read_seeds
from human_alignment.scores.pairs import PAPER_ORDER
from human_alignment.scores.summary import read_summary

YES, NO, UNSURE, ABSENT = (
    Finding(True, "y"),
    Finding(False, "n"),
    Finding(None, "u"),
    Finding(None, "a", missing=True),
)
COLUMNS = ["comparison", "network", "explainer", "difference", "low", "high"]
NOTHING = pd.DataFrame(columns=COLUMNS)


@pytest.fixture(scope="module")
def summary(data_dir):
    return read_summary(data_dir / "summary" / "summary.csv")


@pytest.fixture(scope="module")
def paper(root, summary):
    """The paper's own numbers."""
    sizes = summary.groupby("network")["parameters"].first()
    files = (root / "resources" / name for name in ("paper_table1.csv", "paper_seeds.csv"))
    return Evidence.of_paper(read_paper(next(files)), read_seeds(next(files)), sizes)


def find(evidence, start):
    (claim,) = [claim for claim in check(evidence) if claim.text.startswith(start)]
    return claim


def test_what_the_papers_numbers_say_of_the_papers_claims(paper):
    assert [claim.verdict for claim in check(paper)] == [
        HOLDS,  # seven of eight
        HOLDS,  # all but FastViT-SA24
        HOLDS,  # ConvNeXts under both methods
        HOLDS,  # CAFormer and ConvFormer
        HOLDS,  # accuracy
        FAILS,  # accuracy and score outside FastViT: CAFormer-S18 loses 0.10 points
        FAILS,  # random maps: CAFormer-S18 without DCLS scores 0.17
        HOLDS,  # Threshold-Grad-CAM helps the two
        HOLDS,  # and nearly all
        UNDECIDED,  # size: eight networks are too few for the trend
        UNDECIDED,  # no trade-off: neither among plain ones nor among those with DCLS
        HOLDS,  # seeds
        UNDECIDED,  # given the centre: the paper has no such number
        UNDECIDED,  # at equal smoothness: neither
    ]
    seven = find(paper, "With DCLS, seven").evidence
    assert seven.startswith("agree (7): convnext_tiny +0.0135")
    assert "disagree (1): fastvit_sa24 -0.0179" in seven
    assert "disagree (1): top-1 of caformer_s18 -0.10" in find(paper, "Outside").evidence
    assert "disagree (1): caformer_s18 0.1719" in find(paper, "Grad-CAM maps").evidence
    nearly = find(paper, "Threshold-Grad-CAM raises the score of nearly")
    assert "disagree (3): convnext_tiny_dcls" in nearly.evidence
    assert "0.0040 over 3 trainings" in find(paper, "Training anew").evidence


@pytest.mark.parametrize(
    ("findings", "needed", "verdict"),
    [
        ([YES, YES], None, HOLDS),
        ([YES, NO], None, FAILS),
        ([YES, NO, UNSURE], None, FAILS),
        ([YES, UNSURE], None, UNDECIDED),
        ([YES, ABSENT], None, UNDECIDED),
        ([YES, NO, ABSENT], 1, HOLDS),
        ([YES, NO, UNSURE], 2, UNDECIDED),
        ([NO, NO, UNSURE], 2, FAILS),
    ],
)
def test_a_verdict_does_not_depend_on_what_is_open(findings, needed, verdict):
    assert Claim("", "", findings, needed).verdict == verdict


def test_the_contrary_of_an_open_finding_is_open():
    assert [f.contrary().agrees for f in (YES, NO, UNSURE)] == [False, True, None]
    assert ABSENT.contrary().missing


def test_evidence_is_listed_by_what_it_says():
    claim = Claim("", "", [NO, YES, ABSENT, UNSURE, YES])
    assert claim.evidence == ("agree (2): y, y; disagree (1): n; open (1): u; missing (1): a")


def differences(low, high, network="fastvit_sa24_dcls"):
    row = ("dcls - plain", network, "threshold_grad_cam", (low + high) / 2, low, high)
    return pd.DataFrame([row], columns=COLUMNS)


@pytest.mark.parametrize(("low", "high", "agrees"), [(0.1, 0.3, True), (-0.3, -0.1, False)])
def test_an_interval_beside_zero_decides_in_units_of_the_score(summary, low, high, agrees):
    evidence = Evidence.of_study(summary, differences(low, high), 0.5)
    found = evidence.gain("fastvit_sa24")
    assert found.agrees is agrees
    assert found.numbers == f"fastvit_sa24 {2 * (low + high) / 2:+.4f}"


def test_comparisons_under_controls_change_no_claim_of_the_paper(summary):
    more = differences(0.1, 0.2).assign(comparison="dcls - plain, given the centre")
    both = pd.concat([differences(-0.2, -0.1), more])
    found = [check(Evidence.of_study(summary, one, 0.5)) for one in (differences(-0.2, -0.1), both)]
    assert found[0][:12] == found[1][:12]
    assert found[0][12] != found[1][12] and found[0][13] == found[1][13]


@pytest.mark.parametrize(
    ("comparison", "start", "numbers"),
    [
        ("dcls - plain, given the centre", "Given a centred", "fastvit_sa24 -0.1500 (+0.5000)"),
        ("dcls - plain, up to 1 cycle", "At equal smoothness", "fastvit_sa24 -0.3000 (+0.5000)"),
    ],
)
def test_what_is_left_of_the_gain_stands_beside_it(summary, comparison, start, numbers):
    """A partial correlation has no ceiling; a score of smooth maps is divided by it."""
    under = differences(-0.2, -0.1).assign(comparison=comparison)
    evidence = Evidence.of_study(summary, pd.concat([differences(0.2, 0.3), under]), 0.5)
    claim = find(evidence, start)
    assert f"disagree (1): {numbers}; missing (7)" in claim.evidence
    assert claim.verdict == UNDECIDED and claim.sections == "not in the paper"
    held = [differences(0.1, 0.2, f"{model}_dcls") for model in PAPER_ORDER[:7]]
    held = pd.concat(held).assign(comparison=comparison)
    assert find(Evidence.of_study(summary, held, None), start).verdict == HOLDS


def test_an_interval_that_holds_zero_leaves_it_open(summary):
    evidence = Evidence.of_study(summary, differences(-0.1, 0.2), None)
    claim = find(evidence, "FastViT-SA24")
    assert claim.verdict == UNDECIDED
    assert claim.evidence == "open (1): fastvit_sa24 +0.0500"


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (-0.3, 0.03, HOLDS),  # wholly below what counts as more than random
        (-0.8, 0.9, UNDECIDED),  # a wide interval confirms nothing
        (0.01, 0.06, UNDECIDED),
        (0.06, 0.2, FAILS),
    ],
)
def test_random_maps_are_those_whose_whole_interval_is_near_zero(summary, low, high, verdict):
    rows = summary.model.isin(["caformer_s18", "convformer_s18"])
    rows &= summary.explainer == "grad_cam"
    changed = summary.assign(
        low=summary.low.where(~rows, low), high=summary.high.where(~rows, high)
    )
    claim = find(Evidence.of_study(changed, NOTHING, None), "Grad-CAM maps")
    assert claim.verdict == verdict


def test_three_trainings_decide_on_the_spread(summary):
    def seeds(spread):
        rows = (summary.model == "convnext_tiny") & (summary.dcls == 1)
        again = [
            summary[rows].assign(run=f"seed{k}", score=summary.score + k * spread) for k in (-1, 1)
        ]
        return Evidence.of_study(pd.concat([summary, *again]), NOTHING, None)

    assert find(seeds(0.001), "Training anew").verdict == HOLDS
    assert find(seeds(0.05), "Training anew").verdict == FAILS
    once = find(Evidence.of_study(summary, NOTHING, None), "Training anew")
    assert (once.verdict, once.evidence) == (
        UNDECIDED,
        "missing (1): 3 trainings of convnext_tiny_dcls",
    )


def test_a_steep_rise_and_a_fall_are_seen(summary):
    rising = summary.assign(score=np.log10(summary.parameters) / 10)
    assert find(Evidence.of_study(rising, NOTHING, None), "Of the networks").verdict == HOLDS
    falling = summary.assign(score=1 - summary.top1 / 100)
    claim = find(Evidence.of_study(falling, NOTHING, None), "No trade-off")
    assert (claim.verdict, claim.evidence) == (
        FAILS,
        "disagree (2): r = -1.00 [-1.00, -1.00] over 8 networks without DCLS, "
        "r = -1.00 [-1.00, -1.00] over 8 networks with DCLS",
    )
    rising = summary.assign(score=summary.top1 / 100)
    assert find(Evidence.of_study(rising, NOTHING, None), "No trade-off").verdict == HOLDS


def test_no_trade_off_is_undecided_where_too_little_is_known(summary):
    """Scores that have nothing to do with accuracy confirm no claim."""
    random = np.random.default_rng(3)
    scores = {name: random.uniform() for name in summary.network.unique()}
    noise = summary.assign(score=summary.network.map(scores))
    assert find(Evidence.of_study(noise, NOTHING, None), "No trade-off").verdict == UNDECIDED
    few = summary[summary.model.isin(["convnext_tiny", "convnext_small", "resnet50", "x"])]
    few = few.assign(score=few.top1 / 100)  # on a line, but three networks only
    assert find(Evidence.of_study(few, NOTHING, None), "No trade-off").verdict == UNDECIDED


STUDIES = {
    "one model": lambda s: s[(s.model == "resnet50") & (s.dcls == 0)],
    "no DCLS": lambda s: s[s.dcls == 0],
    "a model missing": lambda s: s[s.model != "caformer_s18"],
    "a model without scores": lambda s: s.assign(
        **{c: s[c].where(s.model != "caformer_s18") for c in ("score", "low", "high", "n", "top1")}
    ),
    "no top-1": lambda s: s.assign(top1=np.nan),
    "other networks": lambda s: s.assign(model="my_" + s.model, network="my_" + s.network),
}


@pytest.mark.parametrize(
    ("study", "start", "verdict", "words"),
    [
        ("one model", "With DCLS, seven", UNDECIDED, "missing (8): convnext_tiny"),
        (
            "one model",
            "Of the networks",
            UNDECIDED,
            "a trend over 1 networks without DCLS",
        ),
        ("no DCLS", "With DCLS, seven", UNDECIDED, "missing (8)"),
        ("no DCLS", "Grad-CAM maps", FAILS, "missing (2): caformer_s18_dcls"),
        ("a model missing", "CAFormer and ConvFormer", FAILS, "missing (1): caformer_s18"),
        ("a model missing", "With DCLS, seven", FAILS, "missing (1): caformer_s18"),
        ("a model without scores", "With DCLS, seven", FAILS, "missing (1): caformer_s18"),
        ("a model missing", "DCLS makes", UNDECIDED, "missing (1): top-1 of caformer_s18"),
        ("no top-1", "DCLS makes", UNDECIDED, "missing (8)"),
        ("no top-1", "No trade-off", UNDECIDED, "a trend over 0 networks with DCLS"),
        ("other networks", "With DCLS, seven", UNDECIDED, "missing (8)"),
    ],
)
def test_what_a_study_lacks_is_named(summary, study, start, verdict, words):
    evidence = Evidence.of_study(STUDIES[study](summary), NOTHING, None)
    claim = find(evidence, start)
    assert (claim.verdict, words in claim.evidence) == (verdict, True), claim.evidence
    assert len(as_table(check(evidence))) == 14


@pytest.mark.parametrize(
    ("study", "sentence"),
    [
        ("other networks", "and this study has none of them."),
        ("a model missing", "The study lacks caformer_s18, caformer_s18_dcls."),
        ("micro", "so it tests none of the claims: its numbers say nothing"),
        ("all", ""),
    ],
)
def test_the_top_says_what_the_claims_cannot_apply_to(summary, tmp_path, study, sentence):
    studies = STUDIES | {"micro": lambda s: s.assign(parameters=1e5), "all": lambda s: s}
    studies[study](summary).to_csv(tmp_path / "summary.csv", index=False)
    NOTHING.to_csv(tmp_path / "comparisons.csv", index=False)
    check_claims.main(
        ["--summary", str(tmp_path / "summary.csv"), "--output", str(tmp_path / "claims.csv")]
        + ["--comparisons", str(tmp_path / "comparisons.csv")]
    )
    for ending, start in (("md", "- **"), ("html", "<table")):
        top = html.unescape((tmp_path / f"claims.{ending}").read_text().split(start)[0])
        assert sentence in top
        assert ("These claims are about the paper's networks" in top) == bool(sentence)


@pytest.mark.parametrize("study", ["micro", "other networks"])
def test_other_networks_than_the_papers_test_no_claim(summary, tmp_path, study):
    studies = STUDIES | {"micro": lambda s: s.assign(parameters=1e5)}
    studies[study](summary).to_csv(tmp_path / "summary.csv", index=False)
    NOTHING.to_csv(tmp_path / "comparisons.csv", index=False)
    check_claims.main(
        ["--summary", str(tmp_path / "summary.csv"), "--output", str(tmp_path / "claims.csv")]
        + ["--comparisons", str(tmp_path / "comparisons.csv")]
    )
    table = pd.read_csv(tmp_path / "claims.csv")
    assert set(table["verdict"]) == {NOT_TESTED} and table["evidence"].notna().all()
    for ending in ("md", "html"):
        text = (tmp_path / f"claims.{ending}").read_text()
        assert "not tested" in text
        assert FAILS not in text and UNDECIDED not in text


def run(data_dir, tmp_path, *more):
    NOTHING.to_csv(tmp_path / "comparisons.csv", index=False)
    check_claims.main(
        ["--summary", str(data_dir / "summary" / "summary.csv")]
        + ["--comparisons", str(tmp_path / "comparisons.csv")]
        + ["--output", str(tmp_path / "claims.csv"), *more]
    )


def test_script_writes_the_checklist_three_times(data_dir, tmp_path):
    run(data_dir, tmp_path, "--caption-note", "made up", "--paper", "--paper-seeds")
    table = pd.read_csv(tmp_path / "claims.csv")
    assert list(table) == ["claim", "sections", "verdict", "evidence"]
    assert set(table.verdict) == {HOLDS, FAILS, UNDECIDED}
    for ending in ("md", "html"):
        text = (tmp_path / f"claims.{ending}").read_text()
        text = html.unescape(text)
        assert table.claim[0] in text and table.evidence[0] in text and "made up" in text
        assert "own numbers" not in text


def test_script_sets_the_papers_numbers_beside(root, data_dir, tmp_path):
    flags = ["--paper", str(root / "resources" / "paper_table1.csv")]
    flags += ["--paper-seeds", str(root / "resources" / "paper_seeds.csv")]
    run(data_dir, tmp_path, *flags)
    table = pd.read_csv(tmp_path / "claims.csv")
    assert list(table.paper_verdict).count(HOLDS) == 8
    assert "own numbers: **holds**" in (tmp_path / "claims.md").read_text()
    assert "Verdict on the paper&#39;s numbers" in (tmp_path / "claims.html").read_text()
    with pytest.raises(UserError, match="give both, or neither"):
        run(data_dir, tmp_path, *flags[:2])


def test_the_papers_numbers_never_stand_beside_micro_networks(root, summary, tmp_path):
    summary.assign(parameters=1e5).to_csv(tmp_path / "summary.csv", index=False)
    flags = ["--paper", str(root / "resources" / "paper_table1.csv")]
    flags += ["--paper-seeds", str(root / "resources" / "paper_seeds.csv")]
    (tmp_path / "comparisons.csv").write_text("comparison\n")  # of a study without any pair
    with pytest.raises(UserError, match="leave out --paper"):
        check_claims.main(
            ["--summary", str(tmp_path / "summary.csv"), "--output", str(tmp_path / "c.csv")]
            + ["--comparisons", str(tmp_path / "comparisons.csv"), *flags]
        )
    assert not (tmp_path / "c.csv").exists()


def test_scores_from_few_images_are_named(summary, tmp_path, data_dir):
    summary.assign(n=summary.n.where(summary.model != "resnet50", 99)).to_csv(
        tmp_path / "summary.csv", index=False
    )
    (tmp_path / "comparisons.csv").write_text("comparison\n")
    check_claims.main(
        ["--summary", str(tmp_path / "summary.csv"), "--output", str(tmp_path / "c.csv")]
        + ["--comparisons", str(tmp_path / "comparisons.csv")]
    )
    expected = "fewer than 100 images: resnet50, resnet50_dcls."
    assert expected in (tmp_path / "c.md").read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [(None, "cannot be read"), ("", "cannot be read"), ("model\na\n", "lacks the column")],
)
def test_bad_comparisons_are_refused(text, message, tmp_path):
    if text is not None:
        (tmp_path / "comparisons.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        read_differences(tmp_path / "comparisons.csv")
