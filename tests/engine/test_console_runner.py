"""What the terminal shows of a run, and what only the log file has."""

from pathlib import Path

import pytest
from mmengine.config import Config
from torch import nn

from mmttsrn.engine.console_runner import ConsoleRunner


def test_long_messages_of_the_start_are_named_and_later_ones_shown(
    tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    keys = {f"key_{number}": number for number in range(40)}
    runner = ConsoleRunner(
        model=nn.Identity(), work_dir=str(tmp_path), cfg=Config(keys), default_scope="mmengine",
        experiment_name="console_runner",
    )  # fmt: skip
    (log,) = tmp_path.rglob("*.log")
    start = "".join(capfd.readouterr())
    assert f"Config: 40 lines, see {log}" in start
    assert "key_30" not in start
    assert "key_30 = 30" in log.read_text()
    runner.logger.info("table\n" + "\n".join(keys))
    assert "key_30" in "".join(capfd.readouterr())
