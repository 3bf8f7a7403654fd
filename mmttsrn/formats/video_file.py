"""Decoding of video files and streams with the libraries of FFmpeg."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.stream import Disposition

from mmttsrn.errors import UserInputError, without_secrets

# Pictures, and text that FFmpeg would draw: files that it opens, but that are no videos.
NO_VIDEOS = ("image2", "tty", "bin", "xbin", "adf", "idf", "ico")
NETWORK_SECONDS = 30.0  # that opening, or a frame, of a stream may take
# A video ends before its time where this share of it and these seconds are missing.
MISSING_SHARE, MISSING_SECONDS = 0.1, 0.5
# Times that go back by more begin anew.
RESTART_SECONDS = 0.5


class DecodedFrame(NamedTuple):
    """A frame as the decoder has it.

    Attributes:
        picture: Its pixels, for :func:`to_rgb`.
        ticks: When it is shown, in the units of the file; None where the file does not tell.
        seconds: When it is shown, after the first frame; later than the frame before.
    """

    picture: av.VideoFrame
    ticks: int | None
    seconds: float


class VideoFile:
    """An open video file or stream, whose frames are decoded in the order of their times.

    What its header says of them is not more than a hint: the frames are those that decoding gives.

    Args:
        where: Path of a file, or URL.
        ahead: Decode the next frames of a file in other threads meanwhile; without :meth:`seek`.

    Attributes:
        name: What it is called in messages.
        rate: Frames per second that the header promises; None without.
        length: Frames that the header promises; None without.
        is_live: Whether the header promises no end, behind a URL.
        undecodable: Frames that could not be decoded so far.
        ends_early: What is missing of the length of the header, once the last frame is decoded;
            empty for a whole video.

    Raises:
        UserInputError: It cannot be opened, or holds no video.
    """

    def __init__(self, where: str | Path, ahead: bool = False) -> None:
        is_url = "://" in str(where) and not os.path.exists(where)
        self.name = without_secrets(str(where))
        self._where, self._is_url, self._ahead = where, is_url, ahead and not is_url
        self._reopen(self._ahead)
        self._unit = self._stream.time_base or Fraction(1, av.time_base)
        rate = self._stream.average_rate or self._stream.guessed_rate
        self.rate = float(rate) if rate and 0 < rate < 1000 else None
        self.duration = self._promised_seconds()
        self.length = self._promised_frames()
        self.is_live = is_url and self.duration is None and not self._container.duration
        self.ends_early = ""

    def _reopen(self, ahead: bool) -> None:
        self._container = _open(self._where, self._is_url, self.name)
        self._stream = _video_stream(self._container, self.name)
        self._stream.thread_type = "AUTO" if ahead else "SLICE"
        self.undecodable = self._num_packets = 0

    def _promised_seconds(self) -> float | None:
        stream, container = self._stream, self._container
        if container.format.name == "avi" and self.rate:  # the rest is guessed
            return stream.frames / self.rate or None
        if stream.duration:
            return float(stream.duration * self._unit)
        if tag := re.fullmatch(r"(\d+):(\d+):([\d.]+)", stream.metadata.get("DURATION", "")):
            hours, minutes, seconds = map(float, tag.groups())  # of Matroska
            return 3600 * hours + 60 * minutes + seconds
        # Other streams, such as sound, may last longer.
        if container.duration and len(container.streams) == 1:
            return container.duration / av.time_base
        return None

    def _promised_frames(self) -> int | None:
        if self.duration and self.rate:
            return round(self.duration * self.rate)
        return self._stream.frames or None

    def __iter__(self) -> Iterator[DecodedFrame]:
        """Decode the frames up to the last one."""
        step = 1 / (self.rate or 30.0)
        last, origin = -step, None
        for picture in self._pictures():
            ticks = picture.dts if picture.pts is None else picture.pts
            seconds = last + step
            if ticks is not None:
                shown = float(ticks * self._unit)
                # They start again where recordings are joined.
                if origin is None or last - (shown - origin) > RESTART_SECONDS:
                    origin = shown - seconds
                seconds = max(shown - origin, last + 1e-3 * step)
            last = seconds
            yield DecodedFrame(picture, ticks, seconds)
        end, promised = last + step, self.duration or 0.0
        if not self.ends_early and promised - end > max(MISSING_SHARE * promised, MISSING_SECONDS):
            self.ends_early = f"ends after {end:.1f} of {promised:.1f} s: it is cut off or damaged"

    def _pictures(self) -> Iterator[av.VideoFrame]:
        given = 0
        if self._ahead:
            for picture in self._decoded():
                if self.undecodable or picture.is_corrupt:
                    break
                given += 1
                yield picture
            if given == self._num_packets:
                return
            # Decoding ahead loses frames behind one that is damaged, or changes them: do without.
            self.close()
            self._reopen(ahead=False)
        yield from islice(self._decoded(), given, None)

    def _decoded(self) -> Iterator[av.VideoFrame]:
        for packet in self._packets():
            self._num_packets += packet.size > 0
            # One without content repeats the picture before; that at the end has no time either.
            if packet.size or packet.pts is None:
                try:
                    pictures = packet.decode()
                except av.EOFError:
                    return
                except av.FFmpegError:
                    self.undecodable += 1
                else:
                    yield from pictures
        with suppress(av.FFmpegError):  # as a rule, the last packet has emptied the decoder
            yield from self._stream.decode(None)

    def _packets(self) -> Iterator[av.Packet]:
        try:
            yield from self._container.demux(self._stream)
        except (av.EOFError, av.InvalidDataError):
            return  # the times of the frames tell whether any are missing
        except IndexError:
            return  # of PyAV, at the end of a file in which FFmpeg found a stream on the way
        except av.FFmpegError as error:
            if not self._num_packets:
                problem = f"cannot be read: {_reason(error)}"
                raise UserInputError(f"{self.name}: {problem}") from error
            self.ends_early = f"ended by an error: {_reason(error)}"

    def has_times(self, num_frames: int) -> bool:
        """Whether frames keep their times after a jump, in a file that gives so many frames.

        FFmpeg counts those of an avi, which holds no times, so that lost ones shift the others.
        """
        return self._container.format.name != "avi" or num_frames == self._stream.frames

    def seek(self, ticks: int) -> None:
        """Let the next frames be those from a key frame on, at or before this time, if it can."""
        self._container.seek(ticks, stream=self._stream)

    def close(self) -> None:
        """Close the file."""
        self._container.close()


def _open(where: str | Path, is_url: bool, name: str) -> av.container.InputContainer:
    # "file:" keeps names with colons from being taken for URLs.
    address, hint = f"file:{where}", "it is cut off, or in a format that FFmpeg does not know"
    options: dict[str, str] = {}
    if is_url:
        address, hint = str(where), "check address, permissions and network"
        options = {"rtsp_transport": "tcp"}
    try:
        timeout = NETWORK_SECONDS if is_url else None
        return av.open(address, options=options, timeout=timeout, metadata_errors="replace")
    except av.FFmpegError as error:
        problem = f"cannot be opened as a video: {_reason(error)}"
        raise UserInputError(f"{name}: {problem}; {hint}") from error


def _video_stream(container: av.container.InputContainer, name: str) -> av.VideoStream:
    """Return the stream with the pictures, which is not the cover of a piece of music."""
    kind = container.format.name
    stream = container.streams.best("video")
    is_picture = kind in NO_VIDEOS or kind.endswith("_pipe")
    if (
        not isinstance(stream, av.VideoStream)
        or is_picture
        or stream.disposition & Disposition.attached_pic
    ):
        container.close()
        raise UserInputError(f"{name}: cannot be opened as a video: it holds none")
    return stream


def _reason(error: av.FFmpegError) -> str:
    return str(error.strerror or type(error).__name__).lower()


def to_rgb(picture: av.VideoFrame) -> np.ndarray:
    """Pixels of a decoded frame, turned upright: RGB (H, W, 3), uint8."""
    image = picture.to_ndarray(format="rgb24")
    return np.ascontiguousarray(np.rot90(image, round(picture.rotation / 90)))


def is_video(path: Path) -> bool:
    """Whether a file can be opened as a video."""
    try:
        VideoFile(path).close()
    except UserInputError:
        return False
    return True
