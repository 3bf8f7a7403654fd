"""Frames of videos: image files, images behind URLs, and frames of video files.

The path of a frame in a video file is that of the file, a slash and the number of the frame from 0
on, such as ``clip.mp4/00012``. Json files name such frames as they name images.
"""

import os
import threading
from contextlib import suppress
from functools import lru_cache

import av
import cv2
import numpy as np
from mmengine import fileio

from mmttsrn.errors import UserInputError
from mmttsrn.formats import jpeg_markers
from mmttsrn.formats.video_file import DecodedFrame, VideoFile, to_rgb

MAX_OPEN_VIDEOS = 4
# Frames that are decoded on the way to a later one; a jump is faster over longer distances.
MAX_PASSED_FRAMES = 64
# Without ANYDEPTH, OpenCV would keep the upper 8 bits of 16, and 12-bit values would turn black.
_IMAGE_FLAGS = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH


def read_frame(path: str | os.PathLike, backend_args: dict | None = None) -> np.ndarray:
    """Read one frame of a video.

    A JPEG whose end is missing counts as unreadable: the missing part would be grey. An image is
    turned upright as its EXIF orientation says.

    Args:
        path: Image file, URL of an image, or frame of a local video file. Frames of a video file
            are read fastest in their order.
        backend_args: Arguments of the mmengine file backend that reads images.

    Returns:
        RGB image (H, W, 3), uint8.

    Raises:
        UserInputError: The frame is missing, unreadable or an image of more than 8 bits a channel.
    """
    path = os.fspath(path)
    place = split_video_frame(path)
    if place:
        return _read_video(*place)
    image = _read_image(path, backend_args)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB, image)


def split_video_frame(path: str | os.PathLike) -> tuple[str, int] | None:
    """Return video file and number of ``video.mp4/00012``; None for any other path."""
    video, name = os.path.split(path)
    is_frame = name.isascii() and name.isdigit() and os.path.isfile(video)
    return (os.fspath(video), int(name)) if is_frame else None


def _read_image(path: str, backend_args: dict | None) -> np.ndarray:
    try:
        content = fileio.get(path, backend_args=backend_args)
    except OSError as error:
        reason = f"{error.strerror or error}; check the folder that file names are relative to"
        raise UserInputError(f"{path}: {reason}") from error
    cut_off = content.startswith(jpeg_markers.START) and jpeg_markers.is_cut_off(content)
    image = None
    if content and not cut_off:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), _IMAGE_FLAGS)
    if image is None:
        problem = "is cut off" if cut_off else "cannot be decoded"
        raise UserInputError(f"{path}: image {problem} ({len(content)} bytes); replace the file")
    if image.dtype != np.uint8:
        kind = f"expected an image of 8 bits a channel, got {image.dtype}"
        raise UserInputError(f"{path}: {kind}; scale its values to 0 to 255 and save it anew")
    return image


def _read_video(path: str, index: int) -> np.ndarray:
    # A decoder must not be shared by threads, nor by processes that were forked.
    reader = (os.getpid(), threading.get_ident())
    image = _open_video(path, os.stat(path).st_mtime_ns, *reader).read(index)
    if image is None:
        raise UserInputError(f"{path}/{index:05d}: the video has no such frame that can be decoded")
    return image


class _FramesByNumber:
    """A video file whose n-th frame is the one that reading from the start gives.

    After a jump, the time of the frame there says which one it is.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._ticks: list[int | None] = []  # of all frames, once the file was read through
        self._current: DecodedFrame | None = None
        self._file = VideoFile(path)
        self._rewind()

    def read(self, index: int) -> np.ndarray | None:
        """RGB image (H, W, 3) of a frame, uint8; None where there is none."""
        if not self._next - 1 <= index < self._next + MAX_PASSED_FRAMES:
            self._jump(index)
        while self._next <= index:
            self._current = next(self._frames, None)
            if self._current is None:
                self._rewind()
                return None
            self._next += 1
        assert self._current is not None
        return to_rgb(self._current.picture)

    def _rewind(self) -> None:
        self._file.close()
        self._file = VideoFile(self.path)
        self._frames = iter(self._file)
        self._next = 0  # frame that is decoded next

    def _jump(self, index: int) -> None:
        """Go to a frame or to one before it."""
        self._rewind()
        if not self._ticks:
            self._ticks = [frame.ticks for frame in self._frames]
            if not self._file.has_times(len(self._ticks)):
                self._ticks = [None] * len(self._ticks)
            self._rewind()
        ticks = self._ticks[index] if index < len(self._ticks) else None
        if ticks is None:
            return
        with suppress(av.FFmpegError):  # some kinds of files cannot be jumped in
            self._file.seek(ticks)
        # What comes before the first key frame lacks frames that it was made from.
        found = next((frame for frame in self._frames if frame.picture.key_frame), None)
        numbers = [n for n, known in enumerate(self._ticks) if found and known == found.ticks]
        if len(numbers) == 1 and numbers[0] <= index:
            self._current, self._next = found, numbers[0] + 1
        else:
            self._rewind()


@lru_cache(MAX_OPEN_VIDEOS)
def _open_video(path: str, changed: int, process: int, thread: int) -> _FramesByNumber:
    return _FramesByNumber(path)
