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
PROBE = "#include <vector>\nint main() { return std::vector<int>().size(); }\n"


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
        hint = "install it (Debian: python3-venv) or set PYTHON="
        raise SetupError(f"{sys.executable} lacks the venv module; {hint}") from None
    if not (Path(sysconfig.get_paths()["include"]) / "Python.h").is_file():
        hint = "install the headers (Debian: python3-dev) or set PYTHON="
        raise SetupError(f"{sys.executable} has no Python.h to compile with; {hint}")


def check_machine(folder: Path, compiles: bool) -> None:
    """Refuse a full disk and, for compiling MMCV's ops, a compiler that does not know C++17."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free_gb = shutil.disk_usage(existing).free / 1e9
    if free_gb < MIN_FREE_GB:
        need = f"the environment needs {MIN_FREE_GB} GB; set VENV="
        raise SetupError(f"{free_gb:.1f} GB free in {existing}, but {need}")
    compiler = os.environ.get("CXX", "c++")
    command = [compiler, "-std=c++17", "-fsyntax-only", "-x", "c++", "-"]
    try:
        if compiles:
            subprocess.run(command, input=PROBE, text=True, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = f"no working C++17 compiler ({error})"
        raise SetupError(f"{reason}; install g++ (Debian: build-essential) or set CXX=") from None


def compiler_jobs() -> int:
    """Choose how many compilers run at a time: one per core, as far as the memory allows."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, ValueError):
        return cores or 1
    return max(1, min(cores or 1, int(memory_gb // GB_PER_COMPILER)))
