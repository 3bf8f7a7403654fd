"""Overlay frames and videos of whole videos."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from mmttsrn.errors import UserInputError
from mmttsrn.formats.frames import missing_files, read_frame
from mmttsrn.formats.ground_truth import Video
from mmttsrn.visualization.overlay import OverlayStyle, draw_instances
from mmttsrn.visualization.overlay_files import write_overlays
from mmttsrn.visualization.video_sequences import VideoSequences, unique_stems

_TITLE_HEIGHT = 22  # pixels of the bar above each picture of a side-by-side frame


@dataclass(frozen=True)
class RenderOptions:
    """What overlays of a video consist of.

    Attributes:
        output_format: ``mp4``, ``jpg`` or ``both``.
        fps: Frames per second of the mp4.
        with_ground_truth: Whether ground truth is shown to the left of the predictions.
        style: Look of the overlay.
    """

    output_format: str = "mp4"
    fps: float = 6.0
    with_ground_truth: bool = False
    style: OverlayStyle = field(default_factory=OverlayStyle)


def check_frames(videos: Sequence[Video], img_root: str | os.PathLike) -> None:
    """Make sure that every frame file exists, before any drawing.

    Raises:
        UserInputError: A frame is missing.
    """
    owners = {Path(img_root) / name: video.id for video in videos for name in video.file_names}
    for path in missing_files(owners):
        raise UserInputError(
            f"{path}: frame of video {owners[Path(path)]} not found; the image root must be the "
            "folder that file_names are relative to"
        )


def read_frame_of(video: Video, path: Path) -> np.ndarray:
    """Read a frame (H, W, 3), RGB, of a video.

    Raises:
        UserInputError: It is unreadable or has another size than the annotation file says.
    """
    image = read_frame(path)
    if image.shape[:2] != (video.height, video.width):
        raise UserInputError(
            f"{path}: frame is {image.shape[1]}x{image.shape[0]}, but the annotation file says "
            f"{video.width}x{video.height} for video {video.id}"
        )
    return image


def overlay_frames(
    drawn: VideoSequences, img_root: str | os.PathLike, options: RenderOptions
) -> Iterator[tuple[str, np.ndarray]]:
    """Draw the frames of one video, one after the other.

    Yields:
        Their names in the file and RGB pixels (H', W', 3), uint8, all of one size.

    Raises:
        UserInputError: A frame is unreadable or has another size than the annotation file says.
    """
    video = drawn.video
    for index, name in enumerate(video.file_names):
        image = read_frame_of(video, Path(img_root) / name)
        frame = draw_instances(image, drawn.frame(index, drawn.predicted), options.style)
        if options.with_ground_truth:
            left = draw_instances(image, drawn.frame(index, video.sequences), options.style)
            frame = _side_by_side({"ground truth": left, "prediction": frame})
        yield name, frame


def _side_by_side(pictures: dict[str, np.ndarray]) -> np.ndarray:
    """Pictures of one size next to each other, each under its title."""
    columns = []
    for title, picture in pictures.items():
        bar = np.zeros((_TITLE_HEIGHT, picture.shape[1], 3), dtype=np.uint8)
        origin = (6, _TITLE_HEIGHT - 7)
        cv2.putText(
            bar, title, origin, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA
        )
        columns.append(np.concatenate([bar, picture]))
    return np.concatenate(columns, axis=1)


def render_videos(
    videos: Sequence[VideoSequences],
    img_root: str | os.PathLike,
    out_dir: str | os.PathLike,
    options: RenderOptions | None = None,
) -> Iterator[list[Path]]:
    """Write overlays of videos: ``<folder of the frames>.mp4``, or jpg frames of the same layout.

    Args:
        videos: Videos with their sequences.
        img_root: Folder that the frame paths are relative to.
        out_dir: Folder to write to.
        options: Format and look.

    Yields:
        For each video, when it is done, what was written: the mp4 and/or the folder of frames.
    """
    options = options or RenderOptions()
    files = [drawn.video for drawn in videos]
    check_frames(files, img_root)
    stems = unique_stems(files)
    for drawn in videos:
        frames = overlay_frames(drawn, img_root, options)
        stem = stems[drawn.video.id]
        yield write_overlays(Path(out_dir), stem, frames, options.output_format, options.fps)
