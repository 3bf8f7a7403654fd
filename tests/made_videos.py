"""Small videos of every kind, made with PyAV."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

SIZE = (48, 64)  # height, width
SOUND_RATE = 44_100
# Of encoders that do not take yuv420p.
PIXEL_FORMATS = {"mjpeg": "yuvj420p", "gif": "rgb8", "png": "rgb24", "ffv1": "bgr0"}


def grey_frames(num_frames: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Frames (T, H, W, 3), each of another grey, with a bar that says which one it is."""
    frames = np.empty((num_frames, *size, 3), np.uint8)
    for number, frame in enumerate(frames):
        frame[:] = 30 + 160 * number // max(num_frames - 1, 1)
        frame[: size[0] // 2, : 1 + number % size[1]] = 230
    return frames


def write_video(
    path: Path,
    frames: np.ndarray,
    codec: str = "libx264",
    kind: str | None = None,
    rate: Fraction | int = 30,
    seconds: Sequence[float] | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    sound: float | None = None,
    sound_codec: str = "aac",
    metadata: dict[str, str] | None = None,
) -> Path:
    """Encode frames (T, H, W, 3) RGB.

    Args:
        path: The file.
        frames: The frames.
        codec: Name of FFmpeg's encoder.
        kind: FFmpeg's name of the container; by default that of the suffix.
        rate: Frames per second.
        seconds: When each frame is shown; by default evenly.
        options: Of the encoder.
        container_options: Of the container.
        sound: Seconds of sound.
        sound_codec: Encoder of the sound.
        metadata: Of the container.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unit = 1 / Fraction(rate) if seconds is None else Fraction(1, 1000)
    with av.open(f"file:{path}", "w", format=kind, options=container_options or {}) as file:
        file.metadata.update(metadata or {})
        stream = file.add_stream(codec, rate, options=options or {})
        stream.width, stream.height = frames.shape[2], frames.shape[1]
        stream.pix_fmt = PIXEL_FORMATS.get(codec, "yuv420p")
        stream.codec_context.time_base = unit
        audio = file.add_stream(sound_codec, SOUND_RATE, layout="mono") if sound else None
        for number, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            picture.pts = number if seconds is None else round(1000 * seconds[number])
            picture.time_base = unit
            file.mux(stream.encode(picture))
        file.mux(stream.encode(None))
        if audio is not None:
            for start in range(0, round(sound * SOUND_RATE), 1024):
                wave = np.sin(np.arange(start, start + 1024) / 16, dtype=np.float32)[None] / 4
                piece = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
                piece.sample_rate, piece.pts = SOUND_RATE, start
                piece.time_base = Fraction(1, SOUND_RATE)
                file.mux(audio.encode(piece))
            file.mux(audio.encode(None))
    return path


def packet_times(path: Path, kind: str = "video") -> list[float]:
    """When each packet of a stream of a file is shown, in rising order."""
    with av.open(f"file:{path}") as file:
        stream = file.streams.best(kind)
        if stream is None:
            return []
        packets = [p for p in file.demux(stream) if p.pts is not None]
        return sorted(float(packet.pts * stream.time_base) for packet in packets)
