"""Pages of the site that are not files of docs/, and links between all pages (hooks of MkDocs).

A fact stands in one place: README, CONTRIBUTING, CHANGELOG and the reference of the configuration
are pages as they are, and each room of the package has a page made from its docstrings. Links are
written as they hold in the repository; here they become links of the site.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "workflow_scripts/human_alignment/"
PAGES = {  # files of the repository, and the pages that they are
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "config/README.md": "configuration.md",
}
LINK = re.compile(r"\[(?P<text>[^\]\[]*)\]\((?!https?:|#)(?P<path>[^)#\s]+)(?P<anchor>#[^)\s]+)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made from other files of the repository."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text()))
    for room in sorted(path.parent.name for path in (ROOT / PACKAGE).glob("*/__init__.py")):
        content = f"# human_alignment.{room}\n\n::: human_alignment.{room}\n"
        files.append(File.generated(config, f"api/{room}.md", content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """The page's text with links of the repository as links of the site."""
    name = page.file.src_uri
    source = {held: file for file, held in PAGES.items()}.get(name, f"docs/{name}")
    return LINK.sub(lambda link: site_link(link, source, name), markdown)


def site_link(link: re.Match, source: str, page: str) -> str:
    """A link of a file of the repository as its page has it.

    A file that is no page becomes plain text. One that does not exist stays, and MkDocs names it.
    """
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), link["path"]))
    anchor = link["anchor"] or ""
    if path in PAGES:
        target = PAGES[path]
    elif path.startswith("docs/"):
        target = path.removeprefix("docs/")
    elif module := re.fullmatch(rf"{PACKAGE}(\w+)/(\w+)\.py", path):
        room, name = module.groups()
        target, anchor = f"api/{room}.md", f"#human_alignment.{room}.{name}"
    elif (ROOT / path).exists():
        return link["text"]
    else:
        target = path
    return f"[{link['text']}]({posixpath.relpath(target, posixpath.dirname(page))}{anchor})"
