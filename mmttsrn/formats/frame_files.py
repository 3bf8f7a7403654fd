"""Files of the frames of videos."""

import os
from collections.abc import Iterable


def missing_files(paths: Iterable[str | os.PathLike]) -> list[str]:
    """Find the files that are not there.

    Each folder is looked up once: a look-up per frame is slow on network file systems.
    """
    files_of: dict[str, set[str]] = {}
    missing = []
    for path in paths:
        folder, name = os.path.split(path)
        if folder not in files_of:
            files_of[folder] = _files_in(folder or ".")
        if name not in files_of[folder]:
            missing.append(os.fspath(path))
    return missing


def _files_in(folder: str) -> set[str]:
    if not os.path.isdir(folder):
        return set()
    with os.scandir(folder) as entries:
        return {entry.name for entry in entries}
