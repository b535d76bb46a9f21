"""What a page says of itself to those who share and cite it."""

from __future__ import annotations

from pathlib import Path

from bs4 import BeautifulSoup
from docutils import nodes

from pooledbook.pages.citation import DESCRIPTION, Citation, first_paragraph, tags

ROOT = Path(__file__).parents[2]
CITATION = Citation("A <B>", ("Doe, J.", "Roe, R."), "2026-11-23", "0.1.0")


def test_citation_is_that_of_the_citation_file():
    citation = Citation.of(ROOT)
    assert citation.title.startswith("Works If You Work It?")
    assert citation.year in citation.sentence()
    assert citation.title in citation.bibtex()


def test_people_are_named_family_first(tmp_path):
    (tmp_path / "CITATION.cff").write_text(
        "title: T\nversion: 1.0\ndate-released: 2026-01-02\n"
        "authors:\n  - {family-names: Doe, given-names: J.}\n  - {name: A group}\n"
    )
    citation = Citation.of(tmp_path)
    assert citation.sentence() == "Doe, J., A group (2026). T. Version 1.0."
    assert "{{Doe, J.} and {A group}}" in citation.bibtex()


def test_tags_are_escaped_and_name_every_author():
    page = BeautifulSoup(tags(CITATION, 'Why "weak"?', "x < y", "Site"), "html.parser")
    assert page.find("meta", property="og:title")["content"] == 'Why "weak"?'
    assert page.find("meta", {"name": "description"})["content"] == "x < y"
    authors = [tag["content"] for tag in page.find_all("meta", {"name": "citation_author"})]
    assert authors == ["Doe, J.", "Roe, R."]
    date = page.find("meta", {"name": "citation_publication_date"})
    assert date["content"] == "2026/11/23"


def test_description_is_the_first_text_cut_between_words():
    document = nodes.document(None, None)
    document += [nodes.paragraph("", "Short."), nodes.paragraph("", "word " * 80)]
    found = first_paragraph(document)
    assert found.endswith("word …")
    assert len(found) <= DESCRIPTION + 2
    assert first_paragraph(nodes.document(None, None)) == ""


def test_every_page_carries_them(site: Path):
    for path in site.glob("chapters/**/*.html"):
        page = BeautifulSoup(path.read_text("utf8"), "html.parser")
        title = page.find("meta", property="og:title")["content"]
        assert title == page.find("h1").get_text().removesuffix("#").strip(), path.name
        assert len(page.find("meta", {"name": "description"})["content"]) > 60, path.name
        assert page.find("meta", {"name": "citation_title"})["content"].startswith(title)
