"""Sphinx extension: a page asks for little before it can be read.

The theme and its extensions bring a dozen style sheets, one of which imports another, and scripts
that hold up the page. Here the sheets of a page become one, scripts wait until the page is there,
and figures until they are near. What the search page alone needs is left to it.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from functools import cache
from pathlib import Path

from sphinx.application import Sphinx

SHEET = re.compile(r'<link\b[^>]*rel="stylesheet"[^>]*/>')
ADDRESS = re.compile(r'href="([^"?]+)')
IMPORT = re.compile(r"""@import\s+(?:url\()?["']?([\w./-]+\.css)["']?\)?\s*;""")
RESOURCE = re.compile(r"""url\(\s*(["']?)(?!data:|https?:|//|#)([^"')]+)\1\s*\)""")

SEARCH = re.compile(
    r'<script src="[^"]*(?:searchtools|language_data|searchindex)\.js[^"]*"></script>\n?'
)
"""The theme loads an index of all words on every page; its search box leads to the search page."""

# Inline scripts set properties of documentation_options while the page is read.
SCRIPT = re.compile(r'<script (?![^>]*\bdefer\b)(?=[^>]*src=")(?![^>]*documentation_options)')
IMAGE = re.compile(r"<img (?![^>]*\bloading=)(?![^>]*logo)")


def sheet(path: Path, to: str, root: Path) -> str:
    """Return a style sheet with what it imports, its addresses as seen from the folder `to`."""
    home = path.parent.relative_to(root).as_posix()

    def moved(found: re.Match[str]) -> str:
        target = posixpath.relpath(posixpath.join(home, found[2]), to)
        return f'url("{target}")'

    # every second part is the name of an imported sheet
    parts = IMPORT.split(path.read_text("utf8"))
    return "".join(
        sheet(path.parent / part, to, root) if index % 2 else RESOURCE.sub(moved, part)
        for index, part in enumerate(parts)
    )


@cache
def bundle(paths: tuple[Path, ...], root: Path) -> str:
    """Write style sheets as one; return its address from `root`."""
    text = "\n".join(sheet(path, "_static", root) for path in paths)
    name = f"_static/sheets-{hashlib.sha256(text.encode()).hexdigest()[:16]}.css"
    (root / name).write_text(text, "utf8")
    return name


def lightened(html: str, page: Path, root: Path) -> str:
    """Return a page that loads one style sheet, and scripts and figures after its words."""
    links = SHEET.findall(html)
    if links:
        paths = tuple((page.parent / path).resolve() for path in ADDRESS.findall("".join(links)))
        href = posixpath.relpath(bundle(paths, root), page.parent.relative_to(root).as_posix())
        first, *others = links
        html = html.replace(first, f'<link rel="stylesheet" href="{href}" />', 1)
        for link in others:
            html = html.replace(link, "", 1)
    if page.name != "search.html":
        html = SEARCH.sub("", html)
        html = SCRIPT.sub("<script defer ", html)
    return IMAGE.sub('<img loading="lazy" ', html)


def lighten_pages(app: Sphinx, error: Exception | None) -> None:
    """Lighten every page of the site."""
    if error is None and app.builder.format == "html":
        root = Path(app.outdir).resolve()
        bundle.cache_clear()
        templates = root / "_static"
        for page in root.rglob("*.html"):
            if page.is_relative_to(templates):
                continue
            before = page.read_text("utf8")
            after = lightened(before, page, root)
            if after != before:
                page.write_text(after, "utf8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.connect("build-finished", lighten_pages, priority=600)  # after other repairs
    return {"parallel_read_safe": True, "parallel_write_safe": True}
