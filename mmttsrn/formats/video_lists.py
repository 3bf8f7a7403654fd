"""Which videos the arguments of a command line name, and what their results are called."""

import os
from collections import Counter
from collections.abc import Sequence
from mimetypes import guess_type
from pathlib import Path
from typing import NamedTuple

from mmttsrn.errors import UserInputError, input_errors, without_secrets
from mmttsrn.formats.output_files import short_name
from mmttsrn.formats.video_file import is_video
from mmttsrn.formats.videos import IMAGE_SUFFIXES, natural_order

# What some file systems do not take in names.
NOT_IN_NAMES = '<>:"/\\|?*'


class VideoList(NamedTuple):
    """The videos that are named, and the files of folders that are none."""

    videos: list[str]
    left_out: list[str]


def list_videos(inputs: Sequence[str]) -> VideoList:
    """Find the videos that a command line names.

    Args:
        inputs: Sources as of :func:`~mmttsrn.formats.videos.open_source`; folders of video
            files, which are searched through; text files (``.txt``) with a source on each line.
            Hidden files of folders are no inputs.

    Raises:
        UserInputError: A text file names no video or cannot be read.
    """
    found = VideoList([], [])
    for text in inputs:
        path = Path(text)
        if path.suffix.lower() == ".txt" and path.is_file():
            found.videos.extend(_named_in(path))
        elif path.is_dir():
            videos, others = _videos_below(path)
            found.videos.extend(videos or [text])  # it may be a folder of images
            found.left_out.extend(others if videos else [])
        else:
            found.videos.append(text)
    return found


def _named_in(path: Path) -> list[str]:
    with input_errors(str(path)):
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    named = [line if os.path.exists(line) else line.strip() for line in lines]
    named = [line for line in named if line and not line.startswith("#")]
    if not named:
        raise UserInputError(f"{path}: names no video; expected one path on each line")
    return named


def _videos_below(folder: Path) -> tuple[list[str], list[str]]:
    """Return the videos in a folder and those in it, and its other files that are not hidden."""
    videos: list[str] = []
    others: list[str] = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted((f for f in folders if not f.startswith(".")), key=natural_order)
        paths = [Path(parent, name) for name in sorted(names, key=natural_order)]
        paths = [path for path in paths if not path.name.startswith(".") and path.is_file()]
        images = {path for path in paths if path.suffix.lower() in IMAGE_SUFFIXES}
        # One that only its name calls a video is broken, which its user will want to know.
        named = {path for path in paths if (guess_type(path.name)[0] or "").startswith("video/")}
        decoded = {path for path in paths if path not in images | named and is_video(path)}
        if len(images) > len(decoded):  # a preview of these frames is no video by itself
            decoded = set()
        for path in paths:
            (videos if path in named | decoded else others).append(str(path))
    return videos, others


def result_stems(videos: Sequence[str]) -> list[str]:
    """Name the results of each video, all differently: its own name without suffix.

    Videos of one name get their suffix besides where that tells them apart, or else the folders
    that do; numbers are the last resort.
    """
    stems = [_name(video, 0, False) for video in videos]
    for rows in _of_one_name(stems):
        depth = max(len(_parts(videos[row])) for row in rows)
        folders = [(k, with_suffix) for with_suffix in (False, True) for k in range(1, depth)]
        for form in [(0, True), *folders]:
            names = [_name(videos[row], *form) for row in rows]
            if not _of_one_name(names):
                stems = [dict(zip(rows, names, strict=True)).get(i, s) for i, s in enumerate(stems)]
                break
    for rows in _of_one_name(stems):
        for number, row in enumerate(rows[1:], 2):
            stems[row] = f"{stems[row]}_{number}"
    return stems


def _of_one_name(names: Sequence[str]) -> list[list[int]]:
    """Places of the names that occur several times; some file systems ignore upper case."""
    folded = [name.casefold() for name in names]
    repeated = [name for name, count in Counter(folded).items() if count > 1]
    return [[row for row, other in enumerate(folded) if other == name] for name in repeated]


def _parts(video: str) -> tuple[str, ...]:
    if "://" in video and not os.path.exists(video):  # the rest of a URL may hold secrets
        video = without_secrets(video).partition("?")[0]
    path = Path(video)
    if "*" in path.name and not path.exists():  # a pattern
        path = path.parent
    return path.parts or ("video",)


def _name(video: str, folders: int, with_suffix: bool) -> str:
    """Name of a video with those of some folders above it, as a name of files."""
    *above, last = _parts(video)
    last = Path(last).stem + Path(last).suffix.replace(".", "_") * with_suffix
    name = "_".join([*above[len(above) - folders :], last] if folders else [last])
    usable = (c if c.isprintable() and c not in NOT_IN_NAMES else "_" for c in name)
    return short_name("".join(usable))
