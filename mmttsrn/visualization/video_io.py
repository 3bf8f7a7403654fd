"""Reading frames and writing overlay frames and videos."""

import os
import shutil
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path

import cv2
import mmcv
import numpy as np
from mmengine import fileio

from mmttsrn.errors import UserInputError
from mmttsrn.formats.output_files import partial_file


def read_frame(path: str | os.PathLike, backend_args: dict | None = None) -> np.ndarray:
    """Read one frame of a video.

    Args:
        path: Image file or URL.
        backend_args: Arguments of the mmengine file backend.

    Returns:
        RGB image (H, W, 3), uint8.

    Raises:
        UserInputError: The file is missing or is no image.
    """
    try:
        content = fileio.get(str(path), backend_args=backend_args)
    except OSError as error:
        problem = "not found" if isinstance(error, FileNotFoundError) else error.strerror
        raise UserInputError(f"{path}: frame {problem}; check the image folder") from error
    image = mmcv.imfrombytes(content) if content else None
    if image is None:
        raise UserInputError(f"{path}: not a readable image; restore or download the file again")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


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
    """Find out, before any long work, whether this OpenCV can write mp4.

    Raises:
        UserInputError: It cannot.
    """
    with tempfile.TemporaryDirectory() as folder:
        _open_mp4(Path(folder) / "probe.mp4", fps=1.0, width=64, height=64).release()


def _open_mp4(path: Path, fps: float, width: int, height: int) -> cv2.VideoWriter:
    fourcc = cv2.VideoWriter.fourcc(*"mp4v")
    writer = cv2.VideoWriter(str(path), fourcc, float(fps), (width, height))
    if not writer.isOpened():
        raise UserInputError(
            f"{path}: OpenCV cannot open an mp4 (mp4v) writer for {width}x{height} at {fps:g} fps; "
            "check these, that the folder is writable, and that opencv-python-headless is built "
            "with FFmpeg, or write jpg frames instead"
        )
    return writer


class Mp4Writer(ExitStack):
    """Writes RGB frames to an mp4 file; use it in a ``with`` statement.

    The file appears under its name only when it is complete: frames go to a file beside it that
    is renamed at the end and removed if an exception ends the block. Frames of odd height
    or width get a repeated last row or column, because the codec needs even sizes.

    Args:
        path: The mp4 file; its folder is made as needed.
        fps: Frames per second.

    Raises:
        ValueError: ``fps`` is not positive, or a frame differs in size from the first.
        UserInputError: This OpenCV cannot encode mp4, or the file cannot be written or read back.
    """

    def __init__(self, path: str | os.PathLike, fps: float) -> None:
        super().__init__()
        if not fps > 0:
            raise ValueError(f"fps is {fps}, expected a positive number")
        self.path = Path(path)
        self.fps = fps
        self._writer: cv2.VideoWriter | None = None
        self._shape: tuple[int, ...] = ()
        self._num_frames = 0

    def write(self, frame: np.ndarray) -> None:
        """Append one RGB frame (H, W, 3), uint8."""
        bottom, right = frame.shape[0] % 2, frame.shape[1] % 2
        padded = cv2.copyMakeBorder(frame, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
        if self._writer is None:
            self._shape = frame.shape
            part = self.enter_context(partial_file(self.path))
            self._writer = _open_mp4(part, self.fps, padded.shape[1], padded.shape[0])
            self.push(lambda kind, *_: None if kind else self._check(part))
            self.callback(self._writer.release)
        if frame.shape != self._shape:
            raise ValueError(
                f"{self.path}: frame of shape {frame.shape} in a video of shape {self._shape}"
            )
        self._writer.write(cv2.cvtColor(padded, cv2.COLOR_RGB2BGR))
        self._num_frames += 1

    def _check(self, written: Path) -> None:
        """Read first and last frame back: OpenCV says nothing when a disk is full."""
        capture = cv2.VideoCapture(str(written))
        count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        is_whole = count == self._num_frames
        for number in {0, count - 1} if is_whole else ():
            capture.set(cv2.CAP_PROP_POS_FRAMES, number)
            is_whole &= capture.read()[0]
        capture.release()
        if not is_whole:
            raise UserInputError(
                f"{self.path}: cannot be read back after writing; check the space on the disk"
            )


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
