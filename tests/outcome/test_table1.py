import html.parser
import re

import jinja2
import numpy as np
import pandas as pd
import pytest
from human_alignment.common.cli import UserError
from human_alignment.outcome.markup import Block, latex_text, to_latex, to_markdown
from human_alignment.outcome.page_tables import Table, tables_page
from human_alignment.outcome.table1 import (
    add_paper,
    add_paper_protocol,
    blocks,
    notes,
    read_paper,
    table1,
)
from human_alignment.scores.pairs import full_name, model_order
from human_alignment.scores.summary import (
    average_runs,
    coinciding,
    explainer_order,
    human_ceiling,
    read_summary,
    scores_of,
)
from make_table1 import main
from many_networks import summary_of

PUBLIC_COLUMNS = ["model", "dcls", "parameters", "top1", "n_images"]
PUBLIC_COLUMNS += ["grad_cam", "grad_cam_low", "grad_cam_high"]
PUBLIC_COLUMNS += ["threshold_grad_cam", "threshold_grad_cam_low", "threshold_grad_cam_high"]


@pytest.fixture
def summary_path(data_dir):
    return data_dir / "summary" / "summary.csv"


@pytest.fixture
def summary(summary_path):
    return read_summary(summary_path)


@pytest.fixture
def paper(root):
    return read_paper(root / "resources" / "paper_table1.csv")


def row_of(model, **values):
    """One row of a summary, the rest plausible."""
    base = dict(
        model=model, dcls=0, run="seed0", parameters=1e5, top1=80.0, explainer="grad_cam", n=500.0,
        n_images=500.0, mean_rho=0.5, score=0.5, low=0.48, high=0.52, human_ceiling=np.nan,
        n_constant_heatmap=0.0,
    )  # fmt: skip
    row = {**base, **values}
    return {"network": full_name(row["model"], row["dcls"])} | row


def test_the_papers_numbers_agree_with_what_its_text_claims(paper):
    assert len(paper) == 16
    plain, dcls = (paper[paper.dcls == value].set_index("model") for value in (0, 1))
    worse = dcls.threshold_grad_cam < plain.threshold_grad_cam
    assert list(worse[worse].index) == ["fastvit_sa24"]
    less_accurate = dcls.top1 < plain.top1
    assert set(less_accurate[less_accurate].index) == {"caformer_s18", "fastvit_sa36"}


def test_table_has_the_public_columns_first_and_the_papers_rows(summary, paper):
    shuffled = summary.sample(frac=1, random_state=1)
    table = table1(shuffled)
    assert list(table)[:11] == PUBLIC_COLUMNS
    assert list(zip(table.model, table.dcls, strict=True)) == list(
        zip(paper.model, paper.dcls, strict=True)
    )


def test_one_run_is_passed_through(summary):
    row = table1(summary).iloc[1]
    assert (row.model, row.dcls, row.parameters, row.top1) == ("convnext_tiny", 1, 28587688, 82.48)
    ours = summary[(summary.model == "convnext_tiny") & (summary.dcls == 1)]
    for explainer in ("grad_cam", "threshold_grad_cam"):
        source = ours[ours.explainer == explainer].iloc[0]
        assert row[explainer] == source.score
        assert (row[f"{explainer}_low"], row[f"{explainer}_high"]) == (source.low, source.high)
        assert row[f"{explainer}_n_constant_heatmap"] == source.n_constant_heatmap
    assert row.runs == 1
    assert np.isnan(row.top1_sd) and np.isnan(row.grad_cam_sd)


def test_several_runs_are_averaged():
    runs = pd.DataFrame(
        [
            row_of("a", run="seed0", score=0.50, low=0.47, high=0.52, top1=80, n=498),
            row_of("a", run="seed1", score=0.56, low=0.52, high=0.60, top1=82, n=490),
            row_of("a", run="seed2", score=0.53, low=0.51, high=0.56, top1=84, n=500),
        ]
    )
    row = table1(runs).iloc[0]
    assert row.grad_cam == pytest.approx(0.53)
    assert row.grad_cam_sd == pytest.approx(0.03)  # sample standard deviation of 0.50 0.53 0.56
    assert row.grad_cam_low == pytest.approx(0.50)
    assert row.grad_cam_high == pytest.approx(0.56)
    assert (row.top1, row.top1_sd, row.runs, row.grad_cam_n) == (82, 2, 3, 490)
    shown = to_markdown(blocks(table1(runs)), notes(runs, table1(runs)))
    assert "0.530 ± 0.030 [0.500, 0.560]" in shown
    assert "82.00 ± 2.00" in shown
    assert "Several training runs" in shown


def test_the_mean_of_intervals_covers_the_mean_of_runs():
    """Simulated: the interval's coverage is at least nominal, correlated errors or not."""
    rng = np.random.default_rng(0)
    for shared in (0.0, 0.7, 1.0):
        common = rng.normal(size=(4000, 1)) * np.sqrt(shared)
        errors = common + rng.normal(size=(4000, 3)) * np.sqrt(1 - shared)
        rows = [
            row_of(str(study), run=f"seed{run}", score=error, low=error - 1.96, high=error + 1.96)
            for study, runs in enumerate(errors[:200])
            for run, error in enumerate(runs)
        ]
        mean = average_runs(pd.DataFrame(rows))
        assert ((mean.low <= 0) & (mean.high >= 0)).mean() >= 0.91


def test_a_run_without_score_does_not_enter_the_interval():
    runs = [row_of("a", run="seed0"), row_of("a", run="seed1", score=np.nan, low=0.0, high=0.0)]
    mean = average_runs(pd.DataFrame(runs)).iloc[0]
    assert (mean.score, mean.low, mean.high) == (0.5, 0.48, 0.52)


def test_models_unknown_to_the_paper_come_last_as_they_appear():
    names = ["zeta", "resnet50", "alpha", "micro_convnext_tiny"]
    frame = pd.DataFrame([row_of(name) for name in names])
    assert model_order(frame) == ["micro_convnext_tiny", "resnet50", "zeta", "alpha"]


def test_explainers_that_coincide_are_named():
    def study(gap):
        rows = [
            row_of(model, explainer=name, mean_rho=rho + (gap if model == "b" else 0))
            for model, rho in (("a", 0.3), ("b", 0.4))
            for name in ("xgrad_cam", "hires_cam")
        ]
        rows += [row_of(model, mean_rho=rho) for model, rho in (("a", 0.3002), ("b", 0.4))]
        rows += [row_of("a", explainer="layer_cam", mean_rho=0.3)]
        rows += [row_of("b", explainer="layer_cam", mean_rho=0.5)]
        return pd.DataFrame(rows)

    same = study(0.0)
    assert coinciding(same) == [["grad_cam", "hires_cam", "xgrad_cam"]]
    (said,) = [note for note in notes(same, table1(same)) if note.startswith("The same scores")]
    assert "Grad-CAM = HiResCAM = XGrad-CAM." in said
    other = study(0.01)
    assert coinciding(other) == [["hires_cam", "xgrad_cam"]]
    assert coinciding(same[same.explainer == "grad_cam"]) == []


def test_further_explainers_follow_the_public_columns(summary):
    more = summary[summary.explainer == "grad_cam"].assign(explainer="score_cam")
    table = table1(pd.concat([more, summary]))
    assert list(table)[:11] == PUBLIC_COLUMNS
    assert list(table.score_cam) == list(table.grad_cam)
    assert "score_cam" in blocks(table)[0].header


@pytest.mark.parametrize("names", [("layer_cam", "eigen_cam"), ("eigen_cam", "layer_cam")])
def test_explainers_are_the_papers_then_alphabetical(summary, names):
    assert explainer_order([*names, "threshold_grad_cam", "grad_cam", *names]) == [
        "grad_cam",
        "threshold_grad_cam",
        "eigen_cam",
        "layer_cam",
    ]
    more = [summary[:2].assign(explainer=name) for name in names]
    table = table1(pd.concat([*more, summary]))
    assert list(table).index("eigen_cam") < list(table).index("layer_cam")


def test_what_is_missing_is_said():
    frame = pd.DataFrame(
        [
            row_of("few", n=99.0),
            row_of("enough", n=100.0),
            row_of("untested", top1=np.nan, parameters=np.nan),
            row_of("constant", n=0.0, mean_rho=np.nan, score=np.nan, low=np.nan, high=np.nan),
        ]
    )
    table = table1(frame)
    cells = {row[0]: row[1:] for row in blocks(table)[0].rows}
    assert cells["few"][2] == "0.500† [0.480, 0.520]"
    assert cells["enough"][2] == "0.500 [0.480, 0.520]"
    assert cells["untested"][:2] == ["unknown", "not measured"]
    assert cells["constant"][2:] == ["undefined", "0", "not measured", "-"]
    remarks = notes(frame, table, "simulated maps")
    assert "†: from fewer than 100 images." in remarks
    assert remarks[-1] == "simulated maps"
    assert not any("†" in note for note in notes(frame[1:], table1(frame[1:])))


def test_a_summary_without_rows_gives_a_table_without_rows(summary):
    table = table1(summary[:0])
    assert len(table) == 0
    assert list(table)[:11] == PUBLIC_COLUMNS


def test_markdown_is_aligned_and_keeps_cells_apart():
    text = to_markdown([Block(["Model", "n"], [["a|b", "7"], ["longer_name", "1,234"]])], ["note"])
    lines = text.splitlines()
    assert [len(line) for line in lines[:4]] == [len(lines[0])] * 4
    assert lines[1] == "| ----------- | ----: |"
    assert lines[2] == r"| a\|b        |     7 |"
    assert lines[-1] == "- note"


def test_latex_escapes_every_special_character():
    assert latex_text("a_b & 5 % #{$}") == r"a\_b \& 5 \% \#\{\$\}"
    assert latex_text("~^\\") == r"\textasciitilde{}\textasciicircum{}\textbackslash{}"
    assert latex_text("-0.1 [-0.2, 0.1] Grad-CAM 3-4") == "$-$0.1 [$-$0.2, 0.1] Grad-CAM 3-4"


def test_latex_is_a_booktabs_tabular_with_even_rows(summary, paper):
    table = add_paper(table1(summary), paper)
    text = to_latex(blocks(table), notes(summary, table, "100 % of a_b"))
    assert re.sub(r"\\[{}]", "", text).count("{") == re.sub(r"\\[{}]", "", text).count("}")
    opened = re.findall(r"\\begin{(\w+)}", text)
    assert sorted(opened) == sorted(re.findall(r"\\end{(\w+)}", text))
    bodies = re.findall(r"\\toprule\n(.*?)\\bottomrule", text, re.S)
    columns = re.findall(r"\\begin{tabular}{@{}(lr+)@{}}", text)
    assert len(bodies) == len(columns) == 2
    for body, letters in zip(bodies, columns, strict=True):
        rows = [line for line in body.splitlines() if line != r"\midrule"]
        assert len(rows) == 17  # header and sixteen networks
        assert all(row.endswith(r" \\") for row in rows)
        assert {len(re.findall(r"(?<!\\)&", row)) + 1 for row in rows} == {len(letters)}
    unescaped = re.sub(r"^% .*$", "", text, flags=re.M)
    assert not re.search(r"(?<!\\)[%_#]", unescaped.replace("}}%", "}}"))
    assert r"caformer\_s18\_dcls" in text and "$-$0.06" in text


def test_paper_columns_difference_and_verdict(summary, paper):
    plain = table1(summary)
    assert not [name for name in plain if "paper" in name or "verdict" in name]
    table = add_paper(plain, paper).set_index(["model", "dcls"])
    row = table.loc[("resnet50", 1)]
    assert (row.paper_top1, row.paper_grad_cam, row.paper_threshold_grad_cam) == (
        78.35,
        0.6252,
        0.7261,
    )
    assert row.grad_cam_difference == pytest.approx(row.grad_cam - 0.6252)
    far = abs(table.grad_cam - table.paper_grad_cam) > 0.004 + 1e-9
    assert far.any() and not far.all()
    assert list(table.grad_cam_verdict == "differs") == list(far)
    assert set(table.grad_cam_verdict) == {"differs", "within interval"}


@pytest.mark.parametrize(
    ("theirs", "verdict"),
    [(0.479, "differs"), (0.48, "within interval"), (0.52, "within interval"), (0.521, "differs")],
)
def test_verdict_on_both_sides_of_the_interval(theirs, verdict):
    ours = table1(pd.DataFrame([row_of("resnet50", parameters=25.6e6, low=0.48, high=0.52)]))
    paper = pd.DataFrame([{"model": "resnet50", "dcls": 0, "network": "resnet50"}]).assign(
        top1=80, grad_cam=theirs, threshold_grad_cam=1
    )
    assert add_paper(ours, paper).grad_cam_verdict[0] == verdict


def test_no_verdict_without_both_numbers(summary, paper):
    table = add_paper(table1(summary[summary.explainer == "grad_cam"]), paper[:-1])
    assert set(table.threshold_grad_cam_verdict) == {""}
    assert table.grad_cam_verdict.iloc[-1] == ""
    last = blocks(table)[1].rows[-1]
    assert last == ["resnet50_dcls", "-", "-", "-", "-", "-"]


def test_the_papers_numbers_never_stand_beside_micro_models(summary, paper):
    micro = summary.assign(parameters=summary.parameters / 300)
    with pytest.raises(UserError, match="leave out --paper"):
        add_paper(table1(micro), paper)


def test_ceiling_is_read_from_the_scores(summary):
    assert human_ceiling(summary) == 0.65753
    assert human_ceiling(summary.assign(human_ceiling=np.nan)) is None
    assert human_ceiling(summary[:0]) is None
    several = summary.assign(human_ceiling=[0.5, np.nan] * (len(summary) // 2))
    with pytest.raises(UserError, match="several human ceilings: 0.5, none; score all runs"):
        human_ceiling(several)


def test_what_the_ceiling_is_is_said_where_it_divides(summary):
    found = notes(summary, table1(summary))
    assert "human ceiling 0.65753" in found[0]
    assert "no code that computes it is public" in found[1]
    assert "no upper bound" in found[1] and "a score above 1 is possible" in found[1]
    undivided = summary.assign(human_ceiling=np.nan)
    assert "ceiling" not in " ".join(notes(undivided, table1(undivided)))


@pytest.mark.parametrize("ceiling", [0.65753, 0.7, None])
def test_the_reports_caption_says_what_clickmes_ceiling_is(root, ceiling):
    caption = jinja2.Template((root / "report" / "table1.rst").read_text())
    config = {"study": "x", "data": "clickme", "clickme": {"human_ceiling": ceiling}}
    said = caption.render(snakemake={"config": config})
    assert ("0.65753 is the average alignment" in said) == (ceiling == 0.65753)
    assert ("no upper bound" in said) == (ceiling == 0.65753)
    without = caption.render(snakemake={"config": {"study": "x", "data": "digits"}})
    assert "0.65753" not in without and "human ceiling. Brackets hold" in without


def test_scores_of_leaves_out_what_is_undefined():
    frame = pd.DataFrame([row_of("b"), row_of("resnet50"), row_of("a", score=np.nan)])
    found = scores_of(frame, "grad_cam")
    assert list(found.index) == ["resnet50", "b"] and list(found.top1) == [80, 80]
    assert scores_of(frame, "layer_cam").empty


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("score,", "scores,"), "lacks the column score"),
        (lambda text: text.replace("82.1,", "eighty,", 1), "line 2: top1 'eighty' is not a number"),
        (lambda text: text.replace("convnext_tiny,0,", "convnext_tiny,2,"), "other than 0 and 1"),
        (lambda text: text + text.splitlines()[1] + "\n", "two rows for convnext_tiny, run"),
        (lambda text: "", "not a CSV file"),
    ],
)
def test_bad_summary_is_refused_in_one_sentence(summary_path, tmp_path, change, message):
    bad = tmp_path / "bad.csv"
    bad.write_text(change(summary_path.read_text()))
    with pytest.raises(UserError, match=message) as caught:
        main(["--summary", str(bad), "--output", str(tmp_path / "table1.csv")])
    assert str(bad) in str(caught.value)
    assert list(tmp_path.iterdir()) == [bad]


def test_absent_summary_is_refused(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        read_summary(tmp_path / "summary.csv")


def test_script_writes_four_files_beside_each_other(summary_path, root, tmp_path):
    output = tmp_path / "tables" / "table1.csv"
    paper = str(root / "resources" / "paper_table1.csv")
    main(["--summary", str(summary_path), "--output", str(output), "--paper", paper])
    assert {path.name for path in output.parent.iterdir()} == {
        "table1.csv",
        "table1.md",
        "table1.tex",
        "table1.html",
    }
    table = pd.read_csv(output)
    assert list(table)[:11] == PUBLIC_COLUMNS
    assert table.parameters.iloc[0] == 28589128
    assert "within interval" in output.with_suffix(".md").read_text()


def test_script_takes_a_name_for_each_file_and_a_note(summary_path, tmp_path):
    flags = ["--csv", "--markdown", "--latex", "--html"]
    paths = [tmp_path / f"file{number}" for number in range(4)]
    named = [text for pair in zip(flags, map(str, paths), strict=True) for text in pair]
    main(["--summary", str(summary_path), *named, "--caption-note", "made_up"])
    assert sorted(tmp_path.iterdir()) == paths
    assert paths[1].read_text().endswith("- made_up\n")
    assert r"made\_up" in paths[2].read_text()
    assert "aper" not in paths[1].read_text()


class Tags(html.parser.HTMLParser):
    """Start tags with their attributes, and the text by innermost tag."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.texts, self._open = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag != "meta":
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if data.strip():
            self.texts.append((self._open[-1], data))


def test_the_page_has_named_header_cells_and_sorts_by_scores(summary, paper):
    table = add_paper(table1(summary), paper)
    tables = [Table.of_block(block) for block in blocks(table)]
    page = tables_page("Table 1", tables, notes(summary, table, "a < b & c"), "t.csv", "a,b\n")
    found = Tags(page)
    assert found._open == []
    names = [tag for tag, _ in found.tags]
    assert names.count("table") == names.count("caption") == 2
    assert names.count("tr") == 2 * 17
    scopes = [attributes["scope"] for tag, attributes in found.tags if tag == "th"]
    assert scopes.count("row") == 32 and scopes.count("col") == 7 + 6
    assert ("li", "a < b & c") in found.texts
    assert ("th", "resnet50_dcls") in found.texts and ("td", "within interval") in found.texts
    keys = [float(a["data-value"]) for tag, a in found.tags if "data-value" in a]
    assert {28.6e6, 82.48, round(table.grad_cam[0], 4)} < set(keys)
    assert dict(found.tags)["html"] == {"lang": "en"}


def test_scores_under_the_papers_protocol_have_their_own_block(summary, tmp_path):
    other = summary.assign(
        score=summary.score - 0.1, low=summary.low - 0.1, high=summary.high - 0.1
    )
    other = other[["model", "dcls", "run", "network", "explainer", "score", "low", "high", "n"]]
    other = other[(other.model != "resnet50") | (other.dcls == 0)]
    other.loc[0, "n"] = 99
    table = add_paper_protocol(table1(summary), other)
    plain = blocks(table1(summary))
    assert len(plain) == 1
    first, under = blocks(table)
    assert first.rows == plain[0].rows
    assert under.header == ["Protocol paper", "Grad-CAM", "n", "Threshold-Grad-CAM", "n"]
    assert under.rows[0][:3] == ["convnext_tiny", "0.570† [0.566, 0.574]", "99"]
    assert under.rows[-1] == ["resnet50_dcls", "not measured", "-", "not measured", "-"]
    remarks = notes(summary, table)
    assert "†: from fewer than 100 images." in remarks
    assert any(remark.startswith("Protocol paper: ") for remark in remarks)
    assert not any("Protocol" in remark for remark in notes(summary, table1(summary)))
    other.to_csv(tmp_path / "other.csv", index=False)
    summary.to_csv(tmp_path / "summary.csv", index=False)
    flags = ["--paper-protocol", str(tmp_path / "other.csv")]
    main_flags = ["--summary", str(tmp_path / "summary.csv"), "--output", str(tmp_path / "t.csv")]
    main([*main_flags, *flags])
    written = pd.read_csv(tmp_path / "t.csv")
    assert list(written)[:11] == PUBLIC_COLUMNS
    difference = written.threshold_grad_cam - written.threshold_grad_cam_paper_protocol
    assert difference.dropna().to_numpy() == pytest.approx(0.1)
    assert "Protocol paper" in (tmp_path / "t.md").read_text()


def test_images_that_repeat_are_said():
    once = pd.DataFrame([row_of("resnet50", n_records=500.0)])
    assert not [note for note in notes(once, table1(once)) if "records" in note]
    often = pd.DataFrame([row_of("resnet50", n_records=1200.0)])
    (note,) = [note for note in notes(often, table1(often)) if "records" in note]
    assert "The 500 images stand in 1,200 records" in note and "averaged first" in note
    assert "resnet50_n_records" not in str(list(table1(often)))


def test_of_many_networks_latex_has_those_that_come_first(root, tmp_path):
    summary = summary_of(300)
    summary.to_csv(tmp_path / "summary.csv", index=False)
    last = summary["network"].iloc[-1]
    main(
        ["--summary", str(tmp_path / "summary.csv"), "--output", str(tmp_path / "t.csv")]
        + ["--paper", str(root / "resources" / "paper_table1.csv"), "--label", last]
    )
    latex, page = (tmp_path / "t.tex").read_text(), (tmp_path / "t.html").read_text()
    assert "24 of 308 networks or pairs are shown; all are in table1.html." in latex
    assert last.replace("_", "\\_") in latex and latex.count("\n") < 90
    assert len(page) < 1_000_000 and all(name in page for name in summary["network"])
    text = (tmp_path / "t.md").read_text()
    assert text.count(f"| {last} ") == 1 and text.count("| resnet50_dcls ") == 2  # the paper has it
