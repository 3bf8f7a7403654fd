"""Writing of overlay frames and videos."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from mmttsrn.errors import UserInputError
from mmttsrn.formats.output_files import partial_file

FORMATS = ("mp4", "jpg", "both")


def write_overlays(
    out_dir: Path,
    stem: str,
    frames: Iterable[tuple[str, np.ndarray]],
    output_format: str,
    fps: float,
) -> list[Path]:
    """Write the drawn frames of a video, each as soon as it is drawn.

    Args:
        out_dir: Folder to write to.
        stem: Path of the mp4 below the folder, without suffix.
        frames: Path of each frame below the folder, whose suffix becomes ``.jpg``, and RGB pixels
            (H, W, 3), uint8, all of one size.
        output_format: ``mp4``, ``jpg`` or ``both``.
        fps: Frames per second of the mp4.

    Returns:
        What was written: the mp4 and the folder of the frames.
    """
    written: dict[Path, None] = {}  # in order, each once
    with ExitStack() as stack:
        mp4 = None
        if output_format != "jpg":
            mp4 = stack.enter_context(Mp4Writer(out_dir / f"{stem}.mp4", fps))
            written[mp4.path] = None
        for name, frame in frames:
            if mp4 is not None:
                mp4.write(frame)
            if output_format != "mp4":
                path = out_dir / PurePosixPath(name).with_suffix(".jpg")
                write_frame(path, frame)
                written.setdefault(path.parent)
    return list(written)


def write_frame(path: str | os.PathLike, frame: np.ndarray) -> None:
    """Write an RGB frame (H, W, 3), uint8, as an image; folders are made as needed.

    Raises:
        OSError: The file cannot be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)):
        raise OSError(f"{path}: cannot write the image; check disk space and permissions")


def require_mp4_encoder() -> None:
    """Refuse, before any long work, an OpenCV that cannot write mp4."""
    with tempfile.TemporaryDirectory() as folder:
        _open_mp4(Path(folder) / "probe.mp4", fps=1.0, width=64, height=64).release()


def _open_mp4(path: Path, fps: float, width: int, height: int) -> cv2.VideoWriter:
    fourcc = cv2.VideoWriter.fourcc(*"mp4v")
    writer = cv2.VideoWriter(str(path), fourcc, float(fps), (width, height))
    if not writer.isOpened():
        raise UserInputError(
            f"{path}: OpenCV cannot open an mp4 (mp4v) writer for {width}x{height} at {fps:g} fps; "
            "check that the folder is writable and that OpenCV has FFmpeg, or write jpg frames"
        )
    return writer


class Mp4Writer(ExitStack):
    """Writes RGB frames to an mp4 file; use it in a ``with`` statement.

    The file appears under its name only when it is complete: frames go to a file next to it that
    is renamed at the end and removed if an exception ends the block. Frames of odd height
    or width get a repeated last row or column, because the codec needs even sizes.

    Args:
        path: The mp4 file; its folder is made as needed.
        fps: Frames per second.

    Raises:
        UserInputError: This OpenCV cannot encode mp4, the file cannot be written or read back, or a
            frame differs in size from the first.
    """

    def __init__(self, path: str | os.PathLike, fps: float) -> None:
        super().__init__()
        self.path = Path(path)
        self.fps = fps
        self._writer: cv2.VideoWriter | None = None
        self._shape: tuple[int, ...] | None = None
        self._num_frames = 0

    def write(self, frame: np.ndarray) -> None:
        """Append one RGB frame (H, W, 3), uint8."""
        self._shape = self._shape or frame.shape
        if frame.shape != self._shape:
            raise UserInputError(f"{self.path}: expected frames {self._shape}, got {frame.shape}")
        bottom, right = frame.shape[0] % 2, frame.shape[1] % 2
        padded = cv2.copyMakeBorder(frame, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
        if self._writer is None:
            part = self.enter_context(partial_file(self.path))
            self._writer = _open_mp4(part, self.fps, padded.shape[1], padded.shape[0])
            self.push(lambda kind, *_: None if kind else self._check(part))
            self.callback(self._writer.release)
        self._writer.write(cv2.cvtColor(padded, cv2.COLOR_RGB2BGR))
        self._num_frames += 1

    def _check(self, written: Path) -> None:
        """Read the last frame back: OpenCV says nothing when a disk is full."""
        capture = cv2.VideoCapture(str(written))
        is_whole = capture.get(cv2.CAP_PROP_FRAME_COUNT) == self._num_frames
        capture.set(cv2.CAP_PROP_POS_FRAMES, self._num_frames - 1)
        if not (is_whole and capture.read()[0]):
            raise UserInputError(f"{self.path}: cannot be read back; check the space on the disk")


def add_audio(video: Path, source: Path) -> bool:
    """Give a video file the sound of another, where ffmpeg is installed and there is sound.

    Args:
        video: An mp4, which is replaced at once.
        source: A video file with the same length.

    Returns:
        Whether ffmpeg did it.
    """
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        return False
    inputs = ["-i", str(video), "-i", str(source)]
    streams = ["-map", "0:v:0", "-map", "1:a?", "-c", "copy", "-shortest"]
    with partial_file(video) as partial:
        command = [ffmpeg, "-loglevel", "error", "-nostdin", "-y", *inputs, *streams, str(partial)]
        done = subprocess.run(command, check=False, capture_output=True)
        if done.returncode:
            shutil.copyfile(video, partial)  # such as sound that mp4 cannot hold
    return done.returncode == 0
