"""Frames from whatever holds a video: a file, a folder, a pattern, arrays, a camera, a stream."""

import glob
import hashlib
import os
import re
import time
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmttsrn.errors import UserInputError, input_errors
from mmttsrn.formats.frames import read_frame
from mmttsrn.formats.output_files import check_name
from mmttsrn.formats.video_file import VideoFile, to_rgb

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
BROKEN_FRAMES = ("skip", "refuse")
DEFAULT_FPS = 30.0
# A frame rate counts as constant when the times of the frames are that near to it.
SAME_RATE = 0.01


@dataclass
class FrameSource:
    """A video that is read once, frame by frame.

    Attributes:
        name: What it is called in messages.
        rate: Frames per second as far as they are known before reading.
        num_frames: Length, likewise.
        seconds: When each frame so far is shown, from the first one on; empty where no times are
            known, as for images.
        broken: What happens to a frame that cannot be read: ``"skip"`` leaves it out and counts it,
            ``"refuse"`` ends the reading.
        unreadable: Frames that were left out so far.
        ends_early: How much is missing of a file that is cut off, once it is read; else empty.
        identity: A text that is another one when the files are; empty where no files are read.
        is_live: Whether its frames come only once, with the time: a camera, a stream, an iterator.
        reader: The frames, RGB (H, W, 3), uint8.
        files: The image files of a folder or pattern, less those that could not be read so far.
        video: The video file.
    """

    name: str
    rate: float | None = None
    num_frames: int | None = None
    seconds: array = field(default_factory=lambda: array("d"))
    broken: str = "skip"
    unreadable: int = 0
    ends_early: str = ""
    identity: str = ""
    is_live: bool = False
    reader: Iterator[np.ndarray] = field(default_factory=lambda: iter(()))
    files: list[Path] = field(default_factory=list)
    video: Path | None = None

    @property
    def fps(self) -> float | None:
        """Frames per second: the mean of what was read where that is not the promised rate."""
        shown = self.seconds[-1] if len(self.seconds) > 1 else 0.0
        if not shown:
            return self.rate
        mean = (len(self.seconds) - 1) / shown
        is_constant = self.rate is not None and abs(mean / self.rate - 1) < SAME_RATE
        return self.rate if is_constant else mean

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
        source: Path of a video file, or URL of a stream, that FFmpeg knows; folder of images, read
            in the order of their names; pattern of images (``frames/*.jpg``); number of a camera
            that OpenCV knows; array or tensor (T, H, W, 3); or an iterator of frames. Frames are
            RGB (or grey) and uint8.
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
        opened = _open_camera(source)
    else:
        length = len(source) if hasattr(source, "__len__") else None
        shape = tuple(getattr(source, "shape", ()))
        if len(shape) == 3 and shape[-1] in (3, 4):
            expected = "source: expected frames (T, H, W, 3), or grey ones (T, H, W)"
            raise UserInputError(f"{expected}, got one picture {shape}; give source[None]")
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
    check_name(path)
    if "://" in text and not path.exists():
        return _open_video(text)
    if text.isdecimal() and not path.exists():
        return _open_camera(int(text))
    if path.is_dir():
        files, problem = image_files(path), f"no images ({' '.join(IMAGE_SUFFIXES)}) in this folder"
    elif not path.exists() and glob.has_magic(text):
        files, problem = _matching_files(path), "no file matches this pattern"
    elif path.suffix.lower() in IMAGE_SUFFIXES and path.is_file():
        files, problem = [text], ""
    else:
        return _open_file(path)
    if not files:
        raise UserInputError(f"{text}: {problem}")
    for file in files:
        check_name(file)
    files.sort(key=natural_order)
    source = FrameSource(text, num_frames=len(files), identity=_identity(files))
    source.files = [Path(file).absolute() for file in files]
    source.reader = _read_images(source)
    return source


def image_files(folder: Path) -> list[str]:
    """Paths of the images in a folder, less the hidden ones that some systems put there."""
    return [
        str(path)
        for path in folder.iterdir()
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
    ]


def _matching_files(pattern: Path) -> list[str]:
    """Files of a pattern, whose parts are literal as far as such folders exist."""
    parts, literal = list(pattern.parts), Path()
    while parts and (literal / parts[0]).exists():
        literal /= parts.pop(0)
    return glob.glob(os.path.join(glob.escape(str(literal)), *parts))


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


def natural_order(name: str) -> tuple[list[str | int], str]:
    """Key that puts ``frame_2`` before ``frame_10``."""
    return [int(p) if p.isdecimal() else p for p in re.split(r"(\d+)", name)], name


def _open_file(path: Path) -> FrameSource:
    if not path.is_file():
        raise UserInputError(f"{path}: no such file or folder")
    with input_errors(str(path)), path.open("rb") as file:
        if not file.read(1):
            raise UserInputError(f"{path}: is an empty file")
    source = _open_video(path)
    source.identity = _identity([str(path)])
    source.video = path.absolute()
    return source


def _open_video(where: str | Path) -> FrameSource:
    file = VideoFile(where, ahead=True)
    source = FrameSource(file.name, file.rate, file.length, is_live=file.is_live)
    source.reader = _read_video(file, source)
    return source


def _read_video(file: VideoFile, source: FrameSource) -> Iterator[np.ndarray]:
    """Frames of a file or stream; those that cannot be decoded are skipped and counted."""
    undecodable = 0

    def leave_out() -> None:
        nonlocal undecodable
        if file.undecodable > undecodable:
            place = f"{source.name}: after frame {len(source.seconds) - 1}"
            source.leave_out(file.undecodable - undecodable, f"{place}: cannot be decoded")
            undecodable = file.undecodable

    try:
        for frame in file:
            leave_out()
            source.seconds.append(frame.seconds)
            yield to_rgb(frame.picture)
        leave_out()
        if not source.seconds:
            raise UserInputError(f"{source.name}: no frame can be decoded; convert it with ffmpeg")
        source.ends_early = file.ends_early
        if file.ends_early and source.broken == "refuse":
            raise UserInputError(f"{source.name}: {file.ends_early}")
    finally:
        file.close()


def _open_camera(number: int) -> FrameSource:
    """Open a camera by OpenCV, which knows those of all systems by number."""
    capture, name = cv2.VideoCapture(number), f"camera {number}"
    if not capture.isOpened():
        raise UserInputError(f"{name}: OpenCV cannot open it; check number and permissions")
    rate = capture.get(cv2.CAP_PROP_FPS)
    source = FrameSource(name, rate if 0 < rate < 1000 else None, is_live=True)
    source.reader = _read_camera(capture, source)
    return source


def _read_camera(capture: cv2.VideoCapture, source: FrameSource) -> Iterator[np.ndarray]:
    begun = None
    try:
        while (read := capture.read())[0]:
            begun = begun or time.monotonic()
            source.seconds.append(time.monotonic() - begun)
            yield cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB)
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
