"""Synthetic twins that several tests read; nobody changes them."""

from __future__ import annotations

import pytest

from pooledtrials.pooling.twin import Twin, simulate


@pytest.fixture(scope="session")
def weak() -> Twin:
    return simulate("works", "weak", 11)


@pytest.fixture(scope="session")
def strong() -> Twin:
    return simulate("selection", "strong", 11)


@pytest.fixture(scope="session")
def many() -> Twin:
    return simulate("works", "weak", 5, copies=20)
