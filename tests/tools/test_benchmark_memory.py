"""The benchmark of memory on a small video."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools/analysis_tools/benchmark_memory.py"


@pytest.mark.slow
def test_prints_the_peak_of_both_lengths():
    command = [sys.executable, str(TOOL), "--frames", "3", "6", "--size", "60", "90"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    peaks = re.findall(r"(\d) frames: peak +(\d+) MB", printed)
    assert [frames for frames, _ in peaks] == ["3", "6"]
    assert all(int(peak) > 100 for _, peak in peaks)
    assert "ratio" in printed
