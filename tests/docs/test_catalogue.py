"""What Snakemake's catalogue, citation managers and readers of the changes look for."""

import re
import tomllib

import pytest
import yaml

REQUIRED = {"authors", "cff-version", "message", "title"}  # of CFF 1.2.0
REFERENCE = {"authors", "title", "type"}  # of each reference there


@pytest.fixture(scope="module")
def citation(root):
    return yaml.safe_load((root / "CITATION.cff").read_text())


def test_the_version_is_one(root, citation):
    version = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    assert citation["version"] == version
    headings = re.findall(r"^## (.*)$", (root / "CHANGELOG.md").read_text(), re.M)
    assert headings[0] == "Unreleased"
    assert re.fullmatch(rf"{re.escape(version)} - \d{{4}}-\d\d-\d\d", headings[1])


def test_kinds_of_changes_are_those_of_the_format(root):
    kinds = re.findall(r"^### (.*)$", (root / "CHANGELOG.md").read_text(), re.M)
    assert kinds
    assert set(kinds) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_citation_has_the_keys_of_its_format(citation):
    assert citation.keys() >= REQUIRED
    assert citation["cff-version"] == "1.2.0" and citation["type"] == "software"
    for reference in (citation["preferred-citation"], *citation["references"]):
        assert reference.keys() >= REFERENCE
        assert re.fullmatch(r"10\.\d{4,9}/\S+", reference["doi"])
        assert isinstance(reference["year"], int)
        for author in reference["authors"]:
            assert author.keys() >= {"family-names", "given-names"}
        for identifier in reference["identifiers"]:
            assert identifier.keys() >= {"type", "value"}
            assert identifier["type"] in ("doi", "url", "swh", "other")


def test_the_paper_is_what_is_cited(root, citation):
    paper = citation["preferred-citation"]
    assert citation["references"] == [paper]
    number = paper["doi"].removeprefix("10.48550/arXiv.")
    assert paper["url"] == f"https://arxiv.org/abs/{number}"
    assert paper["identifiers"][0]["value"] == f"arXiv:{number}"
    readme = re.sub(r"\s+", " ", (root / "README.md").read_text())
    assert paper["title"].split(":")[0].casefold() in readme.casefold().replace("*", "")
    assert "`CITATION.cff`" in readme or "(CITATION.cff)" in readme


def test_the_catalogue_finds_what_it_reads(root):
    usage = yaml.safe_load((root / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert usage.keys() == {"mandatory-flags", "software-stack-deployment", "report"}
    assert usage["mandatory-flags"].keys() == {"desc", "flags"}
    deployment = usage["software-stack-deployment"]
    assert deployment == {"conda": True, "apptainer": True, "apptainer+conda": False}
    rules = "".join(path.read_text() for path in (root / "rules").glob("*.smk"))
    assert rules.count("\n    conda:") > 30
    assert re.search(r"^container: ", (root / "Snakefile").read_text(), re.M)
    assert usage["report"] is True and list((root / "report").glob("*.rst"))
    assert (root / "config" / "README.md").is_file()
    readme = (root / "README.md").read_text().casefold()
    assert "snakemake" in readme and "workflow" in readme
