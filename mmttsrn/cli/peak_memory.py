"""Peak memory of a command, for benchmarks."""

import subprocess
import threading
import time
from typing import NamedTuple

import psutil


class Run(NamedTuple):
    """What a command took.

    Attributes:
        memory: Peak resident memory of its main process, MB.
        seconds: Time that it ran.
        output: What it printed.
    """

    memory: float
    seconds: float
    output: str


def peak_memory(command: list[str]) -> Run:
    """Run a command and measure it."""
    start, peak = time.monotonic(), 0
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process = psutil.Popen(command, text=True, **pipes)
    output: list[str] = []
    errors: list[str] = []
    readers = [
        threading.Thread(target=lines.extend, args=(pipe,))
        for lines, pipe in ((output, process.stdout), (errors, process.stderr))
    ]
    for reader in readers:
        reader.start()
    while process.poll() is None:
        try:
            peak = max(peak, process.memory_info().rss)
        except psutil.NoSuchProcess:
            break
        time.sleep(0.02)
    for reader in readers:
        reader.join()
    if process.wait() != 0:
        raise RuntimeError("".join(errors[-5:]))
    return Run(peak / 1e6, time.monotonic() - start, "".join(output))
