"""Random inputs for a reader, in a process that may crash, hang, want memory or run their code."""

import multiprocessing
import os
import resource
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from commands import limit_memory
from faults import check_line
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy

from mmttsrn.errors import UserInputError

LIMIT_SECONDS = 10
LIMIT_BYTES = 2**29  # resident, for an input of at most some 100 KB
ADDRESS_BYTES = 2**33  # what asks for more gets a MemoryError
MARKER = "code_ran"  # file in the working folder, made by code from an input
# What no reader does by itself, as Python's audit hooks call it.
ACTIONS = ("os.system", "os.exec", "os.fork", "os.remove", "os.rename", "os.mkdir", "os.kill",
           "subprocess.Popen", "socket.connect")  # fmt: skip

Input = tuple[str, bytes]  # name of a file and its content


def fuzz(
    inputs: SearchStrategy[Input], read: Callable[[Path], Any], folder: Path, examples: int
) -> tuple[str, int, int]:
    """Give random inputs to a reader that has to read each or to refuse it by a UserInputError.

    Returns what was not right, empty if nothing, and the numbers of accepted and refused inputs.
    The input that was read last is in the folder.
    """
    counts = multiprocessing.RawArray("i", 2)
    (folder / "problem").touch()
    pid = os.fork()
    if pid == 0:
        _run(inputs, read, folder, examples, counts)
    _, status = os.waitpid(pid, 0)
    problem = (folder / "problem").read_text()
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        problem = f"is killed by {signal.Signals(number).name}"
        if number == signal.SIGALRM:
            problem = f"runs longer than {LIMIT_SECONDS} s"
    elif code := os.WEXITSTATUS(status):
        problem = f"ends the process with status {code}"
    return problem, *counts


def _run(inputs: Any, read: Any, folder: Path, examples: int, counts: Any) -> None:
    actions: list[str] | None = None

    def audit(event: str, arguments: Any) -> None:
        if actions is not None and event in ACTIONS:
            actions.append(f"{event}{arguments}"[:100])

    @settings(
        max_examples=examples, database=None, deadline=None, derandomize=True,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(inputs)
    def give(item: Input) -> None:
        nonlocal actions
        path = Path(item[0])
        path.write_bytes(item[1])
        Path("/proc/self/clear_refs").write_text("5")  # forget the highest resident memory
        memory = _memory("VmRSS")
        actions = []
        signal.alarm(LIMIT_SECONDS)
        try:
            read(path)
            counts[0] += 1
        except UserInputError as error:
            check_line(str(error), [""])
            counts[1] += 1
        finally:
            signal.alarm(0)
            found, actions = actions, None
        assert not found, f"code of the input runs: {found}"
        assert not Path(MARKER).exists(), "code of the input runs"
        assert _memory("VmHWM") - memory <= LIMIT_BYTES, f"takes more than {LIMIT_BYTES} bytes"
        path.unlink()

    try:
        os.chdir(folder)
        limit_memory(ADDRESS_BYTES)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        sys.addaudithook(audit)
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", RuntimeWarning)  # NumPy's, of numbers
        give()
    except BaseException as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        text = f"{type(error).__name__}: {error} ({where.filename}:{where.lineno})"
        (folder / "problem").write_text(text, errors="replace")
    finally:
        os._exit(0)


def _memory(name: str) -> int:
    text = Path("/proc/self/status").read_text()
    return int(text.partition(f"{name}:")[2].split(None, 1)[0]) * 1024
