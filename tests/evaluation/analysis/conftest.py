"""An error analysis to show."""

from dataclasses import dataclass, field

import pytest

KINDS = ("class", "spatial", "track", "both", "duplicate", "background", "missed")


@dataclass
class Errors:
    """What the tables and plots read of an error analysis."""

    ap: float = 0.25
    lost: dict[str, float] = field(
        default_factory=lambda: dict(
            zip(KINDS, (0.125, 0.0, 0.05, 0.01, -0.001, 0.0, 0.3), strict=True)
        )
    )
    counts: dict[str, int] = field(
        default_factory=lambda: dict(zip(KINDS, (12, 0, 5, 1, 2, 130, 9), strict=True))
    )
    track_counts: dict[str, int] = field(
        default_factory=lambda: {"identity switch": 3, "fragment": 2}
    )


@pytest.fixture
def errors() -> Errors:
    """An error analysis."""
    return Errors()
