"""Files that a command writes: checked before its work, whole or not there after it."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmttsrn.errors import UserInputError

# Bytes of a name that leave room for suffixes and marks: file systems take 255.
MAX_NAME = 200
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
    check_name(path)
    existing = next(folder for folder in (path, *path.parents) if folder.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise UserInputError(f"{option} {path}: {existing} is not a folder to write to")


def check_name(path: str | os.PathLike) -> None:
    """Refuse a name that no json, page or library could repeat."""
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError as error:
        raise UserInputError(f"{path}: this name is not UTF-8; rename it") from error


def short_name(name: str) -> str:
    """Return a name, one that is too long for a file cut off and with a hash of all of it."""
    encoded = name.encode()
    if len(encoded) <= MAX_NAME:
        return name
    digest = hashlib.sha256(encoded).hexdigest()[:8]
    return f"{encoded[: MAX_NAME - 9].decode(errors='ignore')}~{digest}"


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
    name = f"{short_name(path.stem)}.{os.getpid()}{PARTIAL_MARK}{path.suffix}"
    partial = path.with_name(name)
    try:
        yield partial
        os.replace(partial, path)
    except OSError as error:  # those of writing name no file, or the one next to it
        if error.errno is not None and PARTIAL_MARK in str(error.filename or PARTIAL_MARK):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        partial.unlink(missing_ok=True)


def replace_file(path: Path, write: Callable[[Path], Any]) -> None:
    """Call ``write`` with the path that :func:`partial_file` gives for a file."""
    with partial_file(path) as partial:
        write(partial)
