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
            exists = os.path.isdir(folder or ".")
            files_of[folder] = set(os.listdir(folder or ".")) if exists else set()
        if name not in files_of[folder]:
            missing.append(os.fspath(path))
    return missing
