"""Videos of an annotation file with the sequences of a results file, drawn on their frames."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from mmttsrn.errors import UserInputError
from mmttsrn.formats.frame_folder import FrameFolder
from mmttsrn.formats.frames import read_frame
from mmttsrn.formats.ground_truth import GroundTruth, TrueSequence, Video, decode_masks
from mmttsrn.formats.results import PredictedSequence, Results
from mmttsrn.structures import FrameResults
from mmttsrn.visualization.overlay import draw_instances
from mmttsrn.visualization.video_io import write_overlays

_TITLE_HEIGHT = 22  # pixels of the bar above each picture of a side-by-side frame


@dataclass
class VideoSequences:
    """A video and the sequences to draw on it, with the ids that their files give them.

    Attributes:
        video: The video with its ground truth.
        names: Class names by category id.
        predicted: Predicted sequences, the highest score first.
    """

    video: Video
    names: dict[int, str]
    predicted: list[PredictedSequence]

    def frame(
        self, index: int, sequences: Sequence[TrueSequence | PredictedSequence]
    ) -> FrameResults:
        """Return what sequences of this video look like in one frame."""
        shown = [sequence for sequence in sequences if sequence.counts[index]]
        scores = [item.score for item in shown if isinstance(item, PredictedSequence)]
        labels = list(self.names)
        return FrameResults.from_counts(
            [sequence.id for sequence in shown],
            [labels.index(sequence.category_id) for sequence in shown],
            [sequence.counts[index] or "" for sequence in shown],
            self.video.size,
            scores if len(scores) == len(shown) else None,
            list(self.names.values()),
        )

    def images(self, img_root: str | os.PathLike) -> Iterator[np.ndarray]:
        """Read the frames (H, W, 3), RGB, one after the other.

        Raises:
            UserInputError: One is missing, unreadable or not of the size in the annotation file.
        """
        for path in _frame_paths(self.video, FrameFolder(img_root)):
            image = read_frame(path)
            height, width = image.shape[:2]
            if (height, width) != self.video.size:
                raise UserInputError(
                    f"{path}: frame is {width}x{height}, but the annotation file "
                    f"says {self.video.width}x{self.video.height} for video {self.video.id}"
                )
            yield image


def videos_to_draw(
    truth: GroundTruth, results: Results, score_thr: float
) -> dict[int, VideoSequences]:
    """Return the videos of an annotation file by id, with the results that reach a score.

    Raises:
        UserInputError: A mask is broken, which is found here, before anything is drawn.
    """
    drawn = {}
    for video_id, video in truth.videos.items():
        sequences = results.get(video_id, [])
        decode_masks(video, sequences)
        shown = [sequence for sequence in sequences if sequence.score >= score_thr]
        shown.sort(key=lambda sequence: -sequence.score)
        drawn[video_id] = VideoSequences(video, truth.categories, shown)
    return drawn


def require_frames(videos: Sequence[Video], img_root: str | os.PathLike) -> None:
    """Make sure that every frame file exists, before any drawing."""
    folder = FrameFolder(img_root)
    for video in videos:
        _frame_paths(video, folder)


def _frame_paths(video: Video, folder: FrameFolder) -> list[str]:
    return folder.find_all(video.file_names, f"video {video.id}", "the image root")


def output_stems(videos: Sequence[Video]) -> dict[int, str]:
    """Relative path, without suffix, of the output for each video: the folder of its frames.

    Videos that share a folder get their id appended.

    Raises:
        UserInputError: A frame path of the annotation file leaves the image folder.
    """
    folders = {video.id: _frame_folder(video) for video in videos}
    shared = Counter(folders.values())
    return {
        video_id: folder if shared[folder] == 1 and folder else f"{folder or 'video'}_{video_id}"
        for video_id, folder in folders.items()
    }


def _frame_folder(video: Video) -> str:
    """Folder of the frames below the image folder, ``""`` for the image folder itself."""
    for name in video.file_names:
        path = _output_path(name)
        if path.is_absolute() or ".." in path.parts:
            what = f"videos with id {video.id}: file_names: {name!r}"
            raise UserInputError(f"{what} leaves the image folder")
    first = _output_path(video.file_names[0])
    if not first.parent.name:
        return ""
    is_image = bool(first.suffix)  # and not video.mp4/00000
    return (first.parent if is_image else first.parent.with_suffix("")).as_posix()


def _output_path(name: str) -> PurePosixPath:
    """Path of a frame below the output folder; Windows writes file names with backslashes."""
    return PurePosixPath(name.replace("\\", "/"))


def render_videos(
    videos: Sequence[VideoSequences],
    img_root: str | os.PathLike,
    out_dir: str | os.PathLike,
    output_format: str = "mp4",
    fps: float = 6.0,
    with_ground_truth: bool = False,
) -> Iterator[list[Path]]:
    """Write overlays of videos: ``<folder of the frames>.mp4``, or jpg frames of the same layout.

    Args:
        videos: Videos with their sequences.
        img_root: Folder that the frame paths are relative to.
        out_dir: Folder to write to.
        output_format: ``mp4``, ``jpg`` or ``both``.
        fps: Frames per second of the mp4.
        with_ground_truth: Whether ground truth is shown to the left of the predictions.

    Yields:
        For each video, when it is done, what was written: the mp4 and/or the folder of frames.

    Raises:
        UserInputError: A frame is missing, unreadable or of another size than it should be.
    """
    files = [drawn.video for drawn in videos]
    require_frames(files, img_root)
    stems = output_stems(files)
    for drawn in videos:
        frames = _overlays(drawn, img_root, with_ground_truth)
        yield write_overlays(Path(out_dir), stems[drawn.video.id], frames, output_format, fps)


def _overlays(
    drawn: VideoSequences, img_root: str | os.PathLike, with_ground_truth: bool
) -> Iterator[tuple[str, np.ndarray]]:
    """Names and drawn frames (H', W', 3) of one video."""
    for index, image in enumerate(drawn.images(img_root)):
        picture = draw_instances(image, drawn.frame(index, drawn.predicted))
        if with_ground_truth:
            left = draw_instances(image, drawn.frame(index, drawn.video.sequences))
            columns = [_titled("ground truth", left), _titled("prediction", picture)]
            picture = np.concatenate(columns, axis=1)
        yield str(_output_path(drawn.video.file_names[index])), picture


def _titled(title: str, picture: np.ndarray) -> np.ndarray:
    bar = np.zeros((_TITLE_HEIGHT, picture.shape[1], 3), dtype=np.uint8)
    origin, white = (6, _TITLE_HEIGHT - 7), (255, 255, 255)
    cv2.putText(bar, title, origin, cv2.FONT_HERSHEY_SIMPLEX, 0.5, white, 1, cv2.LINE_AA)
    return np.concatenate([bar, picture])
