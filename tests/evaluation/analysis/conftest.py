"""An error analysis to show."""

import pytest

from mmttsrn.evaluation.analysis.errors import ERROR_TYPES, ErrorReport


@pytest.fixture
def errors() -> ErrorReport:
    """An error analysis."""
    return ErrorReport(
        ap=0.25,
        lost=dict(zip(ERROR_TYPES, (0.125, 0.0, 0.05, 0.01, -0.001, 0.0, 0.3), strict=True)),
        counts=dict(zip(ERROR_TYPES, (12, 0, 5, 1, 2, 130, 9), strict=True)),
        track_counts={"identity switch": 3, "fragment": 2},
        all_fixed=1.0,
    )
