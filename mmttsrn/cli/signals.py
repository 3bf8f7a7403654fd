"""What a command does when it is asked to end: Ctrl-C, SIGTERM of a cluster or a spot machine."""

import ctypes
import os
import shlex
import signal
import sys
import time
from itertools import pairwise
from types import FrameType
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmttsrn.cli.user_errors import process_rank
from mmttsrn.engine.hooks import FiniteLossHook, SafeWriteCheckpointHook
from mmttsrn.engine.stopping import TrainingStopped, stop_request
from mmttsrn.errors import DivergedError, UserInputError, printable

SIGNALS = (signal.SIGINT, signal.SIGTERM)
PR_SET_PDEATHSIG = 1
WORKER_ADVICE = (
    "If memory ran out, lower num_workers or batch_size of the data loaders; --resume goes on from "
    "the last checkpoint"
)
SIGNAL_TO_ALL = 1.0  # seconds that a signal to all processes takes to reach each of them


def tie_children_to_parent() -> None:
    """Let processes that are forked from now on, such as workers of loaders, end with this one.

    They ignore Ctrl-C, which a terminal sends to all; on Linux they are killed when this one dies.
    """
    os.register_at_fork(after_in_child=_tie_to_parent)


def _tie_to_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def train(runner: Runner, command: str = "") -> None:
    """Train; Ctrl-C and SIGTERM end the training after the step that it is at.

    It ends with a line that says how to go on, by ``command`` or that of this process with
    ``--resume``, and the exit status 128 plus the number of the signal. A second Ctrl-C ends it at
    once.
    """
    received: list[int] = []

    def ask(number: int, frame: FrameType | None) -> None:
        if received and number == signal.SIGINT:
            raise KeyboardInterrupt
        received.append(number)
        stop_request.is_set = True

    tie_children_to_parent()
    runner.register_hook(_WorkerEndHook(), "HIGHEST")
    before = {number: signal.signal(number, ask) for number in SIGNALS}
    stop_request.is_set = False
    try:
        _train(runner)
    except TrainingStopped as stopped:
        if process_rank() == 0:
            line = f"{stopped}; go on with: {command or _command_to_go_on()}"
            print(printable(line), file=sys.stderr)
        # Workers may end until this process does, and another process may have got the signal.
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        raise SystemExit(128 + (received[0] if received else signal.SIGTERM)) from None
    finally:
        stop_request.is_set = False
        for number, handler in before.items():
            signal.signal(number, handler)


class _WorkerEndHook(Hook):
    """Lets a step end although a worker of the data loader has got the signal, too.

    When a worker is killed, PyTorch raises an error wherever this process is, maybe in the midst of
    a step. After a signal to all processes the error is left out; the next batch shows it as well.
    """

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Take the place of PyTorch's handler, which is there once a loader has workers."""
        handler = signal.getsignal(signal.SIGCHLD)
        if callable(handler) and handler != self._on_end:
            self._of_pytorch = handler
            signal.signal(signal.SIGCHLD, self._on_end)

    def _on_end(self, number: int, frame: FrameType | None) -> None:
        try:
            self._of_pytorch(number, frame)
        except RuntimeError as error:
            if not stop_request.is_set:
                time.sleep(SIGNAL_TO_ALL)  # it is received meanwhile
            if not stop_request.is_set:
                raise UserInputError(f"{_worker_end(error)} {WORKER_ADVICE}") from error


def _command_to_go_on() -> str:
    if "WORLD_SIZE" in os.environ:
        return "the same command and --resume without a file"
    return shlex.join(["python", *resuming(sys.argv)])


def resuming(words: list[str]) -> list[str]:
    """Return the words of a command so that it goes on from its latest checkpoint.

    A file that it was resumed from before is left out: it is older.
    """
    kept = [
        word
        for before, word in pairwise(["", *words])
        if not (before == "--resume" and word[:1] != "-") and word.partition("=")[0] != "--resume"
    ]
    return [*kept, "--resume"]


def _train(runner: Runner) -> None:
    try:
        runner.train()
    except DivergedError as error:
        clips = [hook.clips() for hook in runner.hooks if isinstance(hook, FiniteLossHook)]
        advice = "lower the learning rate, or look at these clips"
        raise DivergedError(": ".join([f"{error}; {advice}", *clips])) from error
    except (RuntimeError, ConnectionError, EOFError) as error:
        # SIGTERM of a cluster ends the workers of the data loader, maybe while they give a batch.
        is_worker = not isinstance(error, RuntimeError) or "DataLoader worker" in str(error)
        savers = [hook for hook in runner.hooks if isinstance(hook, SafeWriteCheckpointHook)]
        if stop_request.is_set and savers and is_worker:
            raise TrainingStopped(runner.iter, savers[0].save_now(runner, runner.iter)) from None
        if not is_worker:
            raise
        # The loader has found it before the signal of the worker's end came.
        raise UserInputError(f"{_worker_end(error)} {WORKER_ADVICE}") from error


def _worker_end(error: Exception) -> str:
    text = str(error).strip().rstrip(".") or type(error).__name__
    return f"{text}." if "DataLoader worker" in text else f"DataLoader worker ended ({text})."
