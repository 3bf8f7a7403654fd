"""What a command does when it is asked to end: Ctrl-C, SIGTERM of a cluster or a spot machine."""

import ctypes
import os
import shlex
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from types import FrameType
from typing import Any

from mmengine.dist import get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmttsrn.cli.loader_errors import is_from_loader, loader_is_in, loader_problem
from mmttsrn.cli.user_errors import GRACE_SECONDS, process_rank
from mmttsrn.engine.hooks import FiniteLossHook, SafeWriteCheckpointHook
from mmttsrn.engine.hooks.stop_hook import undo_average
from mmttsrn.engine.stopping import TrainingStopped, stop_request
from mmttsrn.errors import DivergedError, UserInputError, printable

SIGNALS = (signal.SIGINT, signal.SIGTERM)
PR_SET_PDEATHSIG = 1
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
    once. Where the data loader fails, a checkpoint is saved as well.
    """
    received: list[int] = []

    def ask(number: int, frame: FrameType | None) -> None:
        if received and number == signal.SIGINT:
            raise KeyboardInterrupt
        received.append(number)
        stop_request.is_set = True

    tie_children_to_parent()
    watch = _LoaderWatch()
    runner.register_hook(watch, "LOWEST")
    before = {number: signal.signal(number, ask) for number in SIGNALS}
    stop_request.is_set = False
    try:
        with _workers_end_quietly():
            _train(runner, watch)
    except TrainingStopped as stopped:
        if process_rank() == 0:
            line = f"{stopped}; go on with: {command or _command_to_go_on()}"
            print(printable(line), file=sys.stderr)
        if not received and get_world_size() > 1:
            time.sleep(2 * GRACE_SECONDS)  # another process says why, and ends first
        raise SystemExit(128 + (received[0] if received else signal.SIGTERM)) from None
    finally:
        stop_request.is_set = False
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _workers_end_quietly() -> Iterator[None]:
    """Say nothing of workers that end after an exception in the block, which ends this process."""
    try:
        yield
    except BaseException:
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        sys.unraisablehook = lambda unraisable: None  # of loaders that could not start all of them
        raise


class _LoaderWatch(Hook):
    """Lets a step or the batch of a validation end although a worker of the loader has ended.

    When a worker is killed, PyTorch raises an error wherever this process is, maybe in the midst of
    a step. Here it is raised where the loader is waited for; elsewhere the training is asked to
    stop.

    Attributes:
        first: Step that the training goes on from.
        is_validating: Whether weights may be those of the average.
        ended: The error about a worker that ended, unless the process had been asked to end, too.
    """

    first = 0
    is_validating = False
    ended: RuntimeError | None = None

    def before_train(self, runner: Runner) -> None:
        """Note the step."""
        self.first = runner.iter

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Take the place of PyTorch's handler, which is there once a loader has workers."""
        handler = signal.getsignal(signal.SIGCHLD)
        if callable(handler) and handler != self._on_end:
            self._of_pytorch = handler
            signal.signal(signal.SIGCHLD, self._on_end)

    def before_val_epoch(self, runner: Runner) -> None:
        """Note the validation."""
        self.is_validating = True

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Note its end; do not ask a worker that has ended for the next batch."""
        self.is_validating = False
        self.before_train_epoch(runner)

    def before_train_epoch(self, runner: Runner) -> None:
        """Do not ask a worker that has ended for the next batch, which might never come."""
        if self.ended is not None:
            raise self.ended

    def _after_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        """Do the same where no ``StopHook`` has stopped the training."""
        if self.ended is not None:
            raise UserInputError(str(loader_problem(self.ended))) from self.ended

    def _on_end(self, number: int, frame: FrameType | None) -> None:
        try:
            self._of_pytorch(number, frame)
        except RuntimeError as error:
            if not stop_request.is_set:
                time.sleep(SIGNAL_TO_ALL)  # it is received meanwhile
            if loader_is_in(traceback.walk_stack(frame)):
                raise
            if not stop_request.is_set:
                self.ended, stop_request.is_set = error, True


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


def _train(runner: Runner, watch: _LoaderWatch) -> None:
    try:
        runner.train()
    except DivergedError as error:
        clips = [hook.clips() for hook in runner.hooks if isinstance(hook, FiniteLossHook)]
        advice = "lower the learning rate, or look at these clips"
        raise DivergedError(": ".join([f"{error}; {advice}", *clips])) from error
    except TrainingStopped as stopped:
        if watch.ended is None:
            raise
        raise _told(str(loader_problem(watch.ended)), stopped) from watch.ended
    except Exception as error:
        if not is_from_loader(error):
            raise
        saved = _save(runner, watch)
        if stop_request.is_set and watch.ended is None and saved is not None:
            raise saved from None
        problem = loader_problem(error)
        if problem is None:
            raise
        raise _told(problem, saved) from error


def _save(runner: Runner, watch: _LoaderWatch) -> TrainingStopped | None:
    """Save a checkpoint between two steps, if any was made or the training was asked to stop."""
    savers = [hook for hook in runner.hooks if isinstance(hook, SafeWriteCheckpointHook)]
    is_new = runner.iter > watch.first and is_main_process()
    if not savers or not (is_new or stop_request.is_set):
        return None
    if watch.is_validating:
        undo_average(runner)
    return TrainingStopped(runner.iter, savers[0].save_now(runner, runner.iter))


def _told(problem: str, stopped: TrainingStopped | None) -> UserInputError:
    return UserInputError(f"{problem}; {stopped}; --resume goes on" if stopped else problem)


def run_test(runner: Runner) -> dict[str, float]:
    """Test; where the data loader fails, one line says why."""
    tie_children_to_parent()
    try:
        with _workers_end_quietly():
            return runner.test()
    except Exception as error:
        problem = loader_problem(error) if is_from_loader(error) else None
        if problem is None:
            raise
        raise UserInputError(problem) from error
