"""The site of documentation: built strictly, complete, and readable without network."""

import html
import re
import subprocess
import sys

import pytest
import yaml


@pytest.fixture(scope="module")
def site(root, tmp_path_factory):
    """Built with every warning an error: of a link, an anchor, a page that no menu has."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def text_of(page):
    """The words of a page."""
    return html.unescape(re.sub(r"<[^>]+>", "", page.read_text()))


def test_a_link_that_leads_nowhere_ends_the_build(root, tmp_path):
    config = (root / "mkdocs.yml").read_text().replace("hooks: [docs/pages.py]", "")
    config = re.sub(r"nav:\n.*", "", config, flags=re.S)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("# Start\n\n[away](missing.md)\n")
    (tmp_path / "mkdocs.yml").write_text(config)
    command = [sys.executable, "-m", "mkdocs", "build"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode != 0
    assert "missing.md" in done.stderr


def test_files_of_the_repository_are_pages(root, site):
    for source, page in {
        "README.md": "index.html",
        "CONTRIBUTING.md": "contributing.html",
        "CHANGELOG.md": "changelog.html",
        "config/README.md": "configuration.html",
        "docs/formats.md": "formats.html",
    }.items():
        headings = re.findall(r"^## (.*)$", (root / source).read_text(), re.M)
        words = text_of(site / page)
        assert headings
        for heading in headings:
            assert heading.replace("`", "").replace("\\_", "_") in words, f"{page}: {heading}"


def test_each_document_is_a_page(root, site):
    for document in (root / "docs").glob("*.md"):
        assert (site / f"{document.stem}.html").is_file()


def test_links_of_the_repository_are_links_of_the_site(site):
    start = (site / "index.html").read_text()
    assert 'href="cluster.html"' in start and 'href="contributing.html"' in start
    formats = (site / "formats.html").read_text()
    assert 'href="api/data.html#human_alignment.data.data_file"' in formats
    assert 'href="protocols.html#what-a-score-is-worth"' in formats
    assert 'id="human_alignment.data.data_file"' in (site / "api" / "data.html").read_text()
    configuration = (site / "configuration.html").read_text()  # a file that is no page is text
    assert "by <code>make docs</code> from the schema," in configuration
    assert "config.schema.yaml" not in configuration


def test_each_room_has_its_docstrings(root, site):
    package = root / "workflow_scripts" / "human_alignment"
    rooms = {path.parent.name for path in package.glob("*/__init__.py")}
    nav = yaml.safe_load((root / "mkdocs.yml").read_text())["nav"][-1]["The package"]
    assert {next(iter(entry)) for entry in nav} == rooms
    for room in rooms:
        page = (site / "api" / f"{room}.html").read_text()
        for module in (package / room).glob("[a-z]*.py"):
            assert f'id="human_alignment.{room}.{module.stem}"' in page
    assert "Spearman correlation of heatmaps, image by image" in text_of(site / "api/scores.html")


def test_layouts_of_files_keep_their_columns(site):
    page = text_of(site / "api" / "heatmaps.html")
    assert re.search(r"^image_id +bytes \(n,\) +as in the data file, same order$", page, re.M)


def test_a_page_loads_nothing_from_the_net(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 15
    for page in pages:
        for tag in re.findall(r"<(?:script|link|img|iframe|source)\b[^>]*>", page.read_text()):
            assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", tag), f"{page}: {tag}"
    for style in site.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", style.read_text()), style
