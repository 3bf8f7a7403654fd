"""How a command tells its user what is wrong: one line, no traceback, exit status 2."""

import argparse
import errno
import math
import os
import re
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from mmttsrn.errors import USER_ERROR_STATUS, UserInputError

# Time in which the launcher ends the other processes after the first has failed.
GRACE_SECONDS = 5.0
RANK_VARIABLES = ("RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK")

# What the user can mend of the errors of a file system.
FILE_ERRORS = {
    errno.EACCES,
    errno.EDQUOT,
    errno.EEXIST,
    errno.EFBIG,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOENT,
    errno.ENOSPC,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
}
WITHOUT_NUMBER = (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError)
# Written by registries of some MMEngine versions before the message of what they failed to build.
BUILD_PREFIX = re.compile(r"^class `\w+` in [\w/.]+\.py: ")
WRONG_ARGUMENT = re.compile(
    r"([\w.<>]+)\(\) (got an unexpected keyword|missing \d+ required [\w-]+) arguments?:? ('.+')"
)
UNKNOWN_TYPE = re.compile(r"([\w.]+) is not in the (.+?) registry")


@contextmanager
def report_user_errors() -> Iterator[None]:
    """Turn errors that the user can mend into ``error: <line>`` on stderr and exit status 2.

    Those are :class:`~mmttsrn.errors.UserInputError`, wherever it was raised, files that cannot be
    opened or written, and a ``type`` in the config that no registry knows or that does not take one
    of the keys beside it. Anything else keeps its traceback. It wraps a block or decorates a
    function. Ctrl-C and SIGTERM end it at once, without a traceback and without files in part.

    Of several processes the first one speaks. Another one waits for the launcher to end it, and
    speaks only if that does not happen, which means that the first has no such error.
    """
    try:
        with _end_on_signals():
            yield
    except (UserInputError, OSError, ImportError, KeyError, TypeError) as error:
        line = one_line(error)
        if line is None:
            raise
        rank = process_rank()
        if rank != 0:
            time.sleep(GRACE_SECONDS)
            line = f"[rank {rank}] {line}"
        sys.stdout.flush()
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


def one_line(error: BaseException) -> str | None:
    """Return the message of a user's error as one line; None if the error is not the user's."""
    if isinstance(error, OSError) and not _is_file_error(error):
        return None
    if isinstance(error, OSError) and error.errno is not None:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, ImportError):  # hosts say how to install what only some options need
        return " ".join(str(error).split()) if " install " in str(error) else None
    if isinstance(error, KeyError):
        match = UNKNOWN_TYPE.search(str(error))
        if match is None:
            return None
        type_, registry = match.groups()
        return f"type {type_!r} is not in the {registry} registry; check its spelling"
    if isinstance(error, TypeError):
        return _wrong_argument(error)
    message = str(error).strip()
    if "Traceback (most recent call last)" in message:  # from a worker of a data loader
        message = re.sub(r"^[\w.]+: ", "", message.splitlines()[-1])
    while BUILD_PREFIX.match(message):
        message = BUILD_PREFIX.sub("", message)
    return " ".join(message.split())


def positive(kind: type) -> Callable[[str], Any]:
    """Return a type of command-line arguments: a finite number of a kind, above 0."""

    def number(text: str) -> Any:
        value = kind(text)
        if not 0 < value < math.inf:
            raise argparse.ArgumentTypeError(f"{text} is not a positive number")
        return value

    return number


def threshold(text: str) -> float:
    """Type of command-line arguments: a number to compare with, so not NaN."""
    value = float(text)
    if math.isnan(value):
        raise argparse.ArgumentTypeError("nan is not a number")
    return value


def seed(text: str) -> int:
    """Type of command-line arguments: a number that NumPy takes as seed."""
    value = int(text)
    if not 0 <= value < 2**32:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 2**32 - 1")
    return value


def warn_user(message: str) -> None:
    """Print a warning as one line; of several processes the first one speaks."""
    if process_rank() == 0:
        print(f"warning: {message}", file=sys.stderr, flush=True)


def _is_file_error(error: OSError) -> bool:
    """Whether it is about a file, not about a network or a bug; Python code gives no number."""
    if error.errno is None:
        return isinstance(error, WITHOUT_NUMBER)
    return error.errno in FILE_ERRORS


def _wrong_argument(error: TypeError) -> str | None:
    """Return the line about a key that the class of a ``type`` does not take, or lacks."""
    match = WRONG_ARGUMENT.search(str(error))
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    names = [frame.f_code.co_name for frame in frames]
    if match is None or "build_from_cfg" not in names:
        return None
    function, problem, keys = match.groups()
    owner = function.removesuffix(".__init__")
    # Between registry and error stand the constructors of one object, or it is a fault of theirs.
    start = len(names) - names[::-1].index("build_from_cfg")
    below = [frame for frame in frames[start:] if frame.f_code.co_name != "get_instance"]
    if below:
        built = type(below[0].f_locals.get("self"))
        if owner not in {class_.__qualname__ for class_ in built.__mro__} or any(
            frame.f_code.co_name != "__init__" or type(frame.f_locals.get("self")) is not built
            for frame in below
        ):
            return None
        owner = built.__qualname__
    verb = "needs the" if problem.startswith("missing") else "takes no"
    return f"type {owner!r} {verb} argument {keys}; check the config and --cfg-options"


def process_rank() -> int:
    """Rank of this process as its launcher has set it; 0 without a launcher."""
    values = (os.environ.get(name) for name in RANK_VARIABLES)
    return next((int(value) for value in values if value is not None), 0)
