"""What has to be true before the environment can be built; standard library only."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

MIN_PYTHON = (3, 10)
MIN_FREE_GB = 4
GB_PER_COMPILER = 2
COMPILER_PROBE = "#include <vector>\nint main() { return std::vector<int>().size(); }\n"


class SetupError(Exception):
    """One line that says what is wrong and what to do."""


class CompileError(SetupError):
    """A C++ file did not compile."""


def check_python() -> None:
    """Refuse an interpreter that is too old, lacks ``venv`` or lacks the headers to compile."""
    if sys.version_info < MIN_PYTHON:
        found = ".".join(map(str, sys.version_info[:2]))
        raise SetupError(f"Python {found} found, but mmttsrn needs Python >= 3.10; set PYTHON=")
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        raise SetupError(
            f"{sys.executable} lacks the venv module; install it (Debian, Ubuntu: python3-venv) "
            "or set PYTHON= to another Python"
        ) from None
    if not (Path(sysconfig.get_paths()["include"]) / "Python.h").is_file():
        raise SetupError(
            f"{sys.executable} has no Python.h, which compiling MMCV needs; install the headers "
            "(Debian, Ubuntu: python3-dev) or set PYTHON= to another Python"
        )


def check_compiler() -> None:
    """Refuse to start without a C++17 compiler: MMCV's ops are compiled."""
    compiler = os.environ.get("CXX", "c++")
    command = [compiler, "-std=c++17", "-fsyntax-only", "-x", "c++", "-"]
    try:
        probe = subprocess.run(command, input=COMPILER_PROBE, text=True, capture_output=True)
        reason = probe.stderr.strip().splitlines()[-1:] if probe.returncode != 0 else None
    except OSError as error:
        reason = [error.strerror or str(error)]
    if reason is not None:
        raise SetupError(
            f"no working C++17 compiler ({': '.join([compiler, *reason])}), which MMCV's ops need; "
            "install g++ (Debian, Ubuntu: build-essential) or set CXX="
        )


def check_disk(folder: Path) -> None:
    """Refuse to start on a file system that is too full."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free_gb = shutil.disk_usage(existing).free / 1e9
    if free_gb < MIN_FREE_GB:
        raise SetupError(
            f"{free_gb:.1f} GB free in {existing}, but the environment needs {MIN_FREE_GB} GB; "
            "free some or set VENV= to a folder on another disk"
        )


def compiler_jobs() -> int:
    """Choose how many compilers run at a time: one per core, as far as the memory allows."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, ValueError):
        return cores or 1
    return max(1, min(cores or 1, int(memory_gb // GB_PER_COMPILER)))
