"""A built site, a server for it, and a browser to read it with."""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from pooledbook import site as builder
from pooledbook.pages.offline import node_of_the_wheel

ROOT = Path(__file__).parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC_BROWSER = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bring the site up to date as `make site` does, and read a copy that no other build touches."""
    copy = tmp_path_factory.mktemp("site") / "html"
    with builder.alone(ROOT):
        shutil.copytree(builder.build(ROOT).parent, copy)
    return copy


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="session")
def address(site: Path) -> Iterator[str]:
    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = [path for name in BROWSERS if (path := shutil.which(name))]
    if MAC_BROWSER.exists():
        found.append(str(MAC_BROWSER))
    if not found:
        pytest.fail(
            "no browser to read the site with: install Chromium or Google Chrome "
            "(Debian and Ubuntu: apt-get install chromium)"
        )
    # The driver's own node wants a system library that a bare machine lacks.
    os.environ["PLAYWRIGHT_NODEJS_PATH"] = node_of_the_wheel()
    with sync_playwright() as playwright:
        # Without its sandbox: it reads only our own pages, and in a container it cannot have one.
        browser = playwright.chromium.launch(executable_path=found[0], args=["--no-sandbox"])
        yield browser
        browser.close()
