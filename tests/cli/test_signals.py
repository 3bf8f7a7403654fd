"""Ctrl-C and SIGTERM in a training: the step is finished, a checkpoint saved, the way on told."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from mmttsrn.cli.signals import resuming
from mmttsrn.datasets.synthetic import write_moving_shapes

TOOLS = Path(__file__).parents[2] / "tools"
STEPS = 10_000


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shapes")
    write_moving_shapes(folder, 4, 1, 4, (64, 96), 2)
    return folder


def start(data: Path, work_dir: Path, log: Path, *arguments: str) -> psutil.Popen:
    """Begin a long training, and wait until it is at work."""
    roots = [f"{kind}_dataloader.dataset.data_root={data}/" for kind in ("train", "val", "test")]
    options = [*roots, "train_dataloader.batch_size=2", "default_hooks.logger.interval=1"]
    options += [f"train_cfg.max_iters={STEPS}", f"train_cfg.val_interval={STEPS}"]
    command = [sys.executable, TOOLS / "train.py", "ttsrn-m2f_tiny_shapes", "--work-dir", work_dir]
    with log.open("w") as file:
        process = psutil.Popen(
            [*map(str, command), *arguments, "--cfg-options", *options],
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + 120
    while "Iter(train)" not in log.read_text():
        assert process.poll() is None, log.read_text()[-3000:]
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return process


@pytest.mark.parametrize("before", [[], ["--resume"], ["--resume", "a.pth"], ["--resume=a.pth"]])
def test_the_command_that_goes_on_takes_the_latest_checkpoint(before: list[str]) -> None:
    words = ["tools/train.py", "config", *before, "--work-dir", "x"]
    assert resuming(words) == ["tools/train.py", "config", "--work-dir", "x", "--resume"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_training_with_a_checkpoint(
    number: signal.Signals, data: Path, tmp_path: Path
) -> None:
    log, work_dir = tmp_path / "log", tmp_path / "work"
    process = start(data, work_dir, log)
    os.killpg(process.pid, number)  # workers of the data loader get it, too
    assert process.wait(timeout=60) == 128 + number
    text = log.read_text()
    assert "Traceback" not in text
    (checkpoint,) = work_dir.glob("*.pth")
    steps = int(checkpoint.stem.split("_")[1])
    assert 1 <= steps < STEPS
    line = next(line for line in text.splitlines() if line.startswith("stopped after"))
    assert line.startswith(f"stopped after {steps} iterations; saved {checkpoint}; go on with: ")
    assert line.endswith(" --resume")
    assert (work_dir / "last_checkpoint").read_text() == checkpoint.name
    if number == signal.SIGTERM:
        process = start(data, work_dir, log, "--resume")
        process.kill()
        assert f"Iter(train) [{steps + 1:5}/{STEPS}]" in log.read_text()


def test_no_worker_outlives_a_training_that_is_killed(data: Path, tmp_path: Path) -> None:
    process = start(data, tmp_path / "work", tmp_path / "log")
    workers = process.children(recursive=True)
    assert workers
    process.kill()
    process.wait()
    assert psutil.wait_procs(workers, timeout=5)[1] == []


def test_a_signal_may_reach_a_worker_first(data: Path, tmp_path: Path) -> None:
    log, work_dir = tmp_path / "log", tmp_path / "work"
    process = start(data, work_dir, log)
    for worker in process.children():
        worker.terminate()
    time.sleep(0.3)
    process.terminate()
    assert process.wait(timeout=60) == 128 + signal.SIGTERM
    assert "Traceback" not in log.read_text()
    assert list(work_dir.glob("*.pth"))


def test_a_worker_that_is_killed_is_told_in_one_line(data: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = start(data, tmp_path / "work", log)
    for worker in process.children():
        worker.kill()
    assert process.wait(timeout=60) == 2
    assert "Traceback" not in log.read_text()
    assert re.search(
        r"^error: DataLoader worker .*(killed|exited|ended).*\. If memory ran out, ",
        log.read_text(),
        re.MULTILINE,
    )
