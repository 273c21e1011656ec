import base64
import json
import re

import describe_study
import pandas as pd
import pytest
import show_table
import small_study
from human_alignment.common.cli import UserError
from human_alignment.outcome.pages import as_data, fill, number, table


def test_a_place_that_nothing_fills_is_an_error():
    with pytest.raises(KeyError, match="body"):
        fill("table.html", title="x")


def test_data_cannot_end_its_script():
    text = as_data({"a": "</script><script>alert(1)</script>"})
    assert "<" not in text and json.loads(text)["a"].startswith("</script>")
    with pytest.raises(ValueError, match="not JSON compliant"):
        as_data(float("nan"))


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
    assert number(value) == shown


def test_cells_keep_their_full_value_for_sorting():
    frame = pd.DataFrame({"name": ["a<b", None], "p": [1e-24, float("nan")]})
    html = table(frame, "values")
    assert "<td>a&lt;b</td>" in html
    assert '<td class="number" data-value="1e-24">1.0e-24</td>' in html
    assert html.count('data-value=""></td>') == 2


def test_a_table_page_holds_its_csv_file(tmp_path):
    (tmp_path / "t.csv").write_text("model,rho\nä,0.5\n")
    show_table.main(
        ["--table", str(tmp_path / "t.csv"), "--title", "T", "--output", str(tmp_path / "t.html")]
    )
    text = (tmp_path / "t.html").read_text()
    held = re.search(r'download="t.csv" href="data:text/csv;charset=utf-8;base64,([^"]+)"', text)
    assert base64.b64decode(held[1]).decode() == (tmp_path / "t.csv").read_text()
    assert not re.search(r"https?://|<link|@import|src=", text)


def test_an_empty_table_is_refused(tmp_path):
    (tmp_path / "t.csv").write_text("")
    with pytest.raises(UserError, match="t.csv is not a CSV file with a header"):
        show_table.main(
            ["--table", str(tmp_path / "t.csv"), "--title", "T"]
            + ["--output", str(tmp_path / "t.html")]
        )


def test_what_a_study_is_made_of(tmp_path):
    study = small_study.make(tmp_path, count=8)
    describe_study.main(
        ["--config", '{"study": "small", "threads": 1}', "--data", str(study.data)]
        + ["--heatmaps", *map(str, study.heatmaps), "--output", str(tmp_path / "s.html")]
        + ["--protocol", small_study.protocol_json("paper"), "--record", str(tmp_path / "s.json")]
    )
    record = json.loads((tmp_path / "s.json").read_text())
    assert record["config"] == {"study": "small", "threads": 1}
    assert record["protocol"]["below_threshold"] == "zero"
    assert record["data"]["images"] == 8 and record["data"]["left out"] == {}
    assert [run["network"] for run in record["runs"]] == ["near", "far", "odd"]
    assert record["runs"][0]["weights digest"] == "w" * 64
    assert record["software"]["numpy"] and record["software"]["Python"].startswith("3.")
    text = (tmp_path / "s.html").read_text()
    for expected in ("below_threshold", "threads: 1", "w" * 64, "numpy", "made up"):
        assert expected in text
