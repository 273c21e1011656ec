"""The gallery and the report in a real browser, cut off from the network."""

import base64
import contextlib
import json
import os
import re
import shutil
from io import BytesIO
from urllib.parse import unquote

import describe_study
import make_leaderboard
import numpy as np
import pandas as pd
import pytest
import show_table
import small_study
from human_alignment.heatmaps.heatmap_file import HeatmapFile
from human_alignment.outcome.claims_table import to_page as claims_page
from human_alignment.outcome.overlays import heatmap_overlay
from human_alignment.outcome.page_tables import Table, tables_page
from human_alignment.scores.postprocess import postprocess
from human_alignment.scores.protocol import PRESETS
from many_networks import references, skill_of, summary_of, tables_of
from PIL import Image
from playwright.sync_api import expect, sync_playwright

# The first is Chromium without windows. It opens pages twice as fast.
BROWSERS = ("chromium-headless-shell", "chromium", "google-chrome")
PHONE = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}
LOCAL = ("file:", "data:", "blob:")
# Snakemake's report warns of a style library of its own; it is embedded and loads nothing.
KNOWN_WARNING = "cdn.tailwindcss.com should not be used in production"
KEPT = "[document.cookie, localStorage.length + sessionStorage.length]"


@pytest.fixture(scope="module")
def browser():
    chromium = next(filter(None, map(shutil.which, BROWSERS)), None)
    if chromium is None:
        pytest.fail(
            "these tests drive Chromium, which is not here: apt-get install chromium-headless-shell"
        )
    flags = ["--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    flags += ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium has no sandbox for root
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def context_of(browser):
    """A browser's context of these settings. A context costs a second, so that tests share it."""
    contexts = {}

    def context_of(settings):
        key = json.dumps(settings, sort_keys=True)
        if key not in contexts:
            contexts[key] = browser.new_context(**settings)
        return contexts[key]

    yield context_of
    for context in contexts.values():
        context.close()


@pytest.fixture
def open_page(context_of):
    """Open a file; at the end, no error was told, no dialog, nothing asked of the network."""
    with watched_pages(context_of) as open_page:
        yield open_page


@contextlib.contextmanager
def watched_pages(context_of):
    pages, troubles = [], []

    def on_console(message):
        if message.type in ("error", "warning") and KNOWN_WARNING not in message.text:
            troubles.append(message.text)

    def on_request(request):
        if not request.url.startswith(LOCAL):
            troubles.append(f"asked for {request.url}")

    def on_dialog(dialog):
        troubles.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def open_page(path, address="", **settings):
        page = context_of({"offline": True} | settings).new_page()
        pages.append(page)
        page.set_default_timeout(10_000)
        page.on("console", on_console)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", on_request)
        page.on("dialog", on_dialog)
        page.goto(path.as_uri() + address)
        return page

    yield open_page
    for page in pages:
        kept = page.evaluate(KEPT)
        page.close()
        assert kept == ["", 0], "a page keeps nothing that another test could meet"
    assert troubles == []


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return small_study.make(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def gallery(small, tmp_path_factory):
    return small.gallery(tmp_path_factory.mktemp("gallery") / "gallery.html")


@pytest.fixture(scope="module")
def rho(small):
    """Threshold-Grad-CAM scores: a row per image, a column per network."""
    tables = [pd.read_parquet(path) for path in small.scores]
    rows = [table[table["explainer"] == "threshold_grad_cam"] for table in tables]
    columns = [table.set_index("image_id")["rho"] for table in rows]
    return pd.concat(columns, axis=1, keys=small_study.MODELS)


def drawn(page, image):
    """Wait until the maps of an image are painted."""
    expect(page.locator("body")).to_have_attribute("data-drawn", image)


def caption(page, name):
    return page.locator(f"#panel-{name} figcaption")


def canvas(page, name):
    """Pixels of a panel, uint8 (side, side, 3)."""
    code = "c => c.toDataURL('image/png').split(',')[1]"
    encoded = page.locator(f"#panel-{name} canvas").evaluate(code)
    return np.asarray(Image.open(BytesIO(base64.b64decode(encoded))).convert("RGB"))


def shown(value):
    return f"{value:.3f}".replace("-", "\u2212")


def test_the_gallery_shows_image_human_map_and_two_networks(gallery, open_page, rho):
    page = open_page(gallery)
    drawn(page, "image-000")
    expect(page.locator("h1")).to_have_text("Where the networks look: study small")
    expect(caption(page, "a")).to_contain_text(f"near\u03c1 = {shown(rho['near'].iloc[0])}")
    expect(caption(page, "b")).to_contain_text(f"far\u03c1 = {shown(rho['far'].iloc[0])}")
    difference = shown(rho["near"].iloc[0] - rho["far"].iloc[0])
    expect(page.locator("#difference")).to_have_text(
        f"A \u2212 B = +{difference} with Threshold-Grad-CAM"
    )
    expect(page.locator("#list li")).to_have_count(40)
    expect(page.locator("#all li")).to_have_count(3)
    pictures = [canvas(page, name).astype(int) for name in ("image", "human", "a", "b")]
    for i, one in enumerate(pictures):
        assert all(np.abs(one - other).mean() > 2 for other in pictures[:i])


@pytest.mark.parametrize("preset", ["released", "paper"])
def test_maps_look_as_in_figure_1(preset, tmp_path, open_page):
    study = small_study.make(tmp_path, count=12, preset=preset)
    page = open_page(study.gallery(tmp_path / "g.html"), "#image=image-009&a=far/seed0")
    drawn(page, "image-009")
    code = "data.images[9].jpeg"
    image = np.asarray(Image.open(BytesIO(base64.b64decode(page.evaluate(code)))))
    with HeatmapFile(study.heatmaps[1]) as heatmaps:
        raw = heatmaps.maps("threshold_grad_cam", 9, 10)
    expected = {}
    for name, protocol in PRESETS.items():
        heat = postprocess(protocol, "threshold_grad_cam", raw, small_study.SIDE)[0]
        expected[name] = heatmap_overlay(image, heat).astype(int)
    difference = np.abs(canvas(page, "a") - expected.pop(preset))
    assert difference.mean() < 1 and np.quantile(difference, 0.99) < 5
    (other,) = expected.values()
    assert np.abs(canvas(page, "a") - other).mean() > 3


def test_networks_and_explainers_are_switched(gallery, open_page, small):
    page = open_page(gallery)
    drawn(page, "image-000")
    before = canvas(page, "a")
    page.get_by_label("A network").select_option(label="odd")
    expect(caption(page, "a")).to_contain_text("odd")
    page.get_by_label("show far as A").click()
    expect(caption(page, "a")).to_contain_text("far")
    page.get_by_label("Explainer").select_option(label="Grad-CAM")
    table = pd.read_parquet(small.scores[1])
    expect(caption(page, "a")).to_contain_text(shown(table["rho"].iloc[0]))
    assert np.abs(canvas(page, "a").astype(int) - before).mean() > 1
    page.get_by_label("over image").uncheck()
    expect(page.get_by_label("Opacity of the maps")).to_be_disabled()
    assert (canvas(page, "a").min(axis=(0, 1)) < 10).all()  # the map alone: the darkest colour


def test_sorting_puts_the_largest_difference_first(gallery, open_page, rho):
    page = open_page(gallery)
    ahead = (rho["near"] - rho["far"]).dropna().sort_values(kind="stable")
    first = page.locator("#list li img").first
    page.get_by_label("Sort by").select_option("d-up")
    expect(first).to_have_attribute("alt", f"image {ahead.index[0]}, class {row(ahead, 0) % 4}")
    drawn(page, ahead.index[0])
    page.get_by_label("Sort by").select_option("d-down")
    drawn(page, ahead.index[-1])
    page.get_by_label("Sort by").select_option("b-up")
    drawn(page, rho["far"].idxmin())
    last = page.locator("#list li").last
    expect(last).to_contain_text("\u2013")  # without a score: at the end, whatever the order


def row(series, place):
    return int(series.index[place].split("-")[1])


def test_a_class_is_filtered(gallery, open_page):
    page = open_page(gallery)
    page.get_by_label("Class", exact=True).select_option("3")
    expect(page.locator("#list li")).to_have_count(10)
    expect(page.locator("#title")).to_have_text("class 3image-003, 1 of 10")


def test_the_keyboard_does_all_of_it(gallery, open_page):
    page = open_page(gallery)
    drawn(page, "image-000")
    for keys, image in (
        (["ArrowRight", "ArrowRight"], "image-002"),
        (["ArrowLeft"], "image-001"),
        (["End"], "image-039"),
        (["ArrowRight"], "image-039"),
        (["Home"], "image-000"),
    ):
        for key in keys:
            page.keyboard.press(key)
        drawn(page, image)
    page.keyboard.press("b")
    expect(caption(page, "b")).to_contain_text("odd")
    page.keyboard.press("Shift+B")
    expect(caption(page, "b")).to_contain_text("far")
    page.keyboard.press("x")
    expect(caption(page, "a")).to_contain_text("far")
    page.keyboard.press("e")
    expect(page.locator("#difference")).to_contain_text("with Grad-CAM")
    page.keyboard.press("o")
    expect(page.get_by_label("over image")).not_to_be_checked()
    page.keyboard.press("?")
    expect(page.locator("#help table")).to_be_visible()
    page.keyboard.press("Control+b")  # the browser's own keys stay the browser's
    expect(caption(page, "b")).to_contain_text("near")


def test_the_address_brings_back_the_view(gallery, open_page):
    page = open_page(gallery)
    page.get_by_label("Sort by").select_option("a-up")
    page.get_by_label("B network").select_option(label="odd")
    page.keyboard.press("Escape")
    page.get_by_label("next image").click()
    title = page.locator("#title").text_content()
    again = open_page(gallery, page.evaluate("location.hash"))
    expect(again.locator("#title")).to_have_text(title)
    expect(caption(again, "b")).to_contain_text("odd")
    expect(again.get_by_label("Sort by")).to_have_value("a-up")
    wrong = open_page(gallery, "#a=nobody&sort=size&image=none&opacity=lots&label=9")
    expect(wrong.locator("#title")).to_contain_text("image-000, 1 of 40")


def share_below(heat, row, column):
    """Percent of a map's positions that are lower than one of them, ties counted half."""
    value = heat[row, column]
    return 100 * ((heat < value).mean() + (heat == value).mean() / 2)


def test_what_the_mouse_is_over_is_marked_and_compared_in_all_pictures(gallery, open_page, small):
    page = open_page(gallery, "#image=image-009&a=near/seed0&b=far/seed0&explainer=grad_cam")
    drawn(page, "image-009")
    marks, side = page.locator("#panels .point"), small_study.SIDE
    expect(page.locator("#panels .point:visible")).to_have_count(0)
    box = page.locator("#panel-b canvas").bounding_box()
    x, y = 0.7, 0.3
    page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
    expect(page.locator("#panels .point:visible")).to_have_count(4)
    for name, mark in zip(("image", "human", "a", "b"), marks.all(), strict=True):
        own, point = page.locator(f"#panel-{name} canvas").bounding_box(), mark.bounding_box()
        across = (point["x"] + point["width"] / 2 - own["x"]) / own["width"]
        down = (point["y"] + point["height"] / 2 - own["y"]) / own["height"]
        assert abs(across - x) < 0.01 and abs(down - y) < 0.01
    row, column = int(y * side), int(x * side)
    expect(page.locator("#panel-image .here")).to_have_text(f"column {column + 1}, row {row + 1}")
    for name, path in zip("ab", small.heatmaps, strict=False):
        with HeatmapFile(path) as heatmaps:
            raw = heatmaps.maps("grad_cam", 9, 10)
        heat = postprocess(PRESETS["released"], "grad_cam", raw, side)[0]
        said = page.locator(f"#panel-{name} .here").text_content()
        percent = int(re.fullmatch(r"above (\d+) % of the map", said)[1])
        assert abs(percent - share_below(heat, row, column)) < 2
    page.keyboard.press("ArrowRight")  # the mark stays where it is, for the next image
    drawn(page, "image-010")
    expect(page.locator("#panels .point:visible")).to_have_count(4)
    page.mouse.move(1, 1)
    expect(page.locator("#panels .point:visible")).to_have_count(0)
    expect(page.locator("#panel-b .here")).to_be_empty()


def test_a_map_that_does_not_exist_has_no_rank(gallery, open_page):
    page = open_page(gallery, f"#a=odd/seed0&image=image-{small_study.NONFINITE:03d}", **PHONE)
    page.locator("#panel-human canvas").tap(position={"x": 20, "y": 20})
    expect(page.locator("#panel-a .here")).to_have_text("no map")
    expect(page.locator("#panel-b .here")).to_contain_text("% of the map")
    expect(page.locator("#panels .point:visible")).to_have_count(4)  # a lifted finger leaves it


def test_the_link_to_a_view_is_copied_and_opens_it(gallery, open_page):
    page = open_page(gallery, permissions=["clipboard-read", "clipboard-write"])
    page.get_by_label("Sort by").select_option("d-up")
    page.get_by_label("A network").select_option(label="odd")
    page.get_by_label("Explainer").select_option(label="Grad-CAM")
    page.get_by_label("next image").click()
    page.get_by_role("button", name="Copy link").click()
    expect(page.locator("#copied")).to_have_text("Copied.")
    link = page.evaluate("navigator.clipboard.readText()")
    address, _, view = link.partition("#")
    assert address == gallery.as_uri()
    again = open_page(gallery, "#" + view)
    for name in ("A network", "Explainer", "Sort by"):
        chosen = page.get_by_label(name, exact=True).input_value()
        expect(again.get_by_label(name, exact=True)).to_have_value(chosen)
    expect(again.locator("#title")).to_have_text(page.locator("#title").text_content())
    page.get_by_label("next image").click()
    expect(page.locator("#copied")).to_be_empty()  # what is shown is another view now


def test_a_browser_that_forbids_copying_says_so(gallery, open_page):
    page = open_page(gallery)
    page.evaluate(
        "() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }"
    )
    page.get_by_role("button", name="Copy link").click()
    expect(page.locator("#copied")).to_contain_text("copy the address of this page by hand")


@pytest.mark.parametrize(
    "number, words",
    [
        (small_study.CONSTANT_HUMAN, "constant human map"),
        (small_study.CONSTANT_MAP, "constant heatmap"),
        (small_study.NONFINITE, "nonfinite heatmap"),
    ],
)
def test_an_undefined_score_says_why(gallery, open_page, number, words):
    page = open_page(gallery, f"#a=odd/seed0&image=image-{number:03d}")
    expect(caption(page, "a").locator("strong")).to_have_text(words)
    expect(page.locator("#difference")).to_contain_text("is not defined")
    expect(page.locator("#all li", has_text="odd")).to_contain_text(words)


def test_only_pictures_near_the_screen_are_decoded(gallery, open_page):
    page = open_page(gallery, viewport={"width": 420, "height": 500})
    drawn(page, "image-000")
    assert page.locator("#list img:not([src])").count() > 10
    page.locator("#list li").last.scroll_into_view_if_needed()
    expect(page.locator("#list img").last).to_have_attribute("src", re.compile("^data:image/jpeg;"))


def test_a_phone_shows_it_without_sideways_scrolling(gallery, open_page):
    page = open_page(gallery, **PHONE)
    drawn(page, "image-000")
    page.locator("#help summary").tap()
    widths = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert widths[0] <= widths[1] == 360
    for target in page.locator("button:visible, select:visible, summary:visible").all():
        box = target.bounding_box()
        assert min(box["width"], box["height"]) >= 44
    page.get_by_label("next image").tap()
    drawn(page, "image-001")
    page.locator("#list button").nth(20).tap()
    drawn(page, "image-020")
    expect(page.locator("#title")).to_be_in_viewport()


def test_a_phone_shows_the_pictures_before_the_settings(gallery, open_page):
    page = open_page(
        gallery, viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True
    )
    drawn(page, "image-000")
    for name in ("image", "human", "a", "b"):
        box = page.locator(f"#panel-{name} canvas").bounding_box()
        assert box["y"] + box["height"] < 844  # all four are seen without scrolling
    summary = page.locator("#settings summary")
    expect(summary).to_have_text("Settings: A near, B far, Threshold-Grad-CAM")
    expect(page.get_by_label("A network")).to_be_hidden()
    summary.tap()
    page.get_by_label("A network").select_option(label="odd")
    expect(summary).to_contain_text("A odd, B far")
    page.set_viewport_size({"width": 1400, "height": 900})
    expect(page.get_by_label("A network")).to_be_visible()
    expect(summary).to_be_hidden()


def test_dark_and_light_follow_the_system(gallery, open_page):
    code = "getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).map(Number)"
    light = open_page(gallery, color_scheme="light").evaluate(code)
    dark = open_page(gallery, color_scheme="dark").evaluate(code)
    assert min(light) > 200 and max(dark) < 60


def test_everything_has_a_name_for_those_who_cannot_see(gallery, open_page):
    page = open_page(gallery)
    drawn(page, "image-000")
    unnamed = """() => [...document.querySelectorAll('select, input, button, img, canvas')].filter(
        e => !(e.labels?.length || e.getAttribute('aria-label') || e.alt || e.textContent.trim())
    ).map(e => e.outerHTML)"""
    assert page.evaluate(unnamed) == []
    page.keyboard.press("Tab")
    expect(page.get_by_label("A network")).to_be_focused()
    outline = page.get_by_label("A network").evaluate("e => getComputedStyle(e).outlineWidth")
    assert outline == "3px"


HOSTILE = [
    "<script>window.hacked = 1; alert(1)</script>",
    '"><img src=x onerror="window.hacked = 1; alert(1)">',
    "</script><script>window.hacked = 1; alert(1)</script>",
    "<!--<script>",
    "{{7*7}}{% raw %}{# x #}",
    "${window.hacked = 1}`+alert(1)+`",
    "'-alert(1)-'",
    "\\u003cimg src=x onerror=alert(1)\\u003e &lt;b&gt;",
    "a\u2028window.hacked = 1//b",
    "\u202egnp.x\u200f\u2066",
    "javascript:alert(1)",
    "]]><svg onload='window.hacked = 1'>",
    "%3Cscript%3Ealert(1)%3C/script%3E&image=x#",
]
OPEN_ALL = "document.querySelectorAll('details').forEach(one => { one.open = true; })"
# As folders, which a slash would end; the schema of a config allows none of these.
HOSTILE_MODELS = (HOSTILE[1], HOSTILE[4], HOSTILE[6])


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A study in which every name that a file can hold is hostile."""
    return small_study.make(
        tmp_path_factory.mktemp("hostile"), count=len(HOSTILE), names=HOSTILE_MODELS, ids=HOSTILE,
        dataset=HOSTILE[0], description=HOSTILE[2],
    )  # fmt: skip


def nothing_ran(page):
    """No name became code, an element or an attribute of the page."""
    assert page.evaluate("window.hacked") is None
    assert page.locator("[onerror], [onload], img[src='x'], svg, iframe, main script").count() == 0
    assert "49" not in page.title()


def test_hostile_names_are_text_in_the_gallery(hostile, tmp_path, open_page):
    more = ["--note", "".join(HOSTILE), "--study", HOSTILE[2]]
    path = hostile.gallery(tmp_path / "g.html", *more)
    page = open_page(path)
    drawn(page, HOSTILE[0])
    expect(page.locator("h1")).to_contain_text(HOSTILE[2])
    expect(page.locator("header")).to_contain_text(HOSTILE[1])
    for place, name in enumerate(HOSTILE):
        drawn(page, name)
        assert name in page.locator("#title").text_content()
        image = page.locator("#list li img").nth(place)
        assert image.get_attribute("alt") == f"image {name}, class {place % 4}"
        page.keyboard.press("ArrowRight")
    options = page.locator("#a option").all_text_contents()
    assert all(any(name in text for text in options) for name in HOSTILE_MODELS)
    page.get_by_label("A network").select_option(index=1)
    page.get_by_label("Sort by").select_option("d-up")
    nothing_ran(page)
    again = open_page(path, page.evaluate("location.hash"))
    expect(again.locator("#title")).to_have_text(page.locator("#title").text_content())
    for name in HOSTILE:
        wrong = open_page(path, "#image=" + name + "&a=" + name + "&sort=" + name)
        expect(wrong.locator("#list li")).to_have_count(len(HOSTILE))
        nothing_ran(wrong)


def test_hostile_names_are_text_in_tables_and_claims(tmp_path, open_page):
    frame = pd.DataFrame({HOSTILE[2]: HOSTILE, "value": range(len(HOSTILE))})
    csv = frame.to_csv(index=False)
    remarks = ["", *HOSTILE]
    claims = pd.DataFrame(
        [HOSTILE[:4], HOSTILE[4:8], HOSTILE[8:12]],
        columns=["claim", "sections", "verdict", "evidence"],
    )
    pages = {
        "t": tables_page(HOSTILE[0], [Table.of_frame(frame)], remarks, HOSTILE[1], csv, HOSTILE[2]),
        "c": claims_page(claims, HOSTILE[0], remarks, HOSTILE[1], csv),
    }
    for name, html in pages.items():
        file = tmp_path / f"{name}.html"
        file.write_text(html, encoding="utf-8")
        page = open_page(file)
        page.locator("thead button").first.click()
        cells = page.locator("tbody th, tbody td").all_text_contents()
        assert set(HOSTILE[:12]) <= set(cells)
        assert page.locator("ul li").all_text_contents() == HOSTILE
        link = page.locator("a[download]")
        assert link.get_attribute("download") == HOSTILE[1]
        assert unquote(link.get_attribute("href")) == f"data:text/csv;charset=utf-8,{csv}"
        nothing_ran(page)


def test_hostile_names_are_text_in_the_page_of_the_study(hostile, tmp_path, open_page):
    config = {"study": HOSTILE[0], "note": HOSTILE[2], "models": dict.fromkeys(HOSTILE, HOSTILE)}
    describe_study.main(
        ["--config", json.dumps(config), "--data", str(hostile.data), "--protocol", "released"]
        + ["--sources", *map(str, hostile.sources), "--output", str(tmp_path / "s.html")]
        + ["--record", str(tmp_path / "s.json")]
    )
    page = open_page(tmp_path / "s.html")
    expect(page.locator("h1")).to_contain_text(HOSTILE[0])
    page.evaluate(OPEN_ALL)
    words = page.locator("body").text_content()
    assert all(name in words for name in (*HOSTILE_MODELS, HOSTILE[0], HOSTILE[2]))
    nothing_ran(page)


@pytest.fixture(scope="module")
def leaderboard(tmp_path_factory):
    """The leaderboard of 300 networks and the paper's sixteen; four rows are references."""
    folder, summary = tmp_path_factory.mktemp("leaderboard"), summary_of(300)
    tables = {"summary": summary, "skill": skill_of(summary), "references": references()}
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    given = [word for name in tables for word in (f"--{name}", str(folder / f"{name}.csv"))]
    make_leaderboard.main([*given, "--output", str(folder / "leaderboard.html")])
    return folder / "leaderboard.html"


def test_the_leaderboard_is_searched_as_one_types(leaderboard, open_page):
    page = open_page(leaderboard)
    rows, status = page.locator("tbody tr:visible"), page.get_by_role("status")
    expect(rows).to_have_count(320)
    expect(status).to_be_empty()
    page.get_by_label("Search").press_sequentially("RESNET")
    expect(status).to_have_text(re.compile("^[0-9]+ of 320 rows$"))
    found = rows.count()
    assert 10 < found < 320
    assert all("resnet" in text for text in rows.all_text_contents())
    page.get_by_label("Search").press_sequentially(" yes")  # all words, in whatever order
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("resnet50_dcls")
    page.get_by_label("Search").fill("yes resnet")
    expect(rows).to_have_count(1)
    page.get_by_label("Search").fill("no such network")
    expect(rows).to_have_count(0)
    expect(status).to_have_text("0 of 320 rows")
    page.get_by_label("Search").fill("")
    expect(rows).to_have_count(320)
    expect(status).to_be_empty()


def test_the_leaderboard_is_sorted_while_it_is_searched(leaderboard, open_page):
    page = open_page(leaderboard)
    page.get_by_label("Search").fill("reference")
    rows = page.locator("tbody tr:visible")
    expect(rows).to_have_count(4)
    names = rows.locator("th").all_text_contents()
    assert names[0] == "mean human map of other images" and "Grad-CAM map" in names[3]
    page.get_by_role("button", name="Grad-CAM", exact=True).click()
    names = rows.locator("th").all_text_contents()
    assert names[2] == "Grad-CAM map of another image" and "Threshold" in names[3]  # it has none
    page.get_by_label("Search").fill("")
    page.get_by_role("button", name="Rank").click()
    page.get_by_role("button", name="Rank").click()
    ranks = page.locator("tbody td:nth-child(2)").all_text_contents()
    assert ranks == [*map(str, range(1, 317)), "", "", "", ""]


@pytest.mark.parametrize("width", [390, 1400])
def test_the_leaderboard_fits_its_screen(leaderboard, open_page, width):
    page = open_page(leaderboard, viewport={"width": width, "height": 844})
    widths = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert widths[0] <= widths[1] == width
    table = page.locator(".wide")
    assert table.evaluate("e => e.scrollWidth <= e.clientWidth")
    wider = "e => [...e.querySelectorAll('tbody th')].filter(c => c.scrollWidth > c.clientWidth)"
    assert table.evaluate(f"e => ({wider})(e).length") == 0  # no name runs into the next column
    table.evaluate("e => e.scrollTo(400, 2000)")
    name, head = page.locator("tbody th").nth(150), page.locator("thead th").first
    assert name.bounding_box()["x"] >= 0
    expect(head).to_be_in_viewport()
    box = page.get_by_label("Search").bounding_box()
    assert box["height"] >= 44 and box["x"] + box["width"] <= width
    unnamed = "[...document.querySelectorAll('input, button')].filter(e => !e.labels.length"
    assert page.evaluate(f"{unnamed} && !e.textContent.trim()).length") == 0


LABELS = """row => [...row.cells].map(
    cell => JSON.parse(getComputedStyle(cell, '::before').content)
)"""


def test_a_row_is_a_card_on_a_phone(leaderboard, open_page):
    page = open_page(leaderboard, viewport={"width": 390, "height": 844}, has_touch=True)
    header = page.locator("thead button").all_text_contents()
    row = page.locator("tbody tr").first
    assert row.evaluate(LABELS) == header
    boxes = [cell.bounding_box() for cell in row.locator("th, td:visible").all()]
    assert len(boxes) > 6
    for above, below in zip(boxes, boxes[1:], strict=False):  # one below the other, full width
        assert above["y"] + above["height"] <= below["y"] and above["x"] == below["x"]
    assert all(cell.inner_text() for cell in row.locator("td:visible").all())
    page.locator("thead button", has_text="Skill").tap()  # it scrolls into sight by itself
    skills = page.locator("tbody td:nth-child(9)")
    values = [float(one) for one in skills.evaluate_all("e => e.map(c => c.dataset.value || -9)")]
    assert values == sorted(values, reverse=True)
    page.get_by_label("Search").fill("resnet50_dcls")
    expect(page.locator("tbody tr:visible")).to_have_count(1)


def test_hostile_names_of_columns_are_text_on_a_phone(tmp_path, open_page):
    names = [*HOSTILE, 'quo"te', "back\\slash", "two\nlines", "}</style>b{"]
    table = Table.of_frame(pd.DataFrame([range(len(names))], columns=names))
    html = tables_page("t", [table.explained(dict(zip(names, names, strict=True)))], [], "t", "")
    (tmp_path / "t.html").write_text(html, encoding="utf-8")
    page = open_page(tmp_path / "t.html", **PHONE)
    for place, name in enumerate(names):
        cell = page.locator("tbody tr > *").nth(place)
        shown = cell.evaluate("e => getComputedStyle(e, '::before').content")
        assert len(shown) >= len(name)
        assert page.locator("thead button").nth(place).get_attribute("title") == name
    assert page.locator("dt").all_text_contents() == names
    nothing_ran(page)


CLICKED_ONE_BY_ONE = """heads => heads.map(
    head => { head.querySelector('button').click(); return head.getAttribute('aria-sort'); }
)"""


def test_every_page_of_a_study_sorts_and_explains_its_columns(workflow, study, open_page):
    results = workflow.work / "results" / study["study"]
    paths = [path for path in sorted(results.rglob("*.html")) if path.name != "gallery.html"]
    assert {"leaderboard", "study", "table1", "claims", "strata"} <= {p.stem for p in paths}
    for path in paths:
        page = open_page(path)
        page.evaluate(OPEN_ALL)
        tables = page.locator("table").all()
        assert tables
        for table in tables:
            explained = f"#{table.get_attribute('id')} thead button:not([title])"
            assert page.locator(explained).all_text_contents() == [], path.name
            region = table.locator("xpath=..")
            words = region.locator("xpath=preceding-sibling::details[1]")
            expect(words.locator("summary")).to_contain_text("A click on a column’s name sorts")
            header = table.locator("thead button").all_text_contents()
            assert words.locator("dt").all_text_contents() == list(dict.fromkeys(header))
            table.locator("thead button").first.click()
            orders = table.locator("thead th").evaluate_all(CLICKED_ONE_BY_ONE)
            assert len(orders) == len(header)
            assert set(orders) <= {"ascending", "descending"}, path.name


def test_hostile_names_are_text_in_the_leaderboard(tmp_path, open_page):
    summary = summary_of(10)
    places = dict(zip(summary["network"].unique(), HOSTILE, strict=False))
    for column in ("model", "network"):
        summary[column] = summary[column].replace(places)
    summary.to_csv(tmp_path / "s.csv", index=False)
    make_leaderboard.main(
        ["--summary", str(tmp_path / "s.csv"), "--output", str(tmp_path / "l.html")]
        + ["--note", "".join(HOSTILE)]
    )
    page = open_page(tmp_path / "l.html")
    assert set(HOSTILE) <= set(page.locator("tbody th").all_text_contents())
    for name in HOSTILE:
        page.get_by_label("Search").fill(name)
        assert name in page.locator("tbody tr:visible th").all_text_contents()
    nothing_ran(page)


KEYSTROKE = """async words => {
  const box = document.querySelector('input[type=search]'), began = performance.now();
  box.value = words;
  box.dispatchEvent(new Event('input'));
  document.body.getBoundingClientRect(); // layout
  await new Promise(done => requestAnimationFrame(() => setTimeout(done, 0)));
  return performance.now() - began;
}"""


@pytest.mark.parametrize("name", ["sensitivity", "strata"])
def test_a_table_of_thousands_of_rows_is_searched_quickly(name, tmp_path, open_page):
    table = tables_of(300, classes=20)[f"tables/{name}.csv"]
    table.to_csv(tmp_path / f"{name}.csv", index=False)
    path = tmp_path / f"{name}.html"
    show_table.main(
        ["--table", str(tmp_path / f"{name}.csv"), "--title", "T", "--output", str(path)]
    )
    assert path.stat().st_size < 4_000_000
    page = open_page(path)
    rows = page.locator("tbody tr:visible")
    total = page.locator("tbody tr").count()
    assert total > 5000
    expect(rows).to_have_count(500)
    expect(page.get_by_role("status")).to_contain_text("the first 500 are shown")
    milliseconds = [
        page.evaluate(KEYSTROKE, words) for words in ("r", "resnet", "", "v", "vit 384")
    ]
    assert max(milliseconds) < 1500  # 0.05 to 0.3 s; laying out all rows took 1 to 5 s
    page.get_by_label("Search").fill("resnet50_dcls")
    expect(page.get_by_role("status")).to_have_text(re.compile(f"^[0-9]+ of {total} rows$"))
    assert 0 < rows.count() < 500
    assert all("resnet50_dcls" in text for text in rows.all_text_contents())
    page.get_by_label("Search").fill("")
    page.locator(".wide").evaluate("e => e.scrollTo(0, e.scrollHeight)")
    expect(rows).to_have_count(1000)
    page.get_by_role("button", name="difference", exact=True).click()
    expect(rows).to_have_count(500)
    place = list(table.columns).index("difference")
    cells = page.locator(f"tbody tr:visible > :nth-child({place + 1})")
    values = [float(one) for one in cells.evaluate_all("e => e.map(c => c.dataset.value)")]
    assert values == sorted(values, reverse=True)


@pytest.fixture(scope="module")
def report_page(workflow, context_of, tmp_path_factory):
    """The report of the small study that the workflow's tests run. It takes seconds to open."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    done = workflow.snakemake("--report", str(path))
    assert done.returncode == 0, done.stdout + done.stderr
    with watched_pages(context_of) as open_page:
        yield open_page(path)


@pytest.fixture
def report(report_page):
    """That page, as it opens."""
    report_page.evaluate("app.setView({navbarMode: 'menu', content: app.content})")
    return report_page


def choose(report, category):
    """Open a category of the report's menu."""
    report.locator("nav, body").get_by_text(category, exact=True).first.click()


def test_the_report_lists_every_table_and_figure_with_a_caption(report):
    categories = report.evaluate("Object.keys(categories)")
    assert set(categories) == {"Data", "Figures", "Gallery", "Study", "Tables"}
    listed = report.evaluate("Object.values(results).map(r => [r.name, r.caption, r.labels])")
    names = {name for name, _, _ in listed}
    figures = [f"figure{number}" for number in range(1, 6)]
    figures += ["samples", "sensitivity", "threshold_sweep", "comparisons", "accuracy"]
    tables = ["table1", "claims", "comparisons", "correlations", "sensitivity"]
    assert names >= {f"{name}.{ending}" for name in figures for ending in ("png", "pdf")}
    assert names >= {f"{name}.html" for name in tables}
    assert names >= {"table1.csv", "leaderboard.html", "gallery.html", "study.html"}
    assert all(len(caption) > 100 for _, caption, _ in listed)
    assert all(set(labels) == {"result", "format"} for _, _, labels in listed)


def test_the_report_opens_offline_on_its_description_and_rules(report):
    expect(report.locator(".prose h1")).to_contain_text("How well do the heatmaps")
    expect(report.locator("canvas.marks")).to_be_visible()
    assert "score_alignment" in report.evaluate("Object.keys(rules)")


def test_figures_of_the_report_load(report):
    choose(report, "Figures")
    rows = report.locator("table tbody tr")
    expect(rows.filter(has_text="Figure 1:")).to_have_count(1)
    assert rows.count() > 8
    for number in range(rows.count()):
        rows.nth(number).locator("a").first.click()
        image = report.locator(".p-3 > img")
        expect(image).to_be_visible()
        report.wait_for_function("document.querySelector('.p-3 > img').naturalWidth > 500")


def test_table_1_is_seen_in_the_report(report):
    choose(report, "Tables")
    report.locator("tr", has_text="Table 1").filter(has_text="HTML").locator("a").first.click()
    rows = report.frame_locator("iframe").locator("tbody tr", has_text="convnext_tiny")
    expect(rows.first).to_be_visible()
    assert rows.count() >= 2
    table = report.frame_locator("iframe").locator("table").first
    scores = table.locator("tbody td:nth-child(4)")
    table.get_by_role("button", name="Grad-CAM", exact=True).click()
    texts = [float(cell.inner_text().split("\u2020")[0]) for cell in scores.all()]
    assert texts == sorted(texts, reverse=True) and len(set(texts)) == 2


def test_a_table_of_the_report_is_seen_and_sorted(report):
    choose(report, "Tables")
    report.locator("tr", has_text="Differences on the same images").locator("a").first.click()
    frame = report.frame_locator("iframe")
    cells = frame.locator("tbody tr td:nth-child(7)")
    expect(cells.first).to_be_visible()
    frame.get_by_role("button", name="difference").click()
    values = [float(cell.get_attribute("data-value")) for cell in cells.all()]
    assert values == sorted(values, reverse=True) and len(set(values)) > 1
    frame.get_by_role("button", name="difference").click()
    assert float(cells.first.get_attribute("data-value")) == values[-1]


def test_the_gallery_works_inside_the_report(report):
    choose(report, "Gallery")
    report.locator("tr", has_text="Images, maps and scores").locator("a").first.click()
    frame = report.frame_locator("iframe")
    expect(frame.locator("#list li")).to_have_count(40)
    frame.get_by_label("A network").select_option(label="convnext_tiny_dcls")
    expect(frame.locator("#panel-a figcaption")).to_contain_text("convnext_tiny_dcls")
    expect(frame.get_by_role("button", name="Copy link")).to_be_hidden()  # no lasting address
    # Chromium refuses frames with data of more than 2 MB, so large pages must come as blobs.
    assert report.frames[-1].url.startswith("blob:")


def test_the_report_tells_config_and_versions(report):
    choose(report, "Study")
    report.locator("tr", has_text="Data, networks").locator("a").first.click()
    frame = report.frame_locator("iframe")
    expect(frame.locator("tr", has_text="below_threshold")).to_contain_text("floor")
    frame.locator("summary", has_text="Config").click()
    expect(frame.locator("pre")).to_contain_text("test_images: 40")
    frame.locator("summary", has_text="Software").click()
    expect(frame.get_by_role("rowheader", name="snakemake", exact=True)).to_be_visible()
