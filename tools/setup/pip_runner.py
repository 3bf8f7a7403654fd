"""Running pip with a log, a sign of life and failures told in one line; standard library only."""

from __future__ import annotations  # an older Python is to reach check_python

import os
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from preflight import CompileError, SetupError

PROGRESS_SECONDS = 30
NOT_COMPILED = "a C++ file did not compile"
# What pip's log shows, in the order to look for it, and what it means. pip reports an index that
# it cannot reach as a package without versions, after warnings that tell the real reason.
FAILURES = (
    (r"No space left on device", "the disk is full; free some space or set VENV="),
    (
        r"Killed signal terminated program|cc1plus.*(Killed|out of memory)",
        "the compiler ran out of memory; run again with MAX_JOBS=1",
    ),
    (r"error: command .* failed|ninja: build stopped", NOT_COMPILED),
    (
        r"Retrying \(|ConnectionError|NameResolutionError|ConnectTimeout|ReadTimeout|ProxyError"
        r"|SSLError|Network is unreachable|Temporary failure in name resolution",
        "pip cannot reach its package index; check the network or pip's configuration",
    ),
    (
        r"No matching distribution found for (?P<name>\S+)",
        "pip's package index has no {name} for this Python; set PYTHON= or pip's configuration",
    ),
    (r"conflicting dependencies|ResolutionImpossible", "TORCH= does not fit the other packages"),
)


class PipRunner:
    """Runs commands of a virtual environment, whose log is ``setup.log`` in it."""

    def __init__(self, venv: Path, max_jobs: int) -> None:
        self.python = venv / "bin" / "python"
        self.log = venv / "setup.log"
        self.build_folder = venv / "tmp"
        self.environment = {
            **os.environ,
            "MAX_JOBS": os.environ.get("MAX_JOBS", str(max_jobs)),
            "TMPDIR": str(self.build_folder),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PYTHONUNBUFFERED": "1",
        }

    def install(
        self, *arguments: str, progress: Callable[[Path], str] | None = None, cflags: str = ""
    ) -> None:
        """Run ``pip install``; every half minute, print what ``progress`` says of its folder.

        Raises:
            CompileError: A C++ file did not compile.
            SetupError: pip failed otherwise; the message says why and where the log is.
        """
        self.build_folder.mkdir(exist_ok=True)
        command = [str(self.python), "-m", "pip", "install", "--no-input", *arguments]
        start = self.log.stat().st_size if self.log.exists() else 0
        status = self._run(command, progress, {"CFLAGS": cflags} if cflags else {})
        output = self.log.read_bytes()[start:].decode(errors="replace")
        if status < 0:
            raise SetupError(f"pip was killed (signal {-status}); log: {self.log}")
        if status != 0:
            reason = explain_failure(output)
            error = CompileError if reason == NOT_COMPILED else SetupError
            raise error(f"{reason}; log: {self.log}")

    def succeeds(self, *arguments: str) -> bool:
        """Whether a Python command runs to its end; its output goes to the log."""
        return self._run([str(self.python), *arguments], None, {}) == 0

    def output(self, *arguments: str) -> str:
        """Output of a Python command, empty when it fails; errors go to the log."""
        command = [str(self.python), *arguments]
        with self.log.open("ab") as log:
            run = subprocess.run(command, stdout=subprocess.PIPE, stderr=log, text=True)
        return run.stdout.strip() if run.returncode == 0 else ""

    def _run(
        self, command: list[str], progress: Callable[[Path], str] | None, variables: dict[str, str]
    ) -> int:
        start = time.monotonic()
        with self.log.open("ab") as log:
            log.write(f"$ {' '.join(command)}\n".encode())
            log.flush()
            streams: dict[str, Any] = {
                "stdin": subprocess.DEVNULL,
                "stdout": log,
                "stderr": subprocess.STDOUT,
            }
            process = subprocess.Popen(command, env={**self.environment, **variables}, **streams)
            try:
                while True:
                    try:
                        return process.wait(timeout=PROGRESS_SECONDS)
                    except subprocess.TimeoutExpired:
                        detail = progress(self.build_folder) if progress else ""
                        elapsed = format_time(time.monotonic() - start)
                        print(f"    {elapsed} {detail or 'pip is at work'}", flush=True)
            finally:
                process.terminate()
                process.wait()


def explain_failure(output: str) -> str:
    """Tell in one line why pip failed."""
    for pattern, meaning in FAILURES:
        match = re.search(pattern, output)
        if match:
            return meaning.format(**match.groupdict())
    errors = [line for line in output.splitlines() if line.lower().startswith("error:")]
    return errors[-1].partition(":")[2].strip() if errors else "pip failed"


def compiled_files(build_folder: Path) -> str:
    """How many C++ files of MMCV's ops are compiled, as ``"23 of 78 files compiled"``."""
    plans = list(build_folder.glob("pip-install-*/*mmcv*/build/temp*/build.ninja"))
    if not plans:
        return ""
    plan = plans[0].read_text(encoding="utf-8").splitlines()
    sources = sum(line.startswith("build ") and ".o:" in line for line in plan)
    objects = len(list(plans[0].parent.rglob("*.o")))
    return f"{objects} of {sources} files compiled"


def format_time(seconds: float) -> str:
    """Format a duration as ``minutes:seconds``."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
