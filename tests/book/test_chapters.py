"""The tool that executes, checks and syncs chapters, on books of a few cells."""

from __future__ import annotations

import base64
import io
import os
import threading
import time
from pathlib import Path

import nbformat
import pytest
from PIL import Image

from pooledbook import chapters as tool
from pooledbook import notebooks, run
from pooledbook.compare import images_differ
from pooledbook.tree import Book, BookError

HEADER = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

"""
PICTURE = """\
from PIL import Image
picture = Image.new("RGB", (100, 100), "white")
picture"""


def text(*cells: str, options: str = "") -> str:
    code = "\n\n".join(f"```{{code-cell}} ipython3\n{options}{cell}\n```" for cell in cells)
    return f"{HEADER}# A chapter\n\nSome words.\n\n{code}\n"


@pytest.fixture
def book(tmp_path: Path) -> Book:
    for folder in ("chapters/src/part", "lib/package", "data/private"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "requirements.txt").write_text("numpy==2\n")
    (tmp_path / "lib/package/module.py").write_text("one = 1\n")
    (tmp_path / "data/table.csv").write_text("a,b\n")
    return Book(tmp_path)


def write(book: Book, name: str, content: str) -> Path:
    path = book.folder / "src" / f"{name}.md"
    path.write_text(content)
    return path


def call(book: Book, *arguments: str) -> int:
    return tool.main(["--root", str(book.root), *arguments])


def states(book: Book) -> dict[str, str]:
    fresh_look = Book(book.root)
    return {c.name: notebooks.state(fresh_look, c).word for c in fresh_look.chapters()}


def edit(path: Path, number: int, source: str) -> None:
    """Change a cell as a person in Jupyter would."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[number].source = source
    nbformat.write(notebook, path)


@pytest.fixture
def executed(book: Book) -> Book:
    write(book, "part/one", text("value = 6\nprint(value)", "value * 7", PICTURE))
    assert call(book, "execute") == 0
    return book


class TestExecute:
    def test_notebook_is_normalised(self, executed: Book) -> None:
        notebook = nbformat.read(executed.folder / "part/one.ipynb", as_version=4)
        assert [cell.id for cell in notebook.cells] == [f"cell-{i:03d}" for i in range(4)]
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert [cell.execution_count for cell in code] == [1, 2, 3]
        assert code[1].outputs[0].data["text/plain"] == "42"
        assert notebook.metadata.language_info == {"name": "python"}
        assert set(notebook.metadata) == {"kernelspec", "language_info", "pooledbook"}

    def test_twice_gives_the_same_bytes(self, executed: Book) -> None:
        path = executed.folder / "part/one.ipynb"
        before = path.read_bytes()
        assert call(executed, "execute", "--force") == 0
        assert path.read_bytes() == before

    def test_fresh_chapter_is_left_alone(
        self, executed: Book, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(run, "run", lambda *_: pytest.fail("it ran"))
        assert call(executed, "execute") == 0
        assert "up to date" in capsys.readouterr().out

    @pytest.mark.parametrize(
        "name",
        ["chapters/src/part/one.md", "lib/package/module.py", "data/table.csv", "requirements.txt"],
    )
    def test_change_makes_stale(self, executed: Book, name: str) -> None:
        with (executed.root / name).open("a") as file:
            file.write("\nmore\n")
        assert states(executed) == {"part/one": "stale"}

    @pytest.mark.parametrize("name", ["lib/new.py", "data/sub/new.csv"])
    def test_new_file_makes_stale(self, executed: Book, name: str) -> None:
        (executed.root / name).parent.mkdir(exist_ok=True)
        (executed.root / name).write_text("")
        assert states(executed) == {"part/one": "stale"}

    @pytest.mark.parametrize(
        "name",
        [
            "data/private/mine.csv",
            "lib/package/__pycache__/x.pyc",
            "lib/x.egg-info/PKG",
            "data/.cache",
        ],
    )
    def test_what_no_output_depends_on_does_not(self, executed: Book, name: str) -> None:
        (executed.root / name).parent.mkdir(exist_ok=True)
        (executed.root / name).write_text("anything")
        assert states(executed) == {"part/one": "fresh"}

    def test_failing_cell_is_named_and_others_are_written(
        self, executed: Book, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = executed.folder / "part/one.ipynb"
        before = path.read_bytes()
        write(executed, "part/one", text("fine = 1", "fine / 0  # here\nfine"))
        write(executed, "part/two", text("2"))
        assert call(executed, "execute") == 1
        said = capsys.readouterr().err
        for part in (
            "part/one",
            "code cell 2 of 2",
            "fine / 0  # here",
            "ZeroDivisionError",
            "part/one.md",
        ):
            assert part in said
        assert path.read_bytes() == before
        assert states(executed) == {"part/one": "stale", "part/two": "fresh"}
        assert [
            p.name for p in (executed.folder / "part").iterdir() if p.name.startswith(".")
        ] == []

    def test_line_of_the_failing_cell(self, book: Book, capsys: pytest.CaptureFixture[str]) -> None:
        written = write(book, "part/one", text("1", "nothing"))
        assert call(book, "execute") == 1
        line = written.read_text().splitlines().index("nothing")
        assert f"line {line} of chapters/src/part/one.md" in capsys.readouterr().err

    def test_warning_fails_unless_allowed(
        self, book: Book, capsys: pytest.CaptureFixture[str]
    ) -> None:
        warn = 'import warnings\nwarnings.warn("look out")'
        write(book, "part/one", text(warn))
        assert call(book, "execute") == 1
        assert "look out" in capsys.readouterr().err
        write(book, "part/one", text(warn, options=":tags: [allow-stderr]\n\n"))
        assert call(book, "execute") == 0

    def test_error_that_is_meant_is_one_line(self, book: Book) -> None:
        write(book, "part/one", text("1 / 0", options=":tags: [raises-exception]\n\n"))
        assert call(book, "execute") == 0
        output = nbformat.read(book.folder / "part/one.ipynb", as_version=4).cells[1].outputs[0]
        assert output.traceback == ["ZeroDivisionError: division by zero"]

    def test_path_of_this_machine_is_refused(
        self, book: Book, capsys: pytest.CaptureFixture[str]
    ) -> None:
        write(book, "part/one", text("import os\nprint(os.getcwd())"))
        assert call(book, "execute") == 1
        assert "path of this machine" in capsys.readouterr().err

    def test_kernel_is_this_python_with_a_fixed_environment(
        self, book: Book, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        kernels = tmp_path / "share" / "kernels" / "python3"
        kernels.mkdir(parents=True)
        (kernels / "kernel.json").write_text(
            '{"argv": ["false"], "display_name": "x", "language": "x"}'
        )
        monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "share"))
        monkeypatch.setenv("MPLBACKEND", "agg")
        wanted = {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        lines = [
            "import os, sys, pathlib",
            *(f"assert os.environ[{k!r}] == {v!r}" for k, v in wanted.items()),
        ]
        lines += [
            "assert 'inline' in os.environ['MPLBACKEND']",
            "assert pathlib.Path.cwd().name == 'part'",
        ]
        write(book, "part/one", text("\n".join(lines)))
        assert call(book, "execute") == 0

    def test_chapters_run_side_by_side(
        self, book: Book, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for name in ("one", "two"):
            write(book, f"part/{name}", text("1"))
        together = threading.Barrier(2, timeout=60)
        real = run.run

        def meet(*arguments: object) -> nbformat.NotebookNode:
            together.wait()  # breaks unless both chapters get here at the same time
            return real(*arguments)

        monkeypatch.setattr(run, "run", meet)
        assert call(book, "execute", "--jobs", "2") == 0
        assert set(states(book).values()) == {"fresh"}
        assert "part/two: running" in capsys.readouterr().out

    def test_long_chapter_says_where_it_is(
        self, book: Book, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(tool, "HEARTBEAT", 0.2)
        write(book, "part/one", text("1", "import time\ntime.sleep(1.5)"))
        assert call(book, "execute") == 0
        assert "part/one: cell 2/2" in capsys.readouterr().out

    def test_orphan_is_an_error(self, executed: Book, capsys: pytest.CaptureFixture[str]) -> None:
        (executed.folder / "src/part/one.md").unlink()
        assert call(executed, "execute") == 1
        assert "chapters/part/one.ipynb" in capsys.readouterr().err

    def test_unknown_chapter_gets_the_nearest_name(
        self, executed: Book, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert call(executed, "execute", "part/onne") == 1
        assert "did you mean part/one?" in capsys.readouterr().err

    def test_edited_notebook_is_not_overwritten(
        self, executed: Book, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = executed.folder / "part/one.ipynb"
        edit(path, 1, "value = 8")
        before = path.read_bytes()
        assert call(executed, "execute", "--force") == 1
        assert "run sync" in capsys.readouterr().err
        assert path.read_bytes() == before


class TestCheck:
    def test_sound_book(self, executed: Book, capsys: pytest.CaptureFixture[str]) -> None:
        assert call(executed, "check", "--execute") == 0
        assert "agree" in capsys.readouterr().out

    def test_tampered_cell(self, executed: Book, capsys: pytest.CaptureFixture[str]) -> None:
        edit(executed.folder / "part/one.ipynb", 2, "value * 8")
        assert call(executed, "check") == 1
        said = capsys.readouterr().err
        assert "part/one" in said
        assert "-value * 8" in said
        assert "+value * 7" in said

    def test_tampered_output(self, executed: Book, capsys: pytest.CaptureFixture[str]) -> None:
        path = executed.folder / "part/one.ipynb"
        path.write_text(path.read_text().replace('"42"', '"43"'))
        assert call(executed, "check") == 1
        assert "stored outputs" in capsys.readouterr().err

    @pytest.mark.parametrize("kind", ["text", "figure"])
    def test_forged_output_is_found_by_running(
        self, executed: Book, kind: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = executed.folder / "part/one.ipynb"
        notebook = nbformat.read(path, as_version=4)
        if kind == "text":
            notebook.cells[2].outputs[0].data["text/plain"] = "43"
        else:
            forged = Image.new("RGB", (100, 100), "white")
            forged.putpixel((5, 5), (0, 0, 0))
            notebook.cells[3].outputs[0].data["image/png"] = base64.b64encode(png(forged)).decode()
        notebook.metadata.pooledbook.outputs = notebooks.outputs_seal(notebook)
        nbformat.write(notebook, path)
        assert call(executed, "check") == 0
        assert call(executed, "check", "--execute") == 1
        said = capsys.readouterr().err
        wanted = (
            ("code cell 2", "-43", "+42")
            if kind == "text"
            else ("code cell 3", "1 of the figure's")
        )
        assert all(part in said for part in wanted)


class TestSync:
    def test_round_trip_keeps_header_and_options(self, book: Book) -> None:
        typed = text(
            "1 + 1", options="---\ntags: [hide-input]\nmystnb:\n  image:\n    alt: x\n---\n"
        )
        written = write(book, "part/one", typed)
        assert call(book, "execute") == 0
        path = book.folder / "part/one.ipynb"
        edit(path, 0, "# A chapter\n\nOther words.")
        assert states(book) == {"part/one": "edited"}
        assert call(book, "sync", "--all") == 0
        assert written.read_text() == typed.replace("Some words.", "Other words.")
        assert states(book) == {"part/one": "stale"}
        assert call(book, "execute") == 0
        assert call(book, "check") == 0

    def test_nothing_to_do(self, executed: Book) -> None:
        written = executed.folder / "src/part/one.md"
        before = written.read_bytes()
        assert call(executed, "sync", "one") == 0
        assert written.read_bytes() == before

    def test_conflict_is_refused(self, executed: Book, capsys: pytest.CaptureFixture[str]) -> None:
        edit(executed.folder / "part/one.ipynb", 1, "value = 8")
        written = write(executed, "part/one", text("value = 9"))
        assert call(executed, "sync", "--all") == 1
        assert "both changed" in capsys.readouterr().err
        assert written.read_text() == text("value = 9")


class TestNormalising:
    @pytest.mark.parametrize(
        ("raw", "stored"),
        [
            ("<A at 0x7f3a2b1c>", "<A at 0xADDRESS>"),
            ("/a/folder/ipykernel_12/3.py:4: UserWarning", "<cell>:4: UserWarning"),
            ("Mon, 23 Nov 2026 15:01:02", "(date) hh:mm:ss"),
            ("np.float64(0.5)", "0.5"),
            ("-0.012654415807935214", "-0.0126544158"),
            ("estimate -0.0126 (0.003)", "estimate -0.0126 (0.003)"),
        ],
    )
    def test_patterns(self, raw: str, stored: str) -> None:
        assert notebooks.sanitise(raw) == stored

    def test_png_loses_its_notes_and_no_pixel(self) -> None:
        from PIL.PngImagePlugin import PngInfo

        notes = PngInfo()
        notes.add_text("Software", "drawn by me")
        image = Image.linear_gradient("L")
        noted = png(image, notes)
        assert b"drawn by me" not in notebooks.bare_png(noted)
        assert images_differ(noted, notebooks.bare_png(noted)) == ""

    def test_tolerance_forgives_a_shade_and_not_a_dot(self) -> None:
        plain = Image.new("RGB", (640, 480), "white")
        shade, dot = plain.copy(), plain.copy()
        shade.paste((240, 240, 240), (0, 0, 640, 1))
        dot.paste((0, 0, 0), (10, 10, 13, 13))
        assert images_differ(png(plain), png(shade)) == ""
        assert images_differ(png(plain), png(dot)) == "9 of the figure's 307200 pixels differ"


def png(image: Image.Image, notes: object = None) -> bytes:
    held = io.BytesIO()
    image.save(held, "PNG", pnginfo=notes)
    return held.getvalue()


def test_header_must_name_the_kernel(book: Book) -> None:
    write(book, "part/one", "# No header\n\n```{code-cell}\n1\n```\n")
    with pytest.raises(BookError, match="kernelspec python3"):
        notebooks.read_text(book.chapters()[0])


def test_interrupted_writing_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.ipynb"
    path.write_text("old")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        notebooks.write_whole(path, "new")
    assert [p.name for p in tmp_path.iterdir()] == ["x.ipynb"]
    assert path.read_text() == "old"


def test_looking_at_a_fresh_book_is_quick(executed: Book) -> None:
    begun = time.monotonic()
    assert call(executed, "list") == 0
    assert time.monotonic() - begun < 5
