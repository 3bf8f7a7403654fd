"""Peak memory of a command, for benchmarks."""

import subprocess
import sys
import time
from typing import NamedTuple

# A process of its own runs the command: the peak of a child is never below the memory of the
# process that started it, and this interpreter takes 10 MB.
MEASURE = """
import resource, subprocess, sys
status = subprocess.call(sys.argv[1:])
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(peak if sys.platform == "darwin" else peak * 1024, file=sys.stderr)
sys.exit(status != 0)
"""


class Run(NamedTuple):
    """What a command took.

    Attributes:
        memory: Peak resident memory of its largest process, MB.
        seconds: Time that it ran.
        output: What it printed.
    """

    memory: float
    seconds: float
    output: str


def peak_memory(command: list[str]) -> Run:
    """Run a command and measure it; one that fails is a RuntimeError with its last lines."""
    start = time.monotonic()
    measured = [sys.executable, "-c", MEASURE, *command]
    run = subprocess.run(measured, capture_output=True, text=True)
    *errors, peak = run.stderr.splitlines()
    if run.returncode != 0:
        raise RuntimeError("\n".join(errors[-5:]))
    return Run(int(peak) / 1e6, time.monotonic() - start, run.stdout)
