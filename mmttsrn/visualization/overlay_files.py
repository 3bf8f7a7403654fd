"""Files of drawn videos: mp4, jpg frames or both."""

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path, PurePosixPath

import numpy as np

from mmttsrn.visualization.video_io import Mp4Writer, write_frame

FORMATS = ("mp4", "jpg", "both")


def write_overlays(
    out_dir: Path,
    stem: str,
    frames: Iterable[tuple[str, np.ndarray]],
    output_format: str = "mp4",
    fps: float = 6.0,
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
