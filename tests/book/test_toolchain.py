"""The ground the book stands on: pins, folders, no host and no CDN anywhere."""

from __future__ import annotations

import re
import subprocess
import tomllib
from importlib.metadata import distributions
from pathlib import Path

from bs4 import BeautifulSoup

TOP_FOLDERS = {".binder", ".ci", ".devcontainer", ".github", "chapters", "data", "lib", "tests"}
# In parts, since no file may name one, not even this.
_DOTTED = (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("registry", "npmjs"))
REGISTRIES = (*(".".join(parts) for parts in _DOTTED), "jsdelivr", "unpkg", "cdnjs")
FROM_THE_BUILD = {"pip", "pooledtrials"}
"""What an environment holds without the lock: pip comes with the venv, the library is the tree."""


def tracked(root: Path) -> list[Path]:
    """Files of the project: those in git or about to be."""
    said = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    return [root / line for line in said.stdout.splitlines() if (root / line).is_file()]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_jupyter_book_stays_below_2(root: Path) -> None:
    # Version 2 ignores _config.yml and fetches its theme over the network at every build.
    groups = tomllib.loads((root / "pyproject.toml").read_text("utf8"))["dependency-groups"]
    pins = [pin for pin in groups["book"] if pin.startswith("jupyter-book")]
    assert pins
    assert re.fullmatch(r"jupyter-book==1\.[\d.]+(post\d+)?", pins[0])


def test_only_the_house_folders(root: Path) -> None:
    folders = {p.relative_to(root).parts[0] for p in tracked(root) if p.parent != root}
    assert folders <= TOP_FOLDERS


def test_no_file_names_a_registry_or_a_cdn(root: Path) -> None:
    guilty = []
    for path in tracked(root):
        if path == Path(__file__) or path.suffix in {".woff2", ".png", ".gz"}:
            continue
        text = path.read_text("utf8", errors="replace")
        guilty += [f"{path.relative_to(root)}: {host}" for host in REGISTRIES if host in text]
    assert guilty == []


def test_no_file_holds_a_path_of_this_machine(root: Path) -> None:
    guilty = [
        path.relative_to(root).as_posix()
        for path in tracked(root)
        if str(root).encode() in path.read_bytes()
    ]
    assert guilty == []


def test_the_lock_is_whole_and_without_addresses(root: Path) -> None:
    lock = (root / "requirements.txt").read_text("utf8")
    assert "://" not in lock
    locked = {
        (canonical(name), version) for name, version in re.findall(r"^([\w.-]+)==(\S+)", lock, re.M)
    }
    entries = re.split(r"\n(?=\S)", lock.strip())
    assert all("--hash=sha256:" in entry for entry in entries if not entry.startswith("#"))
    strangers = [
        f"{d.name}=={d.version}"
        for d in distributions()
        if canonical(d.name) not in FROM_THE_BUILD and (canonical(d.name), d.version) not in locked
    ]
    assert strangers == []


def test_katex_styles_match_the_program_that_sets_the_formulas(root: Path) -> None:
    from sphinxcontrib import katex

    folder = root / "chapters" / "_static" / "katex"
    style = (folder / "katex.min.css").read_text("utf8")
    assert f'content:"{katex.katex_version}"' in style
    fonts = set(re.findall(r"fonts/([\w-]+\.woff2)", style))
    assert fonts == {path.name for path in (folder / "fonts").iterdir()}
    assert (folder / "LICENSE").exists()


def test_pages_fetch_nothing_from_elsewhere(site: Path) -> None:
    fetched = []
    for path in site.rglob("*.html"):
        soup = BeautifulSoup(path.read_text("utf8"), "html.parser")
        for tag, attribute in (
            ("script", "src"),
            ("link", "href"),
            ("img", "src"),
            ("iframe", "src"),
        ):
            fetched += [
                f"{path.relative_to(site)}: {found[attribute]}"
                for found in soup.find_all(tag, attrs={attribute: re.compile("^(https?:)?//")})
                if found.get("rel") != ["canonical"]
            ]
    assert fetched == []
