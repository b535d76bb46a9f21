"""The two sets of controls under which the truths use Card's data."""

from __future__ import annotations

CARD_4 = ["exper", "expersq", "black", "south"]
CARD_15 = ["exper", "expersq", "black", "smsa", "south", "smsa66"] + [
    f"reg66{j}" for j in range(1, 9)
]
