"""Sphinx extension: every page says what it is, to those who share it and to those who cite it.

From ``CITATION.cff``, the one place where title, authors, version and date stand. The directive
``cite-this-book`` writes them out; the head of each page carries them as OpenGraph and as the
``citation_*`` tags that reference managers read.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import yaml
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

DESCRIPTION = 200
"""Characters of a page's first paragraph that are shown where a link to it is shared."""


@dataclass(frozen=True)
class Citation:
    """How the book wants to be cited."""

    title: str
    authors: tuple[str, ...]
    date: str
    version: str

    @classmethod
    def of(cls, root: Path) -> Citation:
        """Read the citation file of the book at `root`."""
        said = yaml.safe_load((root / "CITATION.cff").read_text("utf8"))
        return cls(
            said["title"],
            tuple(_name(author) for author in said["authors"]),
            str(said["date-released"]),
            str(said["version"]),
        )

    @property
    def year(self) -> str:
        """Of the release."""
        return self.date[:4]

    def sentence(self) -> str:
        """Write it as a list of references would."""
        return f"{', '.join(self.authors)} ({self.year}). {self.title}. Version {self.version}."

    def bibtex(self) -> str:
        """Write it as an entry of a BibTeX file."""
        return (
            "@misc{pooledtrials,\n"
            f"  author = {{{' and '.join('{' + name + '}' for name in self.authors)}}},\n"
            f"  title  = {{{self.title}}},\n"
            f"  year   = {{{self.year}}},\n"
            f"  note   = {{Version {self.version}}}\n"
            "}"
        )


def _name(author: dict[str, str]) -> str:
    return author.get("name") or f"{author['family-names']}, {author['given-names']}"


def tags(citation: Citation, title: str, description: str, site: str) -> str:
    """Return the meta tags of a page."""
    properties = {
        "og:type": "article",
        "og:site_name": site,
        "og:title": title,
        "og:description": description,
    }
    names = [
        ("description", description),
        ("citation_title", f"{title}, in: {citation.title}"),
        *(("citation_author", name) for name in citation.authors),
        ("citation_publication_date", citation.date.replace("-", "/")),
    ]
    lines = [
        f'<meta property="{key}" content="{escape(text)}" />' for key, text in properties.items()
    ]
    lines += [f'<meta name="{key}" content="{escape(text)}" />' for key, text in names]
    return "\n".join(lines)


def first_paragraph(doctree: nodes.document) -> str:
    """Return the beginning of the first paragraph of running text, cut between words."""
    for paragraph in doctree.findall(nodes.paragraph):
        text = " ".join(paragraph.astext().split())
        if len(text) > 60:
            return text if len(text) <= DESCRIPTION else f"{text[:DESCRIPTION].rsplit(' ', 1)[0]} …"
    return ""


class CiteThisBook(SphinxDirective):
    """The sentence and the BibTeX entry with which to cite the book."""

    def run(self) -> list[nodes.Node]:
        """Return them as a paragraph and a literal block."""
        path = Path(self.env.app.confdir) / "CITATION.cff"
        self.env.note_dependency(str(path))
        citation = Citation.of(path.parent)
        entry = nodes.literal_block(citation.bibtex(), citation.bibtex(), language="bibtex")
        return [nodes.paragraph("", citation.sentence()), entry]


def _add_tags(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    if doctree is not None:
        citation = Citation.of(Path(app.confdir))
        title = nodes.unescape(str(context.get("title", "")))
        said = tags(
            citation, title, first_paragraph(doctree), app.config.html_title or citation.title
        )
        context["metatags"] = f"{context.get('metatags', '')}\n{said}"


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.add_directive("cite-this-book", CiteThisBook)
    app.connect("html-page-context", _add_tags)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
