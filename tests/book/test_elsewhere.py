"""What opens the book elsewhere: Binder, a container, a forge, hooks before a commit."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

FAKE_PYTHON = """#!/bin/sh
echo "$@" >> {log}
while [ $# -gt 0 ]; do
    case "$1" in --requirement) case "$2" in /*) cat "$2" >> {log} ;; esac ;; esac
    shift
done
"""


@pytest.fixture
def targets(root: Path) -> set[str]:
    lines = (root / "Makefile").read_text("utf8").splitlines()
    return {found[1] for line in lines if (found := re.match(r"([\w./]+):", line))}


@pytest.fixture
def groups(root: Path) -> set[str]:
    return set(tomllib.loads((root / "pyproject.toml").read_text("utf8"))["dependency-groups"])


def made(command: str) -> set[str]:
    """Targets that a shell command makes."""
    calls = re.findall(r"\bmake ([\w./ ]+)", command)
    return {target for call in calls for target in call.split()}


def test_installing_takes_hashes_of_everything(root: Path, tmp_path: Path):
    log, python = tmp_path / "log", tmp_path / "python"
    python.write_text(FAKE_PYTHON.format(log=log))
    python.chmod(0o755)
    subprocess.run([root / ".ci/install", python, "setup", "book"], check=True, capture_output=True)
    lines = log.read_text("utf8").splitlines()
    calls = [line for line in lines if line.startswith("-m ")]
    assert [call.split()[1] for call in calls] == ["pip", "uv", "uv"]
    assert all("--require-hashes" in call for call in calls[:2])
    assert "--group setup --group book" in calls[1]
    pinned = [line for line in lines if "==" in line]
    assert len(pinned) == 1
    assert pinned[0].startswith("uv==")
    assert sum("--hash=sha256:" in line for line in lines) >= 10  # one for each platform


def test_installing_needs_to_know_where_and_what(root: Path):
    said = subprocess.run([root / ".ci/install", "python3"], capture_output=True, text=True)
    assert said.returncode == 2
    assert "PYTHON GROUP" in said.stderr


def test_binder_installs_the_lock(root: Path, groups: set[str]):
    script = root / ".binder" / "postBuild"
    assert os.access(script, os.X_OK)
    words = script.read_text("utf8").splitlines()[-1].split('"')[-1].split()
    assert set(words) <= groups
    assert "book" in words
    version = (root / ".binder" / "runtime.txt").read_text("utf8").strip().removeprefix("python-")
    wanted = tomllib.loads((root / "pyproject.toml").read_text("utf8"))["project"]
    assert wanted["requires-python"] == f">={version}"


def test_the_container_makes_what_there_is(root: Path, targets: set[str]):
    said = json.loads((root / ".devcontainer" / "devcontainer.json").read_text("utf8"))
    asked = made(said["postCreateCommand"])
    assert asked
    assert asked <= targets


def test_the_forge_runs_what_we_run(root: Path, targets: set[str]):
    jobs = yaml.safe_load((root / ".github/workflows/book.yml").read_text("utf8"))["jobs"]
    runs = {name: [s["run"] for s in job["steps"] if "run" in s] for name, job in jobs.items()}
    assert runs["check"] == [".ci/run"]
    assert jobs["publish"]["needs"] == "check"
    assert made(" ; ".join(runs["drift"])) == {"drift"}
    assert "drift" in targets


def test_hooks_use_the_locked_tools(root: Path):
    hooks = yaml.safe_load((root / ".pre-commit-config.yaml").read_text("utf8"))["repos"]
    assert [repo["repo"] for repo in hooks] == ["local"]
    entries = [hook["entry"].split()[0] for hook in hooks[0]["hooks"]]
    assert {Path(entry).name for entry in entries} == {"ruff", "python"}
    assert all(entry.startswith(".venv/bin/") for entry in entries)
    pattern = re.compile(hooks[0]["hooks"][-1]["files"])
    assert pattern.search("chapters/src/x.md")
    assert not pattern.search("README.md")
