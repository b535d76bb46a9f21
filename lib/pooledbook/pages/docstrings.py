"""A numpydoc docstring as reStructuredText, with its names and its sources made into links.

The library's parameters are described in words (``level : of confidence``), not by types that
could be looked up, so what stands before and after the colon is shown as it was written.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator

SECTION = re.compile(r"^([A-Z][A-Za-z ]+)\n-{3,}[ ]*$", re.MULTILINE)
LISTS = {"Parameters", "Attributes", "Returns", "Yields", "Raises"}
INLINE = re.compile(
    r"(?P<literal>``.+?``)"
    r"|(?<![:`])`(?P<name>[\w.]+)`(?!`)"
    r"|(?P<bar>\|)"
    r"|\[(?P<key>[a-z]+(?:19|20)\d\d[a-z0-9]*)\]",
    re.DOTALL,
)
Link = Callable[[str], str]
"""From a name in a docstring to the text that shows it."""


def summary(thing: object) -> str:
    """Return the first line of the docstring of `thing`."""
    return (inspect.getdoc(thing) or "").partition("\n")[0]


def as_rst(docstring: str, link: Link) -> str:
    """Rewrite a whole docstring: prose as it stands, sections as fields."""
    parts = SECTION.split(docstring)
    written = [linked(parts[0].strip(), link)]
    for title, content in zip(parts[1::2], parts[2::2], strict=True):
        if title in LISTS:
            # After a blank line a paragraph may follow that belongs to no entry.
            entries, _, after = content.strip().partition("\n\n")
            written += [listed(title, items(entries), link), linked(after, link)]
        else:
            written.append(f".. rubric:: {title}\n\n{linked(content.strip(), link)}")
    return "\n\n".join(written) + "\n"


def linked(text: str, link: Link) -> str:
    """Make links of names in single backticks and of sources in brackets."""

    def replace(found: re.Match[str]) -> str:
        if found["name"]:
            return link(found["name"])
        if found["key"]:
            return f":cite:p:`{found['key']}`"
        # |t| is an absolute value here, not a substitution.
        return "\\|" if found["bar"] else found[0]

    return INLINE.sub(replace, text)


def items(content: str) -> Iterator[tuple[str, str, str]]:
    """List name, classifier and description of each entry of a section."""
    entries: list[list[str]] = []
    for line in content.strip("\n").splitlines():
        if line[:1].strip():
            entries.append([line])
        elif entries:
            entries[-1].append(line)
    for head, *lines in entries:
        name, _, words = head.partition(" : ")
        below = inspect.cleandoc("\n".join(["", *lines]))
        if not below:
            yield name.strip(), "", words
        elif words and not below[0].isupper():
            yield name.strip(), "", f"{words} {below}"  # a sentence that goes on
        else:
            yield name.strip(), words, below


def listed(title: str, entries: Iterator[tuple[str, str, str]], link: Link) -> str:
    """Write a section as one field that holds a list of definitions."""
    lines = [f":{title}:"]
    for name, classifier, description in entries:
        plain = name if title in ("Parameters", "Attributes", "Members") else ""
        term = f"**{escaped(plain)}**" if plain else linked_type(name, link)
        if classifier:
            term += f" : {linked(classifier, link)}"
        words = linked(description, link).splitlines()
        if description.isidentifier() and description[0].isupper():
            words = [link(description)]  # the name of a type
        # A definition needs words; a lone return type is a paragraph.
        lines += [f"   {term}", *(f"      {line}".rstrip() for line in words)]
        if not words:
            lines.append("")
    return "\n".join(lines)


def linked_type(name: str, link: Link) -> str:
    """Link a returned type where it is one name, else leave the words."""
    return link(name) if name.isidentifier() else escaped(name)


def escaped(name: str) -> str:
    """Keep stars and underscores of a name from being read as markup."""
    return re.sub(r"([*_\\|`])", r"\\\1", name)
