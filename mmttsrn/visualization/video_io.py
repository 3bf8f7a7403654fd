"""Writing of overlay frames and videos."""

import math
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Any

import av
import cv2
import numpy as np

from mmttsrn.errors import UserInputError
from mmttsrn.formats.output_files import partial_file

FORMATS = ("mp4", "jpg", "both")
# The second is what builds of FFmpeg without the first have.
ENCODER = "libx264" if "libx264" in av.codecs_available else "mpeg4"
ENCODER_OPTIONS = {"preset": "ultrafast", "bf": "0"}
UNIT = Fraction(1, 60_000)  # second; what times of frames are rounded to
FPS_LIMITS = (0.001, 1001)
MAX_SIDE, MAX_PIXELS = 16_384, 7_680 * 4_320  # of the encoder; of what players can show


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
    path.write_bytes(cv2.imencode(path.suffix, cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))[1].tobytes())


class Mp4Writer(ExitStack):
    """Writes RGB frames to an mp4 file, H.264; use it in a ``with`` statement.

    The file appears under its name only when it is complete: frames go to a file next to it that
    is read back and renamed at the end, and removed if an exception ends the block. Frames of odd
    height or width get a repeated last row or column, because the codec needs even sizes; those
    beyond ``MAX_SIDE`` or ``MAX_PIXELS`` become smaller.

    Args:
        path: The mp4 file; its folder is made as needed.
        fps: Frames per second, for frames that come without their time; the nearest of
            ``FPS_LIMITS`` where it is beyond them.
        sound: A video file whose sound the mp4 gets as far as it can hold it, up to its last frame.

    Raises:
        UserInputError: A frame differs in size from the first, or the file cannot be read back.
        OSError: The file cannot be written.
    """

    def __init__(self, path: str | os.PathLike, fps: float, sound: Path | None = None) -> None:
        super().__init__()
        self.path = Path(path)
        self.fps = min(max(fps, FPS_LIMITS[0]), FPS_LIMITS[1])
        self.sound = sound
        self._shape: tuple[int, ...] | None = None
        self._size = (0, 0)  # width, height
        self._ticks = -1
        self._num_frames = 0

    def write(self, frame: np.ndarray, seconds: float | None = None) -> None:
        """Append one RGB frame (H, W, 3), uint8, that is shown at a time after the first one."""
        if self._shape is None:
            self._shape = frame.shape
            self._open(*frame.shape[:2])
        if frame.shape != self._shape:
            raise UserInputError(f"{self.path}: expected frames {self._shape}, got {frame.shape}")
        shown = self._num_frames / self.fps if seconds is None else seconds
        self._ticks = max(round(shown / UNIT), self._ticks + 1)
        self._num_frames += 1
        pixels = cv2.cvtColor(self._fitted(frame), cv2.COLOR_RGB2YUV_I420)
        picture = av.VideoFrame.from_ndarray(pixels, format="yuv420p")
        picture.pts, picture.time_base = self._ticks, UNIT
        self._sound.copy_until(shown)
        self._container.mux(self._stream.encode(picture))

    def _open(self, height: int, width: int) -> None:
        shrink = min(1.0, MAX_SIDE / max(height, width), (MAX_PIXELS / (height * width)) ** 0.5)
        # Even, and rounded up where nothing is made smaller.
        halves = [math.ceil(side * shrink / 2) for side in (width, height)]
        self._size = (2 * halves[0], 2 * halves[1])
        part = self.enter_context(partial_file(self.path))
        self.push(lambda kind, *_: None if kind else self._check(part))
        self._container = self.enter_context(av.open(f"file:{part}", "w", format="mp4"))
        rate = Fraction(self.fps).limit_denominator(1001)
        self._stream = self._container.add_stream(ENCODER, rate, options=ENCODER_OPTIONS)
        self._stream.width, self._stream.height = self._size
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = UNIT
        self._sound = self.enter_context(_CopiedSound(self._container, self.sound))
        self.push(lambda kind, *_: None if kind else self._finish())

    def _fitted(self, frame: np.ndarray) -> np.ndarray:
        width, height = self._size
        bottom, right = height - frame.shape[0], width - frame.shape[1]
        if min(bottom, right) < 0:
            return cv2.resize(frame, self._size, interpolation=cv2.INTER_AREA)
        if bottom or right:
            return cv2.copyMakeBorder(frame, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
        return frame

    def _finish(self) -> None:
        """Write what the encoder still holds."""
        self._sound.copy_until(float(self._ticks * UNIT) + 1 / self.fps)
        self._container.mux(self._stream.encode(None))
        self._container.close()

    def _check(self, written: Path) -> None:
        """Count the frames of the file as it lies on the disk."""
        with av.open(f"file:{written}", metadata_errors="replace") as file:
            count = sum(packet.size > 0 for packet in file.demux(video=0))
        if count != self._num_frames:
            found = f"expected {self._num_frames} frames, found {count}"
            raise UserInputError(f"{self.path}: cannot be read back: {found}; check the disk")


class _CopiedSound(ExitStack):
    """Copies the sound of a video file into another one, along with its pictures.

    A file without sound, or with some that the other cannot hold, gives none.
    """

    def __init__(self, output: av.container.OutputContainer, source: Path | None) -> None:
        super().__init__()
        self._output = output
        self._packets: Iterator[tuple[float, av.Packet]] = iter(())
        self._next: tuple[float, av.Packet] | None = None
        if source is None:
            return
        file = self.enter_context(av.open(f"file:{source}", metadata_errors="replace"))
        video, audio = file.streams.best("video"), file.streams.best("audio")
        if (
            video is None
            or audio is None
            or audio.codec_context.name not in output.supported_codecs
        ):
            return
        self._packets = self._read(file, audio, (video.start_time or 0) * video.time_base)
        self._next = next(self._packets, None)

    def _read(self, file: Any, audio: Any, start: Fraction) -> Iterator[tuple[float, av.Packet]]:
        """Packets with their times after the first frame."""
        copy = self._output.add_stream_from_template(audio)
        shift, last = round(start / audio.time_base), -math.inf
        with suppress(av.FFmpegError, IndexError):  # what is damaged ends the sound
            for packet in file.demux(audio):
                # Times go back where recordings are joined, which mp4 does not know.
                if packet.pts is not None and packet.pts >= shift and packet.dts > last:
                    last, packet.stream = packet.dts, copy
                    packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                    yield float(packet.pts * audio.time_base), packet

    def copy_until(self, seconds: float) -> None:
        """Write the sound up to a time after the first frame."""
        while self._next is not None and self._next[0] < seconds:
            self._output.mux(self._next[1])
            self._next = next(self._packets, None)
