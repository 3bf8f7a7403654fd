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
import torch
from mmengine.hooks import EMAHook
from number_training import STEPS, VALIDATED_AFTER, VIDEOS, build, numbers
from torch.utils.data import DataLoader

from mmttsrn.checkpoints.host_loading import load_for_host
from mmttsrn.cli import signals
from mmttsrn.cli.signals import resuming
from mmttsrn.datasets.synthetic import write_moving_shapes
from mmttsrn.errors import UserInputError

TOOLS = Path(__file__).parents[2] / "tools"
MANY_STEPS = 10_000


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shapes")
    write_moving_shapes(folder, 4, 1, 4, (64, 96), 2)
    return folder


def start(data: Path, work_dir: Path, log: Path, *arguments: str) -> psutil.Popen:
    """Begin a long training, and wait until it is at work."""
    roots = [f"{kind}_dataloader.dataset.data_root={data}/" for kind in ("train", "val", "test")]
    options = [*roots, "train_dataloader.batch_size=2", "default_hooks.logger.interval=1"]
    options += [f"train_cfg.max_iters={MANY_STEPS}", f"train_cfg.val_interval={MANY_STEPS}"]
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
    assert 1 <= steps < MANY_STEPS
    line = next(line for line in text.splitlines() if line.startswith("stopped after"))
    assert line.startswith(f"stopped after {steps} iterations; saved {checkpoint}; go on with: ")
    assert line.endswith(" --resume")
    assert (work_dir / "last_checkpoint").read_text() == checkpoint.name
    if number == signal.SIGTERM:
        process = start(data, work_dir, log, "--resume")
        process.kill()
        assert f"Iter(train) [{steps + 1:5}/{MANY_STEPS}]" in log.read_text()


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
    log, work_dir = tmp_path / "log", tmp_path / "work"
    process = start(data, work_dir, log)
    for worker in process.children():
        worker.kill()
    assert process.wait(timeout=60) == 2
    assert "Traceback" not in log.read_text()
    (checkpoint,) = work_dir.glob("*.pth")
    steps = int(checkpoint.stem.split("_")[1])
    assert re.search(
        r"^error: DataLoader worker .*(killed|exited|ended).*\. If memory ran out, .*; "
        rf"stopped after {steps} iterations; saved {checkpoint}; --resume goes on$",
        log.read_text(),
        re.MULTILINE,
    )


class BrokenAt(list):
    """Samples of which one cannot be read."""

    def __init__(self, samples: list, position: int) -> None:
        super().__init__(samples)
        self.position = position

    def __getitem__(self, index: int) -> dict:
        if index == self.position:
            raise UserInputError("00007.jpg: is cut off")
        return super().__getitem__(index)


@pytest.mark.parametrize(
    ("broken", "steps"),
    [
        (dict(train=BrokenAt(numbers(2 * STEPS), 4)), 4),
        (dict(val=BrokenAt(numbers(VIDEOS), 2)), VALIDATED_AFTER),
    ],
    ids=["training", "validation"],
)
def test_where_a_loader_fails_the_weights_are_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: dict, steps: int
) -> None:
    monkeypatch.setattr(signals, "tie_children_to_parent", lambda: None)  # of all tests
    child_ended = signal.getsignal(signal.SIGCHLD)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)

    def average() -> EMAHook:
        return EMAHook(momentum=0.5)

    build(tmp_path / "whole", [average()], f"{steps}_whole").train()
    says = rf"^00007.jpg: is cut off; stopped after {steps} iterations; saved .*iter_{steps}.pth; "
    with pytest.raises(UserInputError, match=says):
        signals.train(build(tmp_path / "parts", [average()], f"{steps}_parts", **broken))
    signal.signal(signal.SIGCHLD, child_ended)
    build(tmp_path / "parts", [average()], f"{steps}_resumed", resume=True).train()
    whole, parts = (
        load_for_host(str(tmp_path / name / f"iter_{STEPS}.pth")) for name in ("whole", "parts")
    )
    for key in ("state_dict", "ema_state_dict"):
        assert whole[key].keys() == parts[key].keys()
        for name, value in whole[key].items():
            assert torch.equal(parts[key][name], value), f"{key} {name}"


def test_a_loader_that_fails_in_a_test_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signals, "tie_children_to_parent", lambda: None)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    child_ended = signal.getsignal(signal.SIGCHLD)
    runner = build(tmp_path, [], "test")
    monkeypatch.setattr(runner, "test", lambda: list(DataLoader(TooLarge(numbers(1)))))
    with pytest.raises(UserInputError, match=r"^the data loader: MemoryError\. Lower num_workers"):
        signals.run_test(runner)
    signal.signal(signal.SIGCHLD, child_ended)


class TooLarge(list):
    """Samples for which memory is short."""

    def __getitem__(self, index: int) -> None:
        raise MemoryError
