"""What a reader gets: every page whole, offline, readable on a phone, in the dark and aloud."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup
from playwright.sync_api import Browser, Page, Response

ROOT = Path(__file__).parents[2]
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
SERIOUS = {"serious", "critical"}
HEAVIEST = 1_100_000
"""Bytes of a page with all that it loads, texts compressed as servers send them."""
MATHEMATICS = re.compile(r"\$[^$`]+\$")
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
OPEN_ALL = """() => {
    const still = document.createElement('style');
    still.textContent = '* { transition: none !important; animation: none !important }';
    document.head.append(still);
    document.querySelectorAll('summary, button.toggle-button').forEach(fold => fold.click());
}"""
"""Unfold the solutions at once: half-faded text has colours that nobody reads."""


def listed(entry: dict[str, Any]) -> Iterator[str]:
    """List all pages of a table of contents, at any depth."""
    yield from (entry[key] for key in ("root", "file") if key in entry)
    for key in ("parts", "chapters", "sections"):
        for below in entry.get(key, []):
            yield from listed(below)


PAGES = list(listed(yaml.safe_load((ROOT / "_toc.yml").read_text("utf8"))))
CHAPTERS = [page for page in PAGES if (ROOT / f"{page}.ipynb").exists()]


def source(page: str) -> str:
    """Return what a person wrote for a page."""
    if page in CHAPTERS:
        cells = nbformat.read(ROOT / f"{page}.ipynb", as_version=4).cells
        return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return (ROOT / f"{page}.md").read_text("utf8")


def figures(page: str) -> int:
    """Count the figures that the notebook of a page holds."""
    if page not in CHAPTERS:
        return 0
    cells = nbformat.read(ROOT / f"{page}.ipynb", as_version=4).cells
    shown = [output.get("data", {}) for cell in cells for output in cell.get("outputs", [])]
    # beside HTML, a picture stands in on paper only
    return sum("image/png" in data and "text/html" not in data for data in shown)


@pytest.fixture(params=["light", "dark"])
def mode(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def page(browser: Browser, mode: str) -> Iterator[Page]:
    context = browser.new_context(viewport=DESK, color_scheme=mode)
    context.add_init_script(f"localStorage.setItem('mode', '{mode}')")
    yield context.new_page()
    context.close()


def test_all_pages_are_built_and_no_other(site: Path) -> None:
    built = {
        p.relative_to(site).with_suffix("").as_posix() for p in site.glob("chapters/**/*.html")
    }
    assert len(PAGES) >= 4
    assert CHAPTERS
    assert built == set(PAGES)


def test_every_chapter_of_the_book_is_in_the_contents() -> None:
    texts = (ROOT / "chapters" / "src").rglob("*.md")
    names = {
        f"chapters/{t.relative_to(ROOT / 'chapters/src').with_suffix('').as_posix()}" for t in texts
    }
    assert names == set(CHAPTERS)


@pytest.mark.parametrize("name", PAGES)
def test_page_is_whole_and_offline(page: Page, address: str, name: str) -> None:
    outside, broken, complaints = [], [], []
    page.on("request", lambda r: r.url.startswith((address, "data:")) or outside.append(r.url))
    page.on("response", lambda r: r.ok or r.status == 304 or broken.append(r.url))
    page.on("console", lambda m: m.type == "error" and complaints.append(m.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{address}/{name}.html", wait_until="networkidle")
    assert (outside, broken, complaints) == ([], [], [])
    assert page.locator("article h1").count() == 1
    assert page.locator("article h2").count() >= 1


@pytest.mark.parametrize("name", PAGES)
def test_page_can_be_read_aloud(page: Page, address: str, name: str) -> None:
    axe = files("axe_playwright_python").joinpath("axe.min.js").read_text("utf8")
    serious = set()
    for size in (DESK, PHONE):
        page.set_viewport_size(size)
        page.goto(f"{address}/{name}.html", wait_until="networkidle")
        page.evaluate(OPEN_ALL)
        page.wait_for_timeout(500)  # the theme measures what scrolls 300 ms after a change
        assert page.locator(".toggle-hidden").count() == 0
        page.evaluate(axe)
        found = page.evaluate("axe.run().then(result => result.violations)")
        serious |= {
            f"{v['id']} ({v['impact']}): {node['target']} {node['html'][:200]}"
            for v in found
            if v["impact"] in SERIOUS
            for node in v["nodes"]
        }
    assert serious == set()


@pytest.mark.parametrize("mode", ["light"], indirect=True)
@pytest.mark.parametrize("name", PAGES)
def test_page_fits_a_phone(page: Page, address: str, name: str) -> None:
    page.set_viewport_size(PHONE)
    page.goto(f"{address}/{name}.html")
    page.evaluate(OPEN_ALL)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("mode", ["light"], indirect=True)
@pytest.mark.parametrize("name", PAGES)
def test_figures_and_mathematics_are_shown(page: Page, address: str, name: str) -> None:
    page.goto(f"{address}/{name}.html")
    page.evaluate(OPEN_ALL)
    page.evaluate("[...document.images].forEach(image => { image.loading = 'eager' })")
    page.wait_for_function("[...document.images].every(image => image.complete)")
    images = page.locator("div.cell_output img, figure img").evaluate_all(
        "all => [...new Set(all)].map(i => [i.alt, i.naturalWidth, i.naturalHeight])"
    )
    assert len(images) == figures(name)
    assert all(len(alt) > 20 and min(size) > 0 for alt, *size in images), images
    assert page.locator(".katex-error").count() == 0
    if MATHEMATICS.search(FENCED.sub("", source(name))):
        assert page.locator("span.katex").count() > 0


@pytest.mark.parametrize("mode", ["light"], indirect=True)
@pytest.mark.parametrize("name", PAGES)
def test_page_is_light(page: Page, address: str, name: str) -> None:
    sent: dict[str, int] = {}

    def weigh(response: Response) -> None:
        body = response.body()
        text = response.url.split("?")[0].endswith((".html", ".css", ".js", ".svg"))
        sent[response.url] = len(gzip.compress(body)) if text else len(body)

    page.on("response", weigh)
    page.goto(f"{address}/{name}.html", wait_until="networkidle")
    page.evaluate("window.scrollTo(0, document.documentElement.scrollHeight)")
    page.wait_for_timeout(200)
    assert len(sent) > 10
    assert sum(sent.values()) <= HEAVIEST, sorted(sent.items(), key=lambda item: -item[1])[:5]


@pytest.mark.parametrize("mode", ["light"], indirect=True)
@pytest.mark.parametrize("name", [*CHAPTERS, "chapters/glossary"])
def test_search_finds_the_page(page: Page, address: str, name: str) -> None:
    title = source(name).lstrip().splitlines()[0].lstrip("# ")
    page.goto(f"{address}/search.html?q={title.strip('?!.')}", wait_until="networkidle")
    results = page.locator("#search-results a")
    results.first.wait_for()
    targets = results.evaluate_all("all => all.map(a => a.pathname)")
    assert f"/{name}.html" in targets


@pytest.mark.parametrize("mode", ["light"], indirect=True)
@pytest.mark.parametrize("name", CHAPTERS)
def test_launch_links_open_the_notebook(page: Page, address: str, name: str) -> None:
    page.goto(f"{address}/{name}.html")
    links = page.locator(".article-header-buttons a").evaluate_all("all => all.map(a => a.href)")
    assert any("mybinder.org" in link and link.endswith(f"{name}.ipynb") for link in links)


def test_internal_links_lead_somewhere(site: Path) -> None:
    pages = {
        path: BeautifulSoup(path.read_text("utf8"), "html.parser") for path in site.rglob("*.html")
    }
    places = {
        path.resolve(): {tag["id"] for tag in soup.find_all(id=True)}
        for path, soup in pages.items()
    }
    lost, followed = [], 0
    for path, soup in pages.items():
        for link in soup.find_all("a", href=True):
            target, fragment = urldefrag(unquote(link["href"]))
            if ":" in target.split("/")[0]:
                continue
            followed += 1
            file = (path.parent / target.split("?")[0]).resolve() if target else path.resolve()
            wanted = places.get(file)
            if not file.exists() or (fragment and wanted is not None and fragment not in wanted):
                lost.append(f"{path.relative_to(site)}: {link['href']}")
    assert followed > 50
    assert lost == []
