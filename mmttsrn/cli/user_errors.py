"""How a command reports what is wrong to its user: one line, no traceback, exit status 2."""

import argparse
import errno
import math
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

from mmttsrn.cli.streams import prepare_streams
from mmttsrn.errors import (
    USER_ERROR_STATUS,
    UserInputError,
    describe,
    printable,
)

# Time in which the launcher ends the other processes after the first has failed.
GRACE_SECONDS = 5.0
RANK_VARIABLES = ("RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK")
TRACEBACK_FLAG = "--traceback"
FULL_DISK = {errno.EDQUOT, errno.EFBIG, errno.ENOSPC}


class ArgumentParser(argparse.ArgumentParser):
    """Parser of a command's arguments, with the flag that shows where an error came from."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.add_argument(
            TRACEBACK_FLAG, action="store_true", help="show the traceback of an error, too"
        )

    def error(self, message: str) -> NoReturn:
        """End the command with a usage error."""
        super().error(printable(message))


@contextmanager
def report_user_errors() -> Iterator[None]:
    """Turn errors that the user can mend into ``error: <line>`` on stderr and exit status 2.

    Those are :class:`~mmttsrn.errors.UserInputError` and files that cannot be opened or written;
    with ``--traceback`` their traceback comes first. Any other exception keeps its traceback. It
    wraps a block or decorates a function. Ctrl-C and SIGTERM end it at once, without a traceback.
    What it prints goes through :func:`~mmttsrn.cli.streams.prepare_streams`.

    Of several processes the first one speaks. Another one waits for the launcher to end it, and
    speaks only if that does not happen, which means that the first has no such error.
    """
    prepare_streams()
    try:
        with _end_on_signals():
            yield
    except (UserInputError, OSError) as error:
        is_named = isinstance(error, UserInputError | FileNotFoundError) or error.filename
        if not is_named and isinstance(error, OSError) and error.errno not in FULL_DISK:
            raise  # about a network, or a bug
        line, rank = _line_of(error), process_rank()
        if rank != 0:
            time.sleep(GRACE_SECONDS)
            line = f"[rank {rank}] {line}"
        sys.stdout.flush()
        if TRACEBACK_FLAG in sys.argv:
            traceback.print_exc()
        print(f"error: {line}", file=sys.stderr, flush=True)
        raise SystemExit(USER_ERROR_STATUS) from None


@contextmanager
def _end_on_signals() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the block at once: no traceback, no file in part."""

    def end(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr, flush=True)
        raise SystemExit(128 + signal.SIGINT) from None
    finally:
        signal.signal(signal.SIGTERM, before)


def _line_of(error: UserInputError | OSError) -> str:
    if isinstance(error, OSError):
        return printable(describe(error))
    # A worker of a data loader sends its traceback, which ends with type and message.
    first, *rest = str(error).strip().splitlines()
    return rest[-1].partition(": ")[2] if rest else first


def number_type(kind: type, above: float = 0, below: float = math.inf) -> Callable[[str], Any]:
    """Return a type of command-line arguments: a number of a kind between two others."""
    limits = [f"above {above}"] * (above > -math.inf) + [f"below {below}"] * (below < math.inf)
    expected = " and ".join(["expected a finite number", *limits])

    def number(text: str) -> Any:
        value = kind(text)
        if not above < value < below:
            raise argparse.ArgumentTypeError(f"{expected}, got {text}")
        return value

    return number


threshold = number_type(float, above=-math.inf)
seed = number_type(int, above=-1, below=2**32)  # what NumPy takes


def warn_user(message: str) -> None:
    """Print a warning as one line; of several processes the first one speaks."""
    if process_rank() == 0:
        print(f"warning: {printable(message)}", file=sys.stderr, flush=True)


def process_rank() -> int:
    """Rank of this process as its launcher has set it; 0 without a launcher."""
    values = (os.environ.get(name) for name in RANK_VARIABLES)
    return next((int(value) for value in values if value is not None), 0)
