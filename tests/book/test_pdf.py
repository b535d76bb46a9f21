"""The book on paper, as far as LaTeX's sources: setting them takes XeTeX (`make pdf`)."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import nbformat
import pytest

from pooledbook import pdf, site
from pooledbook.tree import Book, BookError


@pytest.fixture(scope="module")
def text(root: Path) -> str:
    with site.alone(root):
        return pdf.sources(root).read_text("utf8")


def test_every_chapter_is_in_it_with_its_figures(root: Path, text: str) -> None:
    figures = 0
    for chapter in Book.around(root).chapters():
        cells = nbformat.read(chapter.notebook, as_version=4).cells
        title = cells[0].source.splitlines()[0].lstrip("# ")
        assert re.sub(r"\W", "", title) in re.sub(r"\\\w+|\W", "", text), chapter.name
        outputs = [output for cell in cells for output in cell.get("outputs", [])]
        figures += sum("image/png" in output.get("data", {}) for output in outputs)
    assert text.count(r"\sphinxincludegraphics") >= figures > 30


def test_numbers_glued_into_sentences_are_set(text: str) -> None:
    assert "glue:text" not in text
    assert "application/papermill" not in text


def test_what_tex_could_not_find_is_an_error(tmp_path: Path, monkeypatch) -> None:
    folder = tmp_path / "_build" / "latex"
    folder.mkdir(parents=True)
    (folder / "book.log").write_text("LaTeX Warning: Reference `fig-x' on page 3 undefined on 7\n")
    monkeypatch.setattr(pdf, "sources", lambda root: folder / "book.tex")
    monkeypatch.setattr(
        subprocess, "run", lambda *a, **k: subprocess.CompletedProcess(a, 0, "", "")
    )
    with pytest.raises(BookError, match="the PDF lacks what the book has:\nReference `fig-x'"):
        pdf.build(tmp_path)


def test_a_failed_run_shows_the_end_of_its_log(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(pdf, "sources", lambda root: tmp_path / "book.tex")
    (tmp_path / "Makefile").write_text("all:\n\t@echo '! Undefined control sequence.'; exit 1\n")
    with pytest.raises(BookError, match="Undefined control sequence"):
        pdf.build(tmp_path)
