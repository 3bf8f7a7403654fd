"""Files of the frames of videos."""

import os
from collections.abc import Iterable


def missing_files(paths: Iterable[str | os.PathLike]) -> list[str]:
    """Find the frames whose file is not there: an image, or the video of ``video.mp4/00012``.

    Each folder is looked up once: a look-up per frame is slow on network file systems.
    """
    names_in: dict[str, set[str] | None] = {}  # None for a video file, which may hold any frame
    missing = []
    for path in paths:
        folder, name = os.path.split(path)
        if folder not in names_in:
            exists = os.path.isdir(folder or ".")
            found = set(os.listdir(folder or ".")) if exists else set()
            names_in[folder] = None if os.path.isfile(folder) else found
        names = names_in[folder]
        if not (name.isdigit() if names is None else name in names):
            missing.append(os.fspath(path))
    return missing
