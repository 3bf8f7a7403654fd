"""Frames from whatever holds a video: a file, a folder, a pattern, arrays, a camera, a stream."""

import glob
import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmttsrn.errors import UserInputError, input_errors
from mmttsrn.formats.frames import MAX_UNREADABLE, read_frame

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
BROKEN_FRAMES = ("skip", "refuse")
DEFAULT_FPS = 30.0


@dataclass
class FrameSource:
    """A video that is read once, frame by frame.

    Attributes:
        name: What it is called in messages.
        fps: Frames per second; None where that is not known.
        num_frames: Length, as far as it is known before reading.
        broken: What happens to a frame that cannot be read: ``"skip"`` leaves it out and counts it,
            ``"refuse"`` ends the reading.
        unreadable: Frames that were left out so far.
        identity: A text that is another one when the files are; empty where no files are read.
        is_live: Whether its frames come only once, with the time: a camera, a stream, an iterator.
        reader: The frames, RGB (H, W, 3), uint8.
        files: The image files of a folder or pattern, less those that could not be read so far.
        video: The video file.
    """

    name: str
    fps: float | None = None
    num_frames: int | None = None
    broken: str = "skip"
    unreadable: int = 0
    identity: str = ""
    is_live: bool = False
    reader: Iterator[np.ndarray] = field(default_factory=lambda: iter(()))
    files: list[Path] = field(default_factory=list)
    video: Path | None = None

    def file_names(self, num_frames: int) -> list[str] | None:
        """Names of the first frames below the folder that the video lies in.

        They are what ``file_names`` of a YouTube-VIS json holds; None where no files are read.
        """
        if self.video is not None:
            return [f"{self.video.name}/{index:05d}" for index in range(num_frames)]
        if self.files:
            return [f"{file.parent.name}/{file.name}" for file in self.files[:num_frames]]
        return None

    def leave_out(self, frames: int, reason: str) -> None:
        """Count frames that cannot be read, or refuse them where ``broken`` says so."""
        if self.broken == "refuse":
            raise UserInputError(reason)
        self.unreadable += frames

    def __iter__(self) -> Iterator[np.ndarray]:
        """Read the frames.

        Raises:
            UserInputError: A frame is of another size than the first one, or not an image; or it
                cannot be read and ``broken`` is ``"refuse"``.
        """
        size: tuple[int, ...] | None = None
        for index, frame in enumerate(self.reader):
            frame = _as_rgb(frame, f"{self.name}: frame {index}")
            if size is None:
                size = frame.shape
            elif frame.shape != size:
                raise UserInputError(
                    f"{self.name}: frame {index}: expected height and width {size[:2]} as those"
                    f" before, got {frame.shape[:2]}"
                )
            yield frame


def open_source(source: Any, broken: str = "skip") -> FrameSource:
    """Open a video.

    Args:
        source: Path of a video file; folder of images, read in the order of their names; pattern
            of images (``frames/*.jpg``); number of a camera, or URL of a stream, that OpenCV
            opens; array or tensor (T, H, W, 3); or an iterator of frames. Frames are RGB (or grey)
            and uint8.
        broken: What happens to a frame that cannot be read, one of ``BROKEN_FRAMES``.

    Returns:
        The video.

    Raises:
        UserInputError: There is none, or nothing in it can be read.
    """
    if broken not in BROKEN_FRAMES:
        raise UserInputError(f"broken_frames: expected skip or refuse, got {broken!r}")
    if isinstance(source, FrameSource):
        return source
    if isinstance(source, (str, os.PathLike)):
        opened = _open_path(os.fspath(source))
    elif isinstance(source, int):
        opened = _open_capture(source, f"camera {source}")
    else:
        length = len(source) if hasattr(source, "__len__") else None
        if not isinstance(source, Iterable) or length == 0:
            what = "an empty video" if length == 0 else f"a {type(source).__name__}"
            raise UserInputError(f"source: expected a path, URL, camera or frames, got {what}")
        opened = FrameSource(
            "source", num_frames=length, is_live=length is None, reader=iter(source)
        )
    opened.broken = broken
    return opened


def _open_path(text: str) -> FrameSource:
    path = Path(text)
    if "://" in text:
        return _open_capture(text, text)
    if text.isdecimal() and not path.exists():
        return _open_capture(int(text), f"camera {text}")
    if path.is_dir():
        files = [str(p) for p in path.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES]
        problem = f"no images ({' '.join(IMAGE_SUFFIXES)}) in this folder"
    elif not path.exists() and glob.has_magic(text):
        files, problem = glob.glob(text), "no file matches this pattern"
    elif path.suffix.lower() in IMAGE_SUFFIXES and path.is_file():
        files, problem = [text], ""
    else:
        return _open_file(path)
    if not files:
        raise UserInputError(f"{text}: {problem}")
    files.sort(key=_natural)
    source = FrameSource(text, num_frames=len(files), identity=_identity(files))
    source.files = [Path(file).absolute() for file in files]
    source.reader = _read_images(source)
    return source


def _read_images(source: FrameSource) -> Iterator[np.ndarray]:
    """Frames of image files; those that cannot be read are skipped and counted."""
    for file in list(source.files):
        try:
            frame = read_frame(file)
        except UserInputError as error:
            source.leave_out(1, str(error))
            source.files.remove(file)
            if not source.files:
                raise UserInputError(f"{source.name}: no frame can be read; {error}") from error
            continue
        yield frame


def _identity(files: list[str]) -> str:
    digest = hashlib.sha256()
    for file in files:
        stat = os.stat(file)
        digest.update(f"{os.path.abspath(file)} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _natural(name: str) -> tuple[list[str | int], str]:
    """Key that puts ``frame_2`` before ``frame_10``."""
    return [int(p) if p.isdecimal() else p for p in re.split(r"(\d+)", name)], name


def _open_file(path: Path) -> FrameSource:
    if not path.is_file():
        raise UserInputError(f"{path}: no such file or folder")
    with input_errors(str(path)), path.open("rb") as file:
        if not file.read(1):
            raise UserInputError(f"{path}: is an empty file")
    source = _open_capture(str(path), str(path))
    source.identity = _identity([str(path)])
    source.video = path.absolute()
    return source


def _open_capture(where: str | int, name: str) -> FrameSource:
    """Open what OpenCV reads; phone videos are turned upright by it."""
    capture = cv2.VideoCapture(where)
    if not capture.isOpened():
        hint = "the file is cut off or in a format that OpenCV lacks: convert it with ffmpeg"
        if isinstance(where, int) or "://" in where:
            hint = "check number or address, permissions and network"
        raise UserInputError(f"{name}: OpenCV cannot open it as a video; {hint}")
    fps, length = capture.get(cv2.CAP_PROP_FPS), int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    source = FrameSource(
        name,
        fps=fps if 0 < fps < 1000 else None,
        num_frames=length if length > 0 else None,
        is_live=isinstance(where, int) or (length <= 0 and "://" in where),
    )
    source.reader = _read_capture(capture, source)
    return source


def _read_capture(capture: cv2.VideoCapture, source: FrameSource) -> Iterator[np.ndarray]:
    """Frames of a file or stream; those that cannot be read are skipped and counted."""
    try:
        read = failures = 0
        while failures <= MAX_UNREADABLE:
            ok, frame = capture.read()
            if ok:
                if failures:
                    source.leave_out(failures, f"{source.name}: frame {read} cannot be decoded")
                read, failures = read + 1, 0
                yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
                continue
            failures += 1
            if source.num_frames is None or read + source.unreadable + failures > source.num_frames:
                break
        missing = (source.num_frames or 0) - read - source.unreadable
        if read and missing > 0:
            source.leave_out(missing, f"{source.name}: frame {read} cannot be decoded")
        if not read:
            raise UserInputError(f"{source.name}: no frame can be read; convert it with ffmpeg")
    finally:
        capture.release()


def _as_rgb(frame: Any, name: str) -> np.ndarray:
    """Frame as a contiguous RGB array (H, W, 3), uint8."""
    if hasattr(frame, "detach"):
        frame = frame.detach().cpu().numpy()
    frame = np.asarray(frame)
    if frame.dtype != np.uint8:
        raise UserInputError(f"{name}: is of type {frame.dtype}, expected uint8 from 0 to 255")
    if frame.ndim == 2 or (frame.ndim == 3 and frame.shape[2] == 1):
        frame = np.repeat(frame.reshape(*frame.shape[:2], 1), 3, axis=2)
    if frame.ndim != 3 or frame.shape[2] not in (3, 4) or not frame.size:
        raise UserInputError(f"{name}: has shape {frame.shape}, expected (height, width, 3), RGB")
    return np.ascontiguousarray(frame[..., :3])
