"""What is said where a data loader fails: workers that die, are silent or cannot start."""

import traceback
from collections.abc import Iterable
from types import FrameType

from mmttsrn.errors import UserInputError, describe

LOADER = "torch.utils.data."
ENDED = "If memory ran out, lower num_workers or batch_size of the data loaders"
SILENT = (
    "Look at the storage of the data; if a batch may take so long, raise timeout of the data "
    "loader (seconds; 0 waits for ever)"
)
RESOURCES = ("start new thread", "Too many open files", "ancdata")  # the last: no file is free
LACKING = (
    "Lower num_workers of the data loaders (0 needs nothing), or raise what is short: open files "
    "(ulimit -n), processes (ulimit -u), /dev/shm or memory"
)


def loader_is_in(frames: Iterable[tuple[FrameType, int]]) -> bool:
    """Whether code of PyTorch's data loader is among frames, as of a stack or a traceback."""
    return any(frame.f_globals.get("__name__", "").startswith(LOADER) for frame, _ in frames)


def is_from_loader(error: BaseException) -> bool:
    """Whether an exception has come out of a data loader, or is about the end of a worker."""
    return loader_is_in(traceback.walk_tb(error.__traceback__))


def loader_problem(error: Exception) -> str | None:
    """Say what is wrong with a data loader, and what to do; None for the traceback of a bug.

    Args:
        error: What has come out of the loader.
    """
    text = str(error).strip().rstrip(".")
    if isinstance(error, UserInputError):
        return text
    if "Traceback (" in text:  # of a worker
        return None
    if "timed out" in text:
        return f"{text}. {SILENT}"
    if "DataLoader worker" in text:
        return f"{text}. {ENDED}"
    if isinstance(error, (ConnectionError, EOFError)):
        return f"DataLoader worker ended ({text or type(error).__name__}). {ENDED}"
    if isinstance(error, (OSError, MemoryError)) or any(part in text for part in RESOURCES):
        return f"the data loader: {describe(error).strip(' :')}. {LACKING}"
    return None
