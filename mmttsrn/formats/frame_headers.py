"""Headers of image files: whether frames are as a json says, long before they are decoded."""

import hashlib
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from mmengine.logging import print_log
from PIL import ExifTags, Image

from mmttsrn.errors import UserInputError, describe, input_errors
from mmttsrn.formats.frames import read_frame
from mmttsrn.formats.output_files import replace_file
from mmttsrn.version import __version__

THREADS = 16  # most of them wait, where frames are on another machine
FRAMES_AT_ONCE = 64
# Seconds of checking that are worth a file in the cache.
WORTH_REMEMBERING = 1.0
_REMOVE_ORIENTATION = "remove the orientation from the files (exiftool -Orientation= FOLDER)"
# The last bytes of whole files.
_ENDS = {"JPEG": b"\xff\xd9", "MPO": b"\xff\xd9", "PNG": b"IEND\xaeB`\x82"}


class FrameFile(NamedTuple):
    """An image file and the size that a json promises."""

    path: str
    height: int
    width: int


def wrong_frames(frames: Sequence[FrameFile], memory: Path) -> list[str]:
    """Find the frames that are not as their json says, by their headers.

    Args:
        frames: Local image files.
        memory: File that remembers frames without fault until one of them changes.

    Returns:
        What is wrong, for each such frame, in their order.

    Raises:
        UserInputError: A file is missing.
    """
    parts = [frames[i : i + FRAMES_AT_ONCE] for i in range(0, len(frames), FRAMES_AT_ONCE)]
    with ThreadPoolExecutor(THREADS) as pool:
        state = hashlib.sha256(__version__.encode())
        for versions in pool.map(_versions, parts):
            state.update(versions.encode())
        if memory.is_file() and memory.read_text() == state.hexdigest():
            return []
        start = time.monotonic()
        problems = list(chain.from_iterable(pool.map(_problems, parts)))
    seconds = time.monotonic() - start
    if seconds > WORTH_REMEMBERING and not problems:
        print_log(f"checked the headers of {len(frames)} frames in {seconds:.0f} s", "current")
        try:
            replace_file(memory, lambda partial: partial.write_text(state.hexdigest()))
        except OSError as error:
            print_log(f"{describe(error)}; the next run will check them again", "current")
    return problems


def _versions(frames: Sequence[FrameFile]) -> str:
    """Text that differs when a frame or what is promised of it does."""
    lines = []
    for frame in frames:
        with input_errors(frame.path):
            stat = os.stat(frame.path)
        lines.append(f"{frame!r} {stat.st_size} {stat.st_mtime_ns}\n")
    return "".join(lines)


def _problems(frames: Sequence[FrameFile]) -> list[str]:
    return [problem for frame in frames if (problem := frame_problem(frame))]


def frame_problem(frame: FrameFile) -> str | None:
    """Say what is wrong with a frame; None where nothing is.

    Sizes tell whether masks are for the pixels as an EXIF orientation turns them, which is how
    frames are read. Where they do not (half a turn, a mirrored or square image), it is a problem.
    """
    try:
        with input_errors(frame.path):
            shape, orientation = _shape_and_orientation(frame)
    except UserInputError as error:
        return str(error)
    expected = frame.height, frame.width
    is_quarter = orientation in range(5, 9)  # a quarter turn swaps height and width
    if shape != expected:
        problem = f"expected the height and width {expected} of its annotation file, got {shape}"
        if is_quarter and shape == expected[::-1]:
            problem += f", to which EXIF orientation {orientation} turns it; {_REMOVE_ORIENTATION}"
        return f"{frame.path}: {problem}"
    if orientation in range(2, 9) and not (is_quarter and frame.height != frame.width):
        return (
            f"{frame.path}: EXIF orientation {orientation} turns it, and its size does not tell "
            f"whether the masks are turned, too; {_REMOVE_ORIENTATION} where they are not, or turn "
            "the stored pixels (mogrify -auto-orient) where they are"
        )
    return None


def _shape_and_orientation(frame: FrameFile) -> tuple[tuple[int, int], int]:
    """Height and width of an image as it is read, and its EXIF orientation.

    Raises:
        UserInputError: It cannot be read.
    """
    orientation, expected = 1, (frame.height, frame.width)
    # What PIL does not know or not like is decoded, as is what its header leaves in doubt.
    with suppress(Exception), open(frame.path, "rb") as file, Image.open(file) as image:
        exif = Image.Image.getexif(image)  # the method of PNG images would decode them
        orientation = exif.get(ExifTags.Base.Orientation, 1)
        shape = image.height, image.width
        may_be_turned = orientation != 1 or shape == expected[::-1] != expected
        may_be_deep = image.mode[0] in "IF" or ";16" in str(image.tile)
        file.seek(-8, os.SEEK_END)
        is_whole = file.read().endswith(_ENDS.get(str(image.format), b""))
        if is_whole and not may_be_turned and not may_be_deep:
            return shape, orientation
    height, width, _ = read_frame(frame.path).shape
    return (height, width), orientation
