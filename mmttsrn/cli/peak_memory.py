"""Peak memory of a command, for benchmarks."""

import subprocess
import threading
import time

import psutil  # type: ignore[import-untyped]


def peak_memory(command: list[str]) -> tuple[float, float]:
    """Run a command and give the peak memory of its main process in MB, and its seconds."""
    start, peak = time.monotonic(), 0
    process = psutil.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    errors: list[str] = []
    reader = threading.Thread(target=lambda: errors.extend(process.stderr))
    reader.start()
    while process.poll() is None:
        try:
            peak = max(peak, process.memory_info().rss)
        except psutil.NoSuchProcess:
            break
        time.sleep(0.02)
    reader.join()
    if process.wait() != 0:
        raise RuntimeError("".join(errors[-5:]))
    return peak / 1e6, time.monotonic() - start
