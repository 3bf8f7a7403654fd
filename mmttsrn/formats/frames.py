"""Frames of videos: image files, images behind URLs, and frames of video files.

The path of a frame in a video file is that of the file, a slash and the number of the frame from 0
on, such as ``clip.mp4/00012``. Json files name such frames as they name images.
"""

import os
import threading
from functools import lru_cache

import cv2
import numpy as np
from mmengine import fileio

from mmttsrn.errors import UserInputError
from mmttsrn.formats import jpeg_markers

MAX_OPEN_VIDEOS = 4
# Frames that are decoded on the way to a later one; a jump is faster over longer distances.
MAX_PASSED_FRAMES = 64
# Failures in a row after which a video counts as ended.
MAX_UNREADABLE = 50
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
    image = _read_video(*place) if place else _read_image(path, backend_args)
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
    # A capture must not be shared by threads, nor by processes that were forked.
    reader = (os.getpid(), threading.get_ident())
    image = _open_video(path, os.stat(path).st_mtime_ns, *reader).read(index)
    if image is None:
        raise UserInputError(f"{path}/{index:05d}: OpenCV cannot read this frame of the video")
    return image


class _VideoFile:
    """An open video file; the n-th frame is the one that reading from the start gives.

    OpenCV counts frames by their times, so that its jumps miss in videos whose frames are not
    evenly spaced. After a jump, the time of the frame there says which one it is.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._numbers: dict[float, int] | None = None  # of the frames, by their time
        self._open()

    def read(self, index: int) -> np.ndarray | None:
        """BGR image (H, W, 3) of a frame, uint8; None where there is none."""
        if not self._next - 1 <= index < self._next + MAX_PASSED_FRAMES:
            self._jump(index)
        while self._next <= index:
            if not self._advance():
                return None
        return self._capture.retrieve()[1]

    def _open(self) -> None:
        self._capture = cv2.VideoCapture(self.path)
        self._next = 0  # frame that is decoded next

    def _advance(self) -> bool:
        """Decode the next frame; those that cannot be read do not count."""
        done = any(self._capture.grab() for _ in range(MAX_UNREADABLE))
        self._next += done
        return done

    def _jump(self, index: int) -> None:
        """Go to a frame or to one before it."""
        if self._numbers is None:
            self._open()
            self._numbers = {}
            while self._advance():
                self._numbers[self._capture.get(cv2.CAP_PROP_POS_MSEC)] = self._next - 1
        self._capture.set(cv2.CAP_PROP_POS_FRAMES, index)
        found = None
        if self._advance():
            found = self._numbers.get(self._capture.get(cv2.CAP_PROP_POS_MSEC))
        if found is None or found > index:
            self._open()
        else:
            self._next = found + 1


@lru_cache(MAX_OPEN_VIDEOS)
def _open_video(path: str, changed: int, process: int, thread: int) -> _VideoFile:
    return _VideoFile(path)
