"""Running of a reader on random inputs, in a process that may crash."""

import contextlib
import json
import multiprocessing
import os
import resource
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, NoReturn

import hypothesis
from hypothesis import HealthCheck, Phase, strategies
from hypothesis.errors import HypothesisWarning

from fuzzing.inputs import Input, vary_bytes

LIMIT_SECONDS = 10
# Resident memory that an input, of at most some 100 KB, may take.
LIMIT_BYTES = 2**29
# Address space beside that of the packages; what asks for more gets a MemoryError.
ADDRESS_BYTES = 2**33
INPUTS_PER_ROUND = 200
VARIANTS = 5  # of each of them
MOST_PROBLEMS = 20  # of a reader, which is given up then
INPUTS, REFUSED, ACCEPTED, START = range(4)  # places in the memory that both processes see
MARKER = "code_ran"  # file in the working folder, made by code from an input
# What no reader does by itself, as Python's audit hooks call it.
ACTIONS = ("os.system", "os.exec", "os.fork", "os.remove", "os.rename", "os.mkdir", "os.kill",
           "subprocess.Popen", "socket.connect")  # fmt: skip


@dataclass(frozen=True)
class Reader:
    """What is fuzzed.

    Attributes:
        name: Its name.
        inputs: Random inputs.
        read: Reads a file; gives whether it was accepted. Whatever it raises is a problem.
        vary: Gives an input like another, far faster than they are made.
    """

    name: str
    inputs: strategies.SearchStrategy[Input]
    read: Callable[[Path], bool]
    vary: Callable[[Input, Random], Input] = vary_bytes


@dataclass
class Outcome:
    """What became of the inputs of a reader.

    Attributes:
        seconds: Time that was spent.
        inputs: Their number.
        refused: Number of those that were refused as documented.
        accepted: Number of those that were read.
        problems: What happened, and where the input is; the same thing is there once.
    """

    seconds: float = 0.0
    inputs: int = 0
    refused: int = 0
    accepted: int = 0
    problems: dict[str, Path] = field(default_factory=dict)


def fuzz(reader: Reader, seconds: float, seed: int, scratch: Path, keep: Path) -> Outcome:
    """Give a reader random inputs.

    Args:
        reader: The reader.
        seconds: Time to spend.
        seed: Of the inputs.
        scratch: Folder for the input that is being read.
        keep: Folder for inputs that make problems; made when there is one.
    """
    outcome = Outcome()
    start = time.monotonic()
    round_seed = seed * 1_000_003
    while time.monotonic() < start + seconds and len(outcome.problems) < MOST_PROBLEMS:
        folder = scratch / f"{reader.name}_{round_seed}"
        folder.mkdir()
        counts = multiprocessing.RawArray("d", 4)
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            _fuzz_in_child(reader, start + seconds, round_seed, folder, counts, outcome)
        crash = _watch(pid, counts)
        for line in (folder / "problems").read_text().splitlines():
            problem, path = json.loads(line)
            outcome.problems.setdefault(problem, _kept(Path(path), problem, keep, reader.name))
        if crash:
            path = next((folder / "input").iterdir(), None)
            if path is None:
                raise RuntimeError(f"{reader.name}: no input could be made, see above")
            place = f"{crash}: {path.suffix} of run {len(outcome.problems)}"
            outcome.problems[place] = _kept(path, crash, keep, reader.name)
        outcome.inputs += int(counts[INPUTS])
        outcome.refused += int(counts[REFUSED])
        outcome.accepted += int(counts[ACCEPTED])
        round_seed += 1000
        shutil.rmtree(folder)
    outcome.seconds = time.monotonic() - start
    return outcome


def _watch(pid: int, counts: Any) -> str:
    """Wait for the process, and end it when an input takes too long; what happened, if anything."""
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            break
        started = counts[START]  # which the other process changes
        if started and time.monotonic() - started > LIMIT_SECONDS:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return f"runs longer than {LIMIT_SECONDS} s"
        time.sleep(0.05)
    if os.WIFSIGNALED(status):
        return f"is killed by {signal.Signals(os.WTERMSIG(status)).name}"
    return f"ends the process with status {code}" if (code := os.WEXITSTATUS(status)) else ""


def _kept(path: Path, problem: str, keep: Path, name: str) -> Path:
    """Copy an input to the folder to keep, with a text of what happened beside it."""
    keep.mkdir(parents=True, exist_ok=True)
    number = 0
    while (folder := keep / f"{name}_{number}").exists():
        number += 1
    folder.mkdir()
    (folder / "problem.txt").write_text(f"{problem}\n")
    return Path(shutil.copy(path, folder / path.name))


def _fuzz_in_child(
    reader: Reader, deadline: float, seed: int, folder: Path, counts: Any, before: Outcome
) -> NoReturn:
    status = 1
    try:
        (folder / "input").mkdir()
        os.chdir(folder)
        problems = (folder / "problems").open("w", buffering=1)
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        limit = used + ADDRESS_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        warnings.filterwarnings("ignore", category=HypothesisWarning)  # of long descriptions
        child = _Child(reader, deadline, folder, counts, problems, set(before.problems))
        while time.monotonic() < deadline and len(child.known) < MOST_PROBLEMS:
            child.run_round(seed)
            seed += 1
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


@dataclass
class _Child:
    reader: Reader
    deadline: float
    folder: Path
    counts: Any
    problems: Any
    known: set[str]
    actions: list[str] | None = None  # of code from an input; None while nothing is read

    def __post_init__(self) -> None:
        sys.addaudithook(self._audit)
        self.memory = Path("/proc/self/status")

    def run_round(self, seed: int) -> None:
        """Give the reader some inputs."""
        random = Random(seed)

        @hypothesis.seed(seed)
        @hypothesis.settings(
            max_examples=INPUTS_PER_ROUND,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @hypothesis.given(self.reader.inputs)
        def give(item: Input) -> None:
            self._give(item)
            for _ in range(VARIANTS):
                self._give(self.reader.vary(item, random))

        give()

    def _give(self, item: Input) -> None:
        if time.monotonic() > self.deadline:
            return
        path = self.folder / "input" / item.name
        path.write_bytes(item.content)
        memory = self._reset_memory()
        self.actions = []
        self.counts[START] = time.monotonic()
        problem = ""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                warnings.simplefilter("error", RuntimeWarning)  # NumPy's, of numbers
                self.counts[ACCEPTED if self.reader.read(path) else REFUSED] += 1
        except BaseException as error:
            problem = _described(error)
        self.counts[START] = 0
        actions, self.actions = self.actions, None
        grown = self._memory("VmHWM") - memory
        if grown > LIMIT_BYTES:
            problem = problem or f"takes more than {LIMIT_BYTES / 2**20:.0f} MB: {path.suffix}"
        if actions or (self.folder / MARKER).exists():
            problem = f"code of the input runs: {actions[:1] if actions else MARKER}"
            (self.folder / MARKER).unlink(missing_ok=True)
        self.counts[INPUTS] += 1
        if problem and problem not in self.known:
            self.known.add(problem)
            copy = self.folder / str(len(self.known)) / item.name
            copy.parent.mkdir()
            shutil.copy(path, copy)
            self.problems.write(json.dumps([problem, str(copy)]) + "\n")
        path.unlink()

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.actions is not None and event in ACTIONS:
            self.actions.append(f"{event}{arguments}"[:100])

    def _reset_memory(self) -> int:
        """Forget the highest resident memory so far; gives the memory now."""
        Path("/proc/self/clear_refs").write_text("5")
        return self._memory("VmRSS")

    def _memory(self, name: str) -> int:
        text = self.memory.read_text()
        return int(text.partition(f"{name}:")[2].split(None, 1)[0]) * 1024


def _described(error: BaseException) -> str:
    """Tell what was raised and where, on one line; equal for equal defects."""
    place = ""
    with contextlib.suppress(IndexError):
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f" in {Path(frame.filename).name}:{frame.lineno}"
    # Without numbers and values, which differ from input to input.
    text = "".join(c for c in str(error).partition("\n")[0] if not c.isdigit())[:60]
    return f"raises {type(error).__name__}{place}: {text!r}"
