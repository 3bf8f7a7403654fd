"""Trains for long on little data and watches memory and open files.

The model of `make demo` is trained on generated data, with checkpoints and validations every few
minutes and workers of the data loaders. Resident memory and open files of all its processes are
sampled. The exit status is 1 when they are higher at the end than after the first quarter.
"""

import argparse
import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from mmttsrn.cli.user_errors import positive, report_user_errors
from mmttsrn.datasets.synthetic import write_moving_shapes

TRAIN = Path(__file__).resolve().parents[1] / "train.py"
CONFIG = """
_base_ = ["mmttsrn::vis/ttsrn-m2f_tiny_shapes.py"]
data_root = "{data}/"
train_cfg = dict(max_iters=10**7, val_interval=200)
param_scheduler = None
default_hooks = dict(checkpoint=dict(interval=100), logger=dict(interval=10))
train_dataloader = dict(num_workers={workers}, dataset=dict(data_root=data_root))
val_dataloader = dict(num_workers={workers}, dataset=dict(data_root=data_root))
test_dataloader = dict(dataset=dict(data_root=data_root))
randomness = dict(seed=0)
"""
SAMPLE_SECONDS = 5
ROWS = 12
# Medians of quarters of an hour differ by this in a training that holds on to nothing.
GROWTH = 1.02


@dataclass
class Sample:
    """What the processes of a training hold.

    Attributes:
        minutes: Since the start.
        memory: Resident memory of the training process, MB.
        workers: The same of its children.
        files: Open files of the training process.
    """

    minutes: float
    memory: float
    workers: float
    files: int


def sample(process: psutil.Process, start: float) -> Sample:
    """Look at the training now."""
    workers = 0.0
    for child in process.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # a validation's worker that has ended
            workers += child.memory_info().rss / 1e6
    minutes = (time.monotonic() - start) / 60
    return Sample(minutes, process.memory_info().rss / 1e6, workers, process.num_fds())


def watch(command: list[str], minutes: float, log: Path) -> list[Sample]:
    """Train for so long; prints a row now and then."""
    samples: list[Sample] = []
    shown = 0
    with log.open("w") as file:
        process = psutil.Popen(command, stdout=file, stderr=subprocess.STDOUT)
    start = time.monotonic()
    try:
        while time.monotonic() - start < minutes * 60:
            time.sleep(SAMPLE_SECONDS)
            if process.poll() is not None:
                raise RuntimeError(f"exit status {process.returncode}\n{log.read_text()[-2000:]}")
            samples.append(sample(process, start))
            if samples[-1].minutes >= (shown + 1) * minutes / ROWS:
                shown += 1
                print_row(samples, minutes / ROWS, log)
    finally:
        process.kill()
        process.wait()
    return samples


def print_row(samples: list[Sample], span: float, log: Path) -> None:
    """Print medians of the last minutes."""
    last = [sample for sample in samples if sample.minutes > samples[-1].minutes - span]
    steps = 10 * log.read_text().count("(train) ")
    memory, workers, files = (
        statistics.median(getattr(sample, name) for sample in last)
        for name in ("memory", "workers", "files")
    )
    peak = max(sample.memory for sample in last)
    print(f"| {last[-1].minutes:.0f} | {steps} | {memory:.0f} | {peak:.0f} | {workers:.0f} | "
          f"{files:.0f} |", flush=True)  # fmt: skip


def growth(samples: list[Sample], minutes: float) -> tuple[float, float]:
    """Memory and files of the last quarter over those of the second."""
    quarters = [[s for s in samples if q * minutes / 4 <= s.minutes < (q + 1) * minutes / 4]
                for q in (1, 3)]  # fmt: skip
    memory, files = (
        [statistics.median(getattr(s, name) for s in quarter) for quarter in quarters]
        for name in ("memory", "files")
    )
    return memory[1] / memory[0], files[1] / files[0]


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--minutes", type=positive(float), default=60)
    parser.add_argument("--workers", type=positive(int), default=1, help="of each data loader")
    return parser.parse_args()


@report_user_errors()
def main() -> int:
    """Print the table; exit status 1 when something grows."""
    args = parse_args()
    print("| minutes | steps | memory, MB | peak, MB | workers, MB | open files |")
    print("| --- | --- | --- | --- | --- | --- |", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_moving_shapes(folder / "data", 8, 2, 8, (96, 160), 3)
        config = folder / "soak.py"
        config.write_text(CONFIG.format(data=folder / "data", workers=args.workers))
        command = [sys.executable, str(TRAIN), str(config), "--work-dir", str(folder / "run")]
        samples = watch(command, args.minutes, folder / "log")
    memory, files = growth(samples, args.minutes)
    print(f"last quarter over the second: memory x {memory:.3f}, open files x {files:.3f}")
    return int(memory > GROWTH or files > GROWTH)


if __name__ == "__main__":
    sys.exit(main())
