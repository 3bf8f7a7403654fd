"""Files that a command writes: checked before its work, whole or not there after it."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmttsrn.errors import UserInputError

# In the names of files that are being written.
PARTIAL_MARK = ".partial"


def check_output_file(path: Path, option: str, inputs: Iterable[str | os.PathLike] = ()) -> None:
    """Refuse a file, an ``option`` of the user, that cannot be written or is one of the inputs."""
    if path.is_dir():
        raise UserInputError(f"{option} {path}: is a folder; give the name of a file")
    for other in inputs:
        if path.exists() and os.path.exists(other) and path.samefile(other):
            raise UserInputError(f"{option} {path}: is an input of this command; choose another")
    check_output_folder(path.parent, option)


def check_output_folder(path: Path, option: str) -> None:
    """Refuse a folder, which need not exist, that cannot be written to."""
    existing = next(folder for folder in (path, *path.parents) if folder.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise UserInputError(f"{option} {path}: {existing} is not a folder to write to")


@contextmanager
def partial_file(path: Path) -> Iterator[Path]:
    """Write a file next to its place and move it there, so that it is never there in part.

    Args:
        path: The file; its folder is made where it is missing.

    Yields:
        Where to write it: a path with the same suffix. When the block ends, the file there takes
        its place; when an exception ends it, the file is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.stem}.{os.getpid()}{PARTIAL_MARK}{path.suffix}")
    try:
        yield partial
        os.replace(partial, path)
    except OSError as error:  # those of writing do not name the file
        if error.filename is None and error.errno is not None:
            error.filename = str(path)
        raise
    finally:
        partial.unlink(missing_ok=True)


def replace_file(path: Path, write: Callable[[Path], Any]) -> None:
    """Call ``write`` with the path that :func:`partial_file` gives for a file."""
    with partial_file(path) as partial:
        write(partial)
