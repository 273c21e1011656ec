import json
import re
from urllib.parse import unquote

import describe_study
import numpy as np
import pandas as pd
import pytest
import score_alignment
import show_table
import small_study
from human_alignment.common.cli import UserError
from human_alignment.outcome.markup import Block
from human_alignment.outcome.page_tables import (
    Cell,
    Table,
    leading_number,
    rounded,
    tables_page,
)
from human_alignment.outcome.pages import (
    GALLERY_PAGE,
    STUDY_PAGE,
    TABLES_PAGE,
    TEMPLATES,
    css_string,
    render,
)
from jinja2 import Environment, UndefinedError
from jinja2.meta import find_referenced_templates


@pytest.mark.parametrize("page", [TABLES_PAGE, STUDY_PAGE, GALLERY_PAGE])
def test_a_page_names_every_file_that_it_is_made_of(page):
    parse, todo, found = Environment().parse, [page[0]], set()
    while todo:
        name = todo.pop()
        found.add(name)
        todo += find_referenced_templates(parse((TEMPLATES / name).read_text()))
    assert found == set(page) and len(page) == len(found)


@pytest.mark.parametrize("page", [TABLES_PAGE, STUDY_PAGE, GALLERY_PAGE])
def test_styles_and_scripts_hold_no_mark_of_the_template_language(page):
    for name in page:
        if not name.endswith(".html"):
            assert not re.search(r"\{\{|\{%|\{#", (TEMPLATES / name).read_text()), name


@pytest.mark.parametrize("text", ["", "Top-1 (%)", 'a"b', "\\", "ρ\n", "}</style>"])
def test_any_text_can_be_a_string_of_a_style_sheet(text):
    escaped = css_string(text)
    assert re.fullmatch(r'"([A-Za-z0-9]|\\[0-9a-f]+ )*"', escaped)
    plain = re.sub(r"\\([0-9a-f]+) ", lambda found: chr(int(found[1], 16)), escaped[1:-1])
    assert plain == text


def test_a_value_that_is_missing_is_an_error():
    with pytest.raises(UndefinedError, match="title"):
        render(TABLES_PAGE)


def test_data_cannot_end_its_script():
    data = {"a": "</script><script>alert(1)</script>"}
    html = render(GALLERY_PAGE, title="t", study="s", about=[], data=data)
    (text,) = re.findall(r'id="data">(.*?)</script>', html, re.S)
    assert "<" not in text and json.loads(text) == data
    with pytest.raises(ValueError, match="not JSON compliant"):
        render(GALLERY_PAGE, title="t", study="s", about=[], data=float("nan"))


@pytest.mark.parametrize(
    "value, shown",
    [
        (0, "0"),
        (28_600_000, "28,600,000"),
        (-0.12345, "-0.123"),
        (0.00012, "1.2e-04"),
        (2.5e9 + 0.5, "2.5e+09"),
    ],
)
def test_numbers_as_a_table_shows_them(value, shown):
    assert rounded(value) == shown


@pytest.mark.parametrize(
    "text, number",
    [
        ("0.530† ± 0.030 [0.500, 0.560]", 0.53),
        ("-0.1 (+0.2)", -0.1),
        ("1,234", 1234),
        ("28.6 M", 28.6e6),
        ("95 k", 95e3),
        ("-", ""),
        ("not measured", ""),
    ],
)
def test_the_number_that_a_cell_begins_with(text, number):
    assert leading_number(text) == number


def test_a_column_of_text_sorts_by_its_numbers_if_it_has_any():
    block = Block(["Model", "Score", "verdict"], [["1st", "0.5 k", "-"], ["b", "-", "differs"]])
    table = Table.of_block(block)
    assert table.numeric == [False, True, False]
    assert table.rows[0] == [Cell("1st"), Cell("0.5 k", 500), Cell("-")]
    assert table.rows[1] == [Cell("b"), Cell("-", ""), Cell("differs")]
    assert Table.of_block(Block(["Model", "n"], [])).numeric == [False, False]


def test_cells_keep_their_full_value_for_sorting():
    frame = pd.DataFrame({"name": ["a<b", None], "p": [1e-24, float("nan")]})
    html = tables_page("values", [Table.of_frame(frame)], [], "v.csv", "")
    assert '<th scope="row">a&lt;b</th>' in html and '<th scope="row"></th>' in html
    assert '<td data-value="1e-24">1.0e-24</td>' in html
    assert html.count('data-value=""></td>') == 1


def test_a_table_page_holds_its_csv_file(tmp_path):
    (tmp_path / "t.csv").write_text("model,rho\nä,0.5\n")
    show_table.main(
        ["--table", str(tmp_path / "t.csv"), "--title", "T", "--output", str(tmp_path / "t.html")]
    )
    text = (tmp_path / "t.html").read_text()
    held = re.search(r'download="t.csv" href="data:text/csv;charset=utf-8,([^"]+)"', text)
    assert unquote(held[1]) == (tmp_path / "t.csv").read_text()
    assert not re.search(r"https?://|<link|@import|src=", text)


def test_a_long_table_by_stratum_leaves_its_classes_to_the_csv_file(tmp_path):
    lines = [f"net,class,class {number}" for number in range(2000)]
    lines = ["model,stratification,stratum", "net,prediction,right", *lines]
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    paths = ["--table", str(tmp_path / "t.csv"), "--output", str(tmp_path / "t.html")]
    show_table.main([*paths, "--title", "T", "--note", "A note."])
    text = (tmp_path / "t.html").read_text()
    sentence = "The 2,000 rows of single classes are in t.csv, not on this page."
    assert 0 < text.find(sentence) < text.find("<table") < text.find("A note.")
    assert text.count('<th scope="row">') == 1 and "<td>right</td>" in text
    held = re.search(r'href="data:text/csv;charset=utf-8,([^"]+)"', text)
    assert unquote(held[1]) == (tmp_path / "t.csv").read_text()
    (tmp_path / "t.csv").write_text("\n".join(lines[:-1]) + "\n")
    show_table.main([*paths, "--title", "T"])
    text = (tmp_path / "t.html").read_text()
    assert text.count('<th scope="row">') == 2000 and "single classes" not in text


@pytest.mark.parametrize("columns", [2, 20])
def test_a_page_shows_the_first_rows_of_a_table_that_is_too_long(tmp_path, columns):
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(60_000, columns)))
    frame.insert(0, "network", "vit_relpos_medium_patch16_rpn_224.sw_in1k")
    frame.to_csv(tmp_path / "t.csv", index=False)
    show_table.main(
        ["--table", str(tmp_path / "t.csv"), "--title", "T", "--output", str(tmp_path / "t.html")]
    )
    assert (tmp_path / "t.html").stat().st_size < 4_000_000
    text = (tmp_path / "t.html").read_text()
    most = text.count('<th scope="row">')
    assert len(text.encode()) > 3_000_000 and most < 60_000
    sentence = f"The first {most:,} of 60,000 rows are shown; t.csv has all of them."
    assert 0 < text.find(sentence) < text.find("<table")  # where a reader begins
    assert "it is the file t.csv of the study, too large for this page." in text
    assert "download=" not in text


def test_an_empty_table_is_refused(tmp_path):
    (tmp_path / "t.csv").write_text("")
    with pytest.raises(UserError, match="t.csv cannot be read as a table"):
        show_table.main(
            ["--table", str(tmp_path / "t.csv"), "--title", "T"]
            + ["--output", str(tmp_path / "t.html")]
        )


def test_the_studys_page_names_the_explainers_that_are_scored(tmp_path):
    study = small_study.make(tmp_path, count=8)
    scored = ["--protocol", "released", "--explainers", "grad_cam"]
    files = ["--data", str(study.data), "--heatmaps", str(study.heatmaps[0])]
    score_alignment.main([*files, *scored, "--output", str(study.scores[0])])
    describe_study.main(
        ["--config", '{"study": "small"}', "--data", str(study.data), "--protocol", "released"]
        + ["--sources", *map(str, study.sources), "--output", str(tmp_path / "s.html")]
        + ["--record", str(tmp_path / "s.json")]
    )
    record = json.loads((tmp_path / "s.json").read_text())
    both = "grad_cam, threshold_grad_cam"
    assert [run["explainers"] for run in record["runs"]] == ["grad_cam", both, both]


def test_what_a_study_is_made_of(tmp_path):
    study = small_study.make(tmp_path, count=8)
    describe_study.main(
        ["--config", '{"study": "small", "threads": 1}', "--data", str(study.data)]
        + ["--sources", *map(str, study.sources), "--output", str(tmp_path / "s.html")]
        + ["--protocol", small_study.protocol_json("paper"), "--record", str(tmp_path / "s.json")]
    )
    record = json.loads((tmp_path / "s.json").read_text())
    assert record["config"] == {"study": "small", "threads": 1}
    assert record["protocol"]["below_threshold"] == "zero"
    assert record["data"]["images"] == 8 and record["data"]["left out"] == {}
    assert record["data"]["human ceiling"] is None
    assert [run["network"] for run in record["runs"]] == ["near", "far", "odd"]
    assert record["runs"][0] == {
        "network": "near",
        "run": "seed0",
        "parameters": 7,
        "explainers": "grad_cam, threshold_grad_cam",
        "geometry": "crop",
        "extracted with": "torch 0",
        "weights digest": "w" * 64,
    }
    assert record["software"]["numpy"] and record["software"]["Python"].startswith("3.")
    text = (tmp_path / "s.html").read_text()
    for expected in ("below_threshold", "threads: 1", "w" * 64, "numpy", "made up"):
        assert expected in text


def test_the_page_of_a_study_of_many_networks_is_small_and_searched(tmp_path):
    study = small_study.make(tmp_path, count=8)
    sources = []
    for number in range(300):
        folder = tmp_path / "many" / f"net{number}"
        folder.mkdir(parents=True)
        sources.append(folder / "seed0.source.json")
        sources[-1].write_text(study.sources[0].read_text())
    models = {path.parent.name: {"source": "published"} for path in sources}
    describe_study.main(
        ["--config", json.dumps({"study": "many", "models": models}), "--data", str(study.data)]
        + ["--sources", *map(str, sources), "--output", str(tmp_path / "s.html")]
        + ["--protocol", "released", "--record", str(tmp_path / "s.json")]
    )
    text = (tmp_path / "s.html").read_text()
    assert len(text) < 500_000 and "net299" in text
    assert text.count('type="search"') == 2  # of networks, and of packages


def test_a_damaged_source_is_told(tmp_path):
    study = small_study.make(tmp_path, count=8)
    study.sources[1].write_text('{"parameters": 7}')
    with pytest.raises(UserError, match="far/seed0.source.json"):
        describe_study.main(
            ["--config", '{"study": "small"}', "--data", str(study.data), "--protocol", "released"]
            + ["--sources", *map(str, study.sources), "--output", str(tmp_path / "s.html")]
            + ["--record", str(tmp_path / "s.json")]
        )
