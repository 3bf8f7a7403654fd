"""The harness that kills trainings."""

import pytest


@pytest.mark.slow
def test_killed_trainings_end_like_whole_ones(run_tool) -> None:
    status, lines, _ = run_tool("analysis_tools/kill_training.py", "--workers", "1")
    assert status == 0
    assert len(lines) == 2 + 4
    assert all(line.endswith("| 0 |") for line in lines[2:])
