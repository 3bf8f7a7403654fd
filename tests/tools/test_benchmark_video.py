"""The benchmark of video inference on a small video."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mmttsrn.visualization.video_io import write_frame

TOOL = Path(__file__).parents[2] / "tools/analysis_tools/benchmark_video.py"


@pytest.mark.slow
def test_prints_speed_and_memory_of_each_set_of_options(tmp_path):
    for number in range(3):
        write_frame(tmp_path / f"{number}.png", np.full((48, 64, 3), 80 * number, np.uint8))
    command = [sys.executable, str(TOOL), str(tmp_path), "--frames", "4", "9"]
    command += ["--options", "", "--latency 0"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"^ *(\d) frames: peak +\d+ MB", printed, re.MULTILINE) == list("4949")
    assert len(re.findall(r" frames/s; memory x [\d.]+", printed)) == 2
