"""Style sheets become one, scripts and figures wait, and nothing else changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from pooledbook.pages.light import lightened

PAGE = """<head>
<link href="../_static/styles/theme.css?digest=1" rel="stylesheet" />
<link rel="stylesheet" type="text/css" href="../_static/custom.css?v=2" />
<link rel="icon" href="../_static/favicon.svg"/>
<script src="../_static/documentation_options.js?v=1"></script>
<script src="../_static/toggle.js"></script>
<script>DOCUMENTATION_OPTIONS.pagename = 'a';</script>
<script defer src="../_static/late.js"></script>
<script src="../_static/searchtools.js"></script>
<script src="../searchindex.js"></script>
</head><img src="../_images/a.png" /><img class="logo" src="../_static/logo.svg" />"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    styles = tmp_path / "_static" / "styles"
    styles.mkdir(parents=True)
    (tmp_path / "chapters").mkdir()
    (styles / "theme.css").write_text(
        '@import url("../basic.css");\n.a{background:url(../fonts/x.woff2)}'
        ".b{background:url(data:image/png;base64,AA)}"
    )
    (tmp_path / "_static" / "basic.css").write_text(".c{background:url('img/y.png')}")
    (tmp_path / "_static" / "custom.css").write_text(".d{color:red}")
    return tmp_path


def test_one_sheet_in_the_order_of_the_page_with_its_imports(root: Path):
    html = lightened(PAGE, root / "chapters" / "a.html", root)
    assert html.count('rel="stylesheet"') == 1
    (made,) = (root / "_static").glob("sheets-*.css")
    assert f'href="../_static/{made.name}"' in html
    text = made.read_text("utf8")
    assert "@import" not in text
    assert [text.index(f".{name}{{") for name in "cabd"] == sorted(
        text.index(f".{name}{{") for name in "cabd"
    )
    assert 'url("fonts/x.woff2")' in text
    assert 'url("img/y.png")' in text
    assert "url(data:image/png;base64,AA)" in text


def test_scripts_and_figures_wait(root: Path):
    html = lightened(PAGE, root / "chapters" / "a.html", root)
    assert '<script src="../_static/documentation_options.js?v=1">' in html
    assert '<script defer src="../_static/toggle.js">' in html
    assert "<script>DOCUMENTATION_OPTIONS" in html
    assert html.count("defer") == 2
    assert "search" not in html
    assert '<img loading="lazy" src="../_images/a.png" />' in html
    assert '<img class="logo"' in html


def test_the_search_page_keeps_its_index(root: Path):
    (root / "search.html").touch()
    html = lightened(PAGE.replace("../", ""), root / "search.html", root)
    assert '<script src="searchindex.js">' in html
    assert '<script src="_static/toggle.js">' in html


def test_a_light_page_stays_as_it_is(root: Path):
    page = root / "chapters" / "a.html"
    once = lightened(PAGE, page, root)
    assert lightened(once, page, root) == once
