"""One hypothesis profile for all tests: no deadlines on a shared machine, no luck in CI."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("house", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("house")
