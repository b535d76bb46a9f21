"""Sphinx extension: the reference pages, from the docstrings of the library.

``{overview}`` lists the entries of its page, a line each, under the page's own headings.
``{entry} name ...`` shows a function, and beneath it the classes it returns: signature, docstring,
members, and the chapters that use it, which are found in the chapters' code.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator, Sequence
from dataclasses import is_dataclass
from functools import cached_property
from inspect import ismodule
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.utils import new_document
from myst_parser.mocking import MockRSTParser
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from pooledbook.pages.docstrings import SECTION, Link, as_rst, linked, listed, summary
from pooledbook.pages.entries import (
    FOLDER,
    LIBRARY,
    Entry,
    all_entries,
    constant,
    entries_of,
    home,
    resolve,
    uses,
)

SHORT_DEFAULT = 24
"""Characters of a default that a signature shows in full."""


class FromDocstrings(SphinxDirective):
    """What the two directives share: names become links, text becomes nodes."""

    @property
    def root(self) -> Path:
        """The folder of the book."""
        return Path(self.env.srcdir)

    @property
    def page(self) -> str:
        """The page's name, which is that of a package or of the results."""
        return self.env.docname.rsplit("/", 1)[-1]

    def link(self, name: str) -> str:
        """Link a name in a docstring to its entry; a name without an entry stays a word."""
        return link_among(all_entries(self.root), name, self.page)

    def parsed(self, text: str) -> list[nodes.Node]:
        """Read reStructuredText, which a page in Markdown cannot nest."""
        document = new_document(self.env.docname, self.state.document.settings)
        document.reporter = self.state.document.reporter
        MockRSTParser().parse(text, document)
        return list(document.children)


class Overview(FromDocstrings):
    """Every entry of the page in one line."""

    def run(self) -> list[nodes.Node]:
        """Write a table for each heading."""
        text = (self.root / "chapters" / "src" / FOLDER / f"{self.page}.md").read_text("utf8")
        stages: dict[str, list[Entry]] = {}
        for entry in entries_of(text, self.page):
            stages.setdefault(entry.heading, []).append(entry)
        lines = []
        for heading, entries in stages.items():
            lines += [f"**{heading}**", "", ".. list-table::", "   :widths: 32 68", ""]
            for entry in entries:
                first = entry.names[0]
                lines += [f"   * - :py:obj:`{first.split('.', 1)[1]} <{LIBRARY}.{first}>`"]
                lines += [f"     - {linked(first_line(entry.names[0]), self.link)}"]
            lines.append("")
        return self.parsed("\n".join(lines))


class EntryDirective(FromDocstrings):
    """A function with its result classes, or a class, or a constant."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Write the descriptions, and say which chapters use the first name."""
        entry = next(entries_of(f"```{{entry}} {self.arguments[0]}", self.page))
        for chapter in sorted((self.root / "chapters" / "src").rglob("*.md")):
            self.env.note_dependency(str(chapter))
        first, *others = entry.names
        inner = "\n".join(self._described(name, result=True) for name in others)
        return self.parsed(f".. py:currentmodule:: {LIBRARY}\n\n{self._described(first)}\n{inner}")

    def _described(self, name: str, *, result: bool = False) -> str:
        thing = resolve(name)
        if home(thing):
            self.env.note_dependency(inspect.getfile(thing))
        kind, signature = "data", ""
        if inspect.isclass(thing) or inspect.isfunction(thing):
            kind = "class" if inspect.isclass(thing) else "function"
            signature = "" if result else readable(thing)
        documented = kind != "data" or ismodule(thing)
        words = as_rst(whole_docstring(thing), self.link) if documented else ""
        body = [words or linked(constant(name), self.link)]
        body += members(thing, self.link) if kind == "class" else []
        chapters = [
            f":doc:`/chapters/{chapter}`"
            for chapter in uses(self.root).get(name, ())
            if f"chapters/{chapter}" in self.env.found_docs
        ]
        body += [f":Used in:\n   {', '.join(chapters)}"] if chapters else []
        content = "\n\n".join(body).splitlines()
        indented = "\n".join(f"   {line}".rstrip() for line in content)
        # The contents beside the page list what is called, not what is returned.
        option = "   :no-contents-entry:\n" * result
        return f".. py:{kind}:: {name}{signature}\n{option}\n{indented}\n"


def first_line(path: str) -> str:
    """Return the first line of what is said of a name."""
    thing = resolve(path)
    documented = inspect.isfunction(thing) or inspect.isclass(thing) or ismodule(thing)
    return summary(thing) if documented else constant(path).partition("\n")[0]


def link_among(entries: Sequence[Entry], name: str, page: str) -> str:
    """Link `name` as a docstring of `page` means it: of its own page first, then of any other."""
    homes = {
        path.rsplit(".", 1)[-1]: path
        for entry in sorted(entries, key=lambda entry: entry.page == page)
        for path in entry.names
    }
    known = {path for entry in entries for path in entry.names}
    plain = name.removeprefix(f"{LIBRARY}.")
    target = plain if plain in known else homes.get(plain)
    if target is None and plain.count(".") == 1:
        target = homes.get(plain.split(".")[0])  # a member stands in the entry of its class
    return f":py:obj:`{plain} <{LIBRARY}.{target}>`" if target else f"``{name}``"


def readable(thing: Any) -> str:
    """Write a signature by names and defaults; what the types are, the docstring says."""
    try:
        signature = inspect.signature(thing)
    except ValueError:
        return ""  # an exception, or another class without a signature of its own
    parameters = [
        parameter.replace(annotation=inspect.Parameter.empty, default=shown(parameter.default))
        for parameter in signature.parameters.values()
    ]
    return str(signature.replace(parameters=parameters, return_annotation=signature.empty))


class Ellipsised:
    """A default too long to show."""

    def __repr__(self) -> str:
        return "..."


def shown(default: Any) -> Any:
    """Leave a short default as it is, and dots in place of a long one."""
    if default is inspect.Parameter.empty or len(repr(default)) <= SHORT_DEFAULT:
        return default
    return Ellipsised()


def whole_docstring(thing: Any) -> str:
    """Return a docstring; a function's says what it returns, if need be by its annotation."""
    docstring = inspect.getdoc(thing) or ""
    if not inspect.isfunction(thing) or "\nReturns\n" in docstring:
        return docstring
    written = str(inspect.signature(thing).return_annotation)
    section = f"Returns\n-------\n{written.removeprefix('pd.')}\n\n"
    before, raises, after = docstring.partition("Raises\n------\n")
    return f"{before.rstrip()}\n\n{section}{raises}{after}"


def members(thing: type, link: Link) -> list[str]:
    """Write fields that the docstring does not explain, and what instances can be asked."""
    written = []
    docstring = inspect.getdoc(thing) or ""
    fields = [field.name for field in dataclasses.fields(thing)] if is_dataclass(thing) else []
    if fields and "\nAttributes\n" not in docstring and "\nParameters\n" not in docstring:
        written.append(f":Attributes:\n   {', '.join(f'``{name}``' for name in fields)}")
    asked = list(methods(thing))
    if asked:
        written.append(listed("Members", iter(asked), link))
    return written


def methods(thing: type) -> Iterator[tuple[str, str, str]]:
    """List the public properties and methods that the library's own classes give `thing`."""
    own = [base for base in thing.__mro__ if base.__module__.startswith(LIBRARY)]
    names = {name: value for base in reversed(own) for name, value in vars(base).items()}
    for name, value in names.items():
        method = isinstance(value, classmethod | staticmethod) or inspect.isfunction(value)
        asked = isinstance(value, property | cached_property)
        if not name.startswith("_") and (method or asked):
            paragraph = SECTION.split(
                inspect.getdoc(getattr(thing, name, None) if method else value) or ""
            )[0]
            call = readable(getattr(thing, name)) if method else ""
            yield name + call.replace("(self, ", "(").replace("(self)", "()"), "", paragraph.strip()


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.add_directive("overview", Overview)
    app.add_directive("entry", EntryDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
