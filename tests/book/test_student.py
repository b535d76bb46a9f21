"""The student edition: nothing of a solution is in it, and its exercises can be worked."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup
from nbclient import NotebookClient

from pooledbook import notebooks
from pooledbook.run import ThisPython
from pooledbook.site import BUILD
from pooledbook.teaching import student, worksheets
from pooledbook.teaching.exercises import Exercise, exercises, without_solutions
from pooledbook.teaching.selfcheck import TABLE
from pooledbook.tree import Book, BookError, Chapter

ROOT = Path(__file__).parents[2]
BOOK = Book(ROOT)
TAUGHT = [c for c in BOOK.chapters() if f"chapters/{c.name}" not in student.LEFT_OUT]
QUICK = ["pooling/six_trials", "instruments/two_stage_least_squares"]
"""Chapters whose exercise notebooks run in a few seconds."""


@pytest.fixture(scope="module")
def edition(tmp_path_factory: pytest.TempPathFactory) -> Book:
    """Make the sources and exercise notebooks, without the site."""
    made = student.make(BOOK, tmp_path_factory.mktemp("student") / "book")
    student.write_settings(BOOK, made, student.LEFT_OUT)
    return made


def found_in(chapter: Chapter) -> list[Exercise]:
    return exercises(chapter.text.read_text("utf8"), chapter.name)


def bare(text: str) -> str:
    """Keep letters and digits, which neither JSON nor HTML nor typography changes."""
    return re.sub(r"[^a-z0-9]+", "", text.lower())


def written(edition: Book) -> dict[str, str]:
    """All that the edition says in its own words: pages, notebooks, tables; not library and data."""
    texts = {}
    for path in sorted(p for p in edition.root.rglob("*") if p.is_file()):
        name = path.relative_to(edition.root).as_posix()
        if name.split("/")[0] not in ("lib", "data") and path.suffix not in (".woff2", ".css"):
            text = path.read_text("utf8")
            texts[name] = re.sub(r'"image/png": "[^"]*"', "", text)
    return texts


def sentences(solution: str) -> Iterator[str]:
    prose = re.sub(r"^```\{code-cell\}.*?^```\n", "", solution, flags=re.MULTILINE | re.DOTALL)
    yield from re.split(r"\{[\w:]+\}`[^`]*`|\n|<!--|-->|[.:;!?]\s", prose)


def outputs(cell: Any) -> Iterator[tuple[str, str]]:
    """Everything a cell has put out: its kind and content."""
    for output in cell.get("outputs", []):
        yield from ((kind, str(content)) for kind, content in output.get("data", {}).items())
        if "text" in output:
            yield "stream", output["text"]


def cells_of(chapter: Chapter) -> tuple[list[Any], list[Any]]:
    """Return the executed cells inside and outside of solutions."""
    inside, outside, within = [], [], False
    for cell in notebooks.read_notebook(chapter.notebook).cells:
        if cell.cell_type == "code":
            (inside if within else outside).append(cell)
        else:
            for edge in re.findall(r"\{solution-(start|end)\}", cell.source):
                within = edge == "start"
    return inside, outside


class TestNothingLeaks:
    def test_library_and_data_are_the_books(self, edition: Book) -> None:
        for top in ("lib", "data"):
            for path in (p for p in (edition.root / top).rglob("*") if p.is_file()):
                original = ROOT / path.relative_to(edition.root)
                assert path.read_bytes() == original.read_bytes()
        assert not (edition.root / "data/private").exists()
        assert not (edition.root / "tests").exists()

    def test_no_solution_is_quoted(self, edition: Book) -> None:
        texts = {name: bare(text) for name, text in written(edition).items()}
        library = bare("".join(p.read_text("utf8") for p in (ROOT / "lib").rglob("*.py")))
        elsewhere = library + bare(
            "".join(without_solutions(c.text.read_text("utf8")) for c in BOOK.chapters())
        )
        leaks, searched = [], 0
        for chapter in TAUGHT:
            for exercise in found_in(chapter):
                lines = "\n".join((*exercise.code, *exercise.hidden)).splitlines()
                pieces = [(p, 25) for p in sentences(exercise.solution)]
                pieces += [(line, 18) for line in lines]
                asked = exercise.answer.asks if exercise.answer else ""
                public = bare(asked + "".join(exercise.questions) + exercise.task)
                own = [b for p, least in pieces if len(b := bare(p)) >= least and b not in public]
                own = [piece for piece in own if piece not in elsewhere]
                assert own, f"{exercise.label}: its solution says nothing of its own"
                searched += len(own)
                leaks += [
                    f"{name}: {piece} of {exercise.label}"
                    for piece in own
                    for name, text in texts.items()
                    if piece in text
                ]
        assert searched > 10 * len(TAUGHT)
        assert leaks == []

    def test_no_value_table_or_figure_of_a_solution(self, edition: Book) -> None:
        everything = "\n".join(written(edition).values())
        squeezed = bare(everything)
        # What the book shows outside of solutions, in whichever chapter, is no secret.
        shown = [cell for chapter in TAUGHT for cell in cells_of(chapter)[1]]
        public = "\n".join(content for cell in shown for _, content in outputs(cell))
        for chapter in TAUGHT:
            inside, outside = cells_of(chapter)
            copied = notebooks.read_notebook(edition.folder / f"{chapter.name}.ipynb")
            pictures = {c for cell in copied.cells for k, c in outputs(cell) if k == "image/png"}
            names = set(worksheets.kept_in(copied))
            hidden = worksheets.kept_in(nbformat.v4.new_notebook(cells=inside))
            shared = worksheets.kept_in(nbformat.v4.new_notebook(cells=outside))
            assert not (set(hidden) - set(shared)) & names
            for kind, content in ((k, c) for cell in inside for k, c in outputs(cell)):
                if content in public:
                    continue
                if kind == "image/png":
                    assert content not in pictures
                elif "papermill" in kind and len(re.sub(r"\D", "", content).lstrip("0")) >= 5:
                    assert content not in everything, f"{chapter.name}: {content}"
                elif len(squeeze := bare(content)) > 60:
                    assert squeeze not in squeezed, f"{chapter.name}: {content[:60]}"

    def test_answers_are_hashed(self, edition: Book) -> None:
        table = json.loads((edition.root / "exercises" / TABLE).read_text("utf8"))
        marked = {e.label: e.answer for c in TAUGHT for e in found_in(c) if e.answer}
        assert set(table) == set(marked)
        for entry in table.values():
            assert set(entry) == {"asks", "decimals", "hash"}
            assert re.fullmatch("[0-9a-f]{32}", entry["hash"])

    def test_no_way_to_the_whole_book(self, edition: Book) -> None:
        settings = yaml.safe_load((edition.root / "_config.yml").read_text("utf8"))
        assert "launch_buttons" not in settings
        assert "repository" not in settings
        contents = (edition.root / "_toc.yml").read_text("utf8")
        for page in student.LEFT_OUT:
            assert page not in contents
            for name, text in written(edition).items():
                assert page.rsplit("/", 1)[-1] not in text, name

    def test_built_page(self, edition: Book) -> None:
        """Build one chapter only; references to other pages stay open, which does no harm here."""
        name = QUICK[0]
        (edition.root / "_toc.yml").write_text(
            f"format: jb-book\nroot: chapters/{name}\nchapters:\n  - file: chapters/bibliography\n"
        )
        command = [sys.executable, "-c", BUILD, "build", "-q", str(edition.root)]
        subprocess.run(command, check=True, capture_output=True)
        built = edition.root / "_build" / "html" / "chapters"
        page = BeautifulSoup((built / f"{name}.html").read_text("utf8"), "html.parser")
        assert len(page.select(".exercise")) == 3
        assert not page.select(".solution")
        words = bare(page.get_text())
        said = "".join(bare(p.read_text("utf8")) for p in built.rglob("*.html")) + words
        (chapter,) = BOOK.select([name])
        for exercise in found_in(chapter):
            assert bare(exercise.task.split("$")[0].split("`")[0])[:40] in words
            for piece in (bare(p) for p in sentences(exercise.solution)):
                asked = bare(exercise.answer.asks) if exercise.answer else ""
                assert len(piece) < 30 or piece in asked or piece not in said


class TestChapters:
    @pytest.mark.parametrize("chapter", TAUGHT, ids=lambda c: c.name)
    def test_text_and_notebook_agree(self, edition: Book, chapter: Chapter) -> None:
        (copy,) = edition.select([chapter.name])
        typed = notebooks.read_text(copy)[0]
        assert notebooks.body(typed) == notebooks.body(notebooks.read_notebook(copy.notebook))
        assert notebooks.state(edition, copy).word in ("fresh", "stale")

    def test_exercises_stay(self, edition: Book) -> None:
        for chapter in TAUGHT:
            text = (edition.folder / "src" / f"{chapter.name}.md").read_text("utf8")
            assert "{solution" not in text
            for exercise in found_in(chapter):
                assert exercise.task in text

    def test_figures_outside_of_solutions_stay(self, edition: Book) -> None:
        for chapter in TAUGHT:
            _, outside = cells_of(chapter)
            copied = notebooks.read_notebook(edition.folder / f"{chapter.name}.ipynb")
            code = [cell for cell in copied.cells if cell.cell_type == "code"]
            for old, new in zip(outside, code, strict=True):
                assert old.source == new.source
                assert [k for k, _ in outputs(old)] == [k for k, _ in outputs(new)]


def run(sheet: nbformat.NotebookNode, folder: Path) -> list[str]:
    """Run a notebook top to bottom, and return what its checks say."""
    client = NotebookClient(
        sheet,
        kernel_name="python3",
        kernel_manager_class=ThisPython,
        extra_arguments=["--IPKernelApp.log_level=40"],
        resources={"metadata": {"path": str(folder)}},
        timeout=300,
    )
    client.execute()
    return [
        cell.outputs[0].data["text/plain"]
        for cell in sheet.cells
        if cell.cell_type == "code" and cell.source.startswith("check(")
    ]


class TestExerciseNotebooks:
    def test_every_exercise_has_its_cells(self, edition: Book) -> None:
        for chapter in TAUGHT:
            if not (wanted := found_in(chapter)):
                continue
            last = chapter.name.rsplit("/", 1)[-1]
            sheet = nbformat.read(edition.root / "exercises" / f"{last}.ipynb", as_version=4)
            nbformat.validate(sheet)
            sources = [cell.source for cell in sheet.cells]
            assert sum(s.startswith("# your work") for s in sources) == len(wanted)
            for exercise in wanted:
                begins = next(i for i, s in enumerate(sources) if f"**{exercise.kind}.**" in s)
                assert sources[begins + 1].startswith("# your work")
                follows = sources[begins + 2]
                assert follows == f'check("{exercise.label}", answer)' or "- [ ] " in follows
            assert not [c for c in sheet.cells if c.get("outputs")]
            words = "".join(c.source for c in sheet.cells if c.cell_type == "markdown")
            assert not re.search(r"\{[\w:]+\}`", words)

    def test_numbers_are_checked_in_most_chapters(self) -> None:
        checked = [c.name for c in TAUGHT if any(e.answer for e in found_in(c))]
        with_exercises = [c.name for c in TAUGHT if found_in(c)]
        assert len(checked) >= 2 / 3 * len(with_exercises)

    @pytest.mark.parametrize("name", QUICK)
    def test_solutions_pass_and_wrong_answers_do_not(self, edition: Book, name: str) -> None:
        (chapter,), (copy,) = BOOK.select([name]), edition.select([name])
        source = student.source_of(
            chapter,
            notebooks.read_notebook(copy.notebook),
            notebooks.read_notebook(chapter.notebook),
        )
        folder = edition.root / "exercises"
        empty = nbformat.read(folder / f"{name.rsplit('/', 1)[-1]}.ipynb", as_version=4)
        filled = worksheets.filled_in(empty, source)
        for place, cell in reversed(list(enumerate(filled.cells))):
            if cell.source.startswith("check("):
                wrong = nbformat.v4.new_code_cell(cell.source.replace("answer", "-answer"))
                filled.cells.insert(place + 1, wrong)
        said = run(filled, folder)
        assert len(said) == 2 * sum(e.answer is not None for e in source.exercises) >= 4
        assert all(words.startswith("Right") for words in said[::2])
        assert all("Not yet" in words and "wrong sign" in words for words in said[1::2])

    def test_empty_notebook_runs_to_its_end(self, edition: Book) -> None:
        folder = edition.root / "exercises"
        empty = nbformat.read(folder / "six_trials.ipynb", as_version=4)
        assert all(said.startswith("No answer yet") for said in run(empty, folder))


class TestLinks:
    WITHHELD = ("chapters/back/for_teachers", "chapters/selection/the_verdict")

    @pytest.mark.parametrize(
        ("folder", "text", "left"),
        [
            ("chapters", "- [A guide](back/for_teachers.ipynb): plans\n- [B](b.md)\n", "- [B](b.md)\n"),
            ("chapters", "**Teach.** [A guide](back/for_teachers.ipynb) has\nplans.\n\nNext\n", "\nNext\n"),
            ("chapters", "- [A](back/for_teachers.md)\n:::\n", ":::\n"),
            ("chapters", "See [the guide](back/for_teachers.md).", "See the guide."),
            ("chapters/panels", "[The end](../selection/the_verdict.ipynb#x) tells.", "The end tells."),
            ("chapters/selection", "the [next](the_verdict.ipynb) one", "the next one"),
            ("chapters/panels", "[one](the_verdict.ipynb)", "[one](the_verdict.ipynb)"),
        ],
    )  # fmt: skip
    def test_links_to_withheld_pages_become_words(self, folder: str, text: str, left: str) -> None:
        assert student.unlinked(text, PurePosixPath(folder), self.WITHHELD) == left


def test_references_to_withheld_pages_become_words() -> None:
    text = "As {prf:ref}`as-a` and {numref}`the figure <fig-b>` say, but {numref}`fig-c`."
    left = "As a later chapter and a later chapter say, but {numref}`fig-c`."
    assert student.unreferred(text, {"as-a", "fig-b"}) == left


def test_a_chapter_can_be_left_out(tmp_path: Path) -> None:
    held = "selection/the_verdict"
    made = student.make(BOOK, tmp_path / "book", (*student.LEFT_OUT, f"chapters/{held}"))
    student.write_settings(BOOK, made, (*student.LEFT_OUT, f"chapters/{held}"))
    assert held not in [chapter.name for chapter in made.chapters()]
    assert not (made.root / "exercises/the_verdict.ipynb").exists()
    for name, text in written(made).items():
        assert "the_verdict" not in text, name
        assert "`as-verdict-slow`" not in text, name


TASK = "```{exercise-start}\n:label: ex-a\n```\n**Check.** Two times three?\n```{exercise-end}\n```\n\n"
SOLVED = (
    "```{solution-start} ex-a\n:class: dropdown\n```\n\n"
    "```{code-cell} ipython3\nproduct = 2 * 3\n```\n\n"
    "```{code-cell} ipython3\n:tags: [remove-cell]\nkeep(product=product)\n```\n\n"
    "It is {glue:text}`product:.1f`.\n\n@\n\n```{solution-end}\n```\n"
)


def chapter_text(mark: str, after: str = "") -> str:
    return f"# A\n\n{TASK}{SOLVED.replace('@', mark)}\n{after}"


class TestMarks:
    def test_answer_and_questions(self) -> None:
        marks = "<!-- answer: {product:.1f} The\nproduct. -->\n<!-- ask: Is it even? -->"
        (found,) = exercises(chapter_text(marks), "a")
        assert found.answer is not None
        assert (found.answer.key, found.answer.decimals) == ("product", 1)
        assert found.answer.asks == "The product."
        assert found.questions == ("Is it even?",)
        assert found.code == ("product = 2 * 3",)
        assert found.hidden == ("keep(product=product)",)

    def test_without_solutions(self) -> None:
        left = without_solutions(chapter_text("", "## More\n"))
        assert TASK in left
        assert "product" not in left
        assert left.endswith("## More\n")

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (chapter_text("<!-- answer: product -->"), "cannot be read"),
            (chapter_text("<!-- answer: {a:d} A. -->\n<!-- answer: {b:d} B. -->"), "two answers"),
            (chapter_text("", "So {glue:text}`product:.1f`.\n"), "used outside"),
            (f"# A\n\n{TASK}", "no solution"),
            (chapter_text("").replace("**Check.**", "Check."), "must begin with"),
        ],
    )
    def test_refusals(self, text: str, said: str) -> None:
        with pytest.raises(BookError, match=said):
            exercises(text, "a")
