"""Running of cases: a forked process for each, and what has to hold afterwards."""

import contextlib
import json
import os
import resource
import runpy
import signal
import sys
import time
import traceback
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import cv2

from broken_inputs.cases import ACCEPTED, COMMANDS, EITHER, REFUSED, Case, Workspace, arguments
from broken_inputs.good_inputs import GoodInputs
from mmttsrn.checkpoints import load_checkpoint_file
from mmttsrn.formats.output_files import PARTIAL_MARK

TOOLS = Path(__file__).resolve().parents[2]
LIMIT_SECONDS = 60
# Memory that a case may take beside what the packages need.
LIMIT_BYTES = 4 * 2**30
LONGEST_LINE = 1000
SHOWN_LINES = 4
STREAMS = ("stdout", "stderr")
NOT_PREPARED = 99  # exit status: the fault is wrong, not the command


@dataclass
class Outcome:
    """What became of a case.

    Attributes:
        case: The case.
        how: Refused, accepted, or what else happened.
        problem: What is not as it should be; empty if nothing.
        output: The end of what it printed.
        seconds: Time that it took.
    """

    case: Case
    how: str
    problem: str
    output: str
    seconds: float


def run_cases(
    cases: Sequence[Case], good: GoodInputs, folder: Path, jobs: int
) -> Iterator[Outcome]:
    """Run cases, some at a time; outcomes come as cases end."""
    waiting = list(enumerate(cases))[::-1]
    running: dict[int, tuple[Case, Workspace, float]] = {}
    while waiting or running:
        while waiting and len(running) < jobs:
            number, case = waiting.pop()
            work = Workspace(case.command, good, folder / f"{number:03d}_{case.command}")
            for path in (work.inputs, work.out):
                path.mkdir(parents=True)
            running[_start(case, work)] = (case, work, time.monotonic())
        pid, status = os.wait()
        if pid in running:
            case, work, start = running.pop(pid)
            _end_group(pid)
            yield _judge(case, work, status, time.monotonic() - start)


def run_command(command: str, good: GoodInputs, folder: Path, **changes: Any) -> Outcome:
    """Run a command once, as a case that should be accepted."""
    case = Case(command, "good input", ACCEPTED, lambda work: changes)
    [outcome] = run_cases([case], good, folder, 1)
    return outcome


def _start(case: Case, work: Workspace) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        _run_in_child(case, work)
    return pid


def _run_in_child(case: Case, work: Workspace) -> NoReturn:
    status = 1
    try:
        os.setsid()
        signal.alarm(LIMIT_SECONDS)
        for number, name in enumerate(STREAMS, start=1):
            os.dup2(os.open(work.folder / name, os.O_WRONLY | os.O_CREAT), number)
            setattr(sys, name, os.fdopen(number, "w", 1, closefd=False))
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.chdir(work.folder)
        try:
            words = arguments(work, case.fault(work))
        except BaseException:
            traceback.print_exc()
            os._exit(NOT_PREPARED)
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + LIMIT_BYTES, used + LIMIT_BYTES))
        tool = TOOLS / COMMANDS[case.command][0]
        sys.argv = [str(tool), *words]
        (work.folder / "arguments").write_text("\n".join(words))
        status = _status_of(tool)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _status_of(tool: Path) -> int:
    """Run a tool as the interpreter does."""
    try:
        runpy.run_path(str(tool), run_name="__main__")
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    return 0


def _end_group(pid: int) -> None:
    """End what a process has left behind."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def _judge(case: Case, work: Workspace, status: int, seconds: float) -> Outcome:
    stdout, stderr = ((work.folder / name).read_text(errors="replace") for name in STREAMS)
    how, problem = _ending(status, stdout, stderr)
    problem = problem or next(_leftovers(work), "")
    if not problem and case.right not in (how, EITHER):
        problem = f"is {how}, should be {case.right}"
    if not problem and how == REFUSED and case.says not in stderr:
        problem = f"does not say {case.says!r}"
    lines = (stderr if how != ACCEPTED else stdout + stderr).strip().splitlines()
    output = "\n".join(line[:300] for line in lines[-SHOWN_LINES:])
    return Outcome(case, how, problem, output, seconds)


def _ending(status: int, stdout: str, stderr: str) -> tuple[str, str]:
    """How a command ended, and what is wrong with that."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number == signal.SIGALRM:
            return "endless", f"runs longer than {LIMIT_SECONDS} s"
        return "killed", f"is killed by {signal.Signals(number).name}"
    code = os.WEXITSTATUS(status)
    if code == NOT_PREPARED:
        return "not prepared", "the fault cannot be written"
    if "Traceback (most recent call last)" in stdout + stderr:
        return f"status {code}", "prints a traceback"
    if code == 0:
        return ACCEPTED, ""
    if code != 2:
        return f"status {code}", f"ends with status {code}"
    return REFUSED, _refusal_problem(stderr.strip().splitlines())


def _refusal_problem(lines: list[str]) -> str:
    """Return what is wrong with the lines of a refusal: one error, the last, maybe after usage."""
    is_usage = any(line.startswith("usage: ") for line in lines)
    errors = [
        line
        for line in lines
        if line.startswith("error: ") or (is_usage and ".py: error: " in line)
    ]
    # Of several videos, each that cannot be read is told, and at last their number.
    if errors and errors[-1].endswith(", see above"):
        errors = errors[-1:]
    if len(errors) != 1 or lines[-1] != errors[0]:
        return f"prints {len(errors)} lines of error, expected one, the last"
    if len(errors[0]) > LONGEST_LINE:
        return f"prints a line of {len(errors[0])} characters"
    return ""


def _leftovers(work: Workspace) -> Iterator[str]:
    """Yield what is wrong with the files that a command has left."""
    if work.marker.exists():
        yield "has run code from its input"
    for path in sorted(work.folder.rglob("*")):
        name = path.relative_to(work.folder)
        if PARTIAL_MARK in path.name:
            yield f"leaves {name}"
        if work.out in path.parents and path.is_file() and not path.is_symlink():
            try:
                _read(path)
            except Exception as error:
                yield f"leaves {name}, which cannot be read: {type(error).__name__} {error}"


def _read(path: Path) -> None:
    if path.suffix == ".json":
        text = path.read_text()
        try:
            json.loads(text)
        except ValueError:
            for line in text.splitlines():  # MMEngine's logs
                json.loads(line)
    elif path.suffix == ".mp4":
        capture = cv2.VideoCapture(str(path))
        if not capture.read()[0]:
            raise ValueError("no frame")
    elif path.suffix == ".zip":
        zipfile.ZipFile(path).testzip()
    elif path.suffix == ".pth":
        load_checkpoint_file(path)
