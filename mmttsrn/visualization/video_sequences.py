"""Videos with their sequences, as they are drawn."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from mmttsrn.errors import UserInputError
from mmttsrn.formats.ground_truth import GroundTruth, TrueSequence, Video, decode_masks
from mmttsrn.formats.results import PredictedSequence, Results
from mmttsrn.visualization.masks import as_bool_masks
from mmttsrn.visualization.overlay import FrameInstances


@dataclass
class VideoSequences:
    """A video and the sequences to draw on it, which are numbered from 1.

    Attributes:
        video: The video with its ground truth.
        names: Class names by category id.
        predicted: Predicted sequences, the highest score first.
    """

    video: Video
    names: dict[int, str]
    predicted: list[PredictedSequence] = field(default_factory=list)

    def frame_instances(
        self, frame: int, sequences: Sequence[TrueSequence | PredictedSequence]
    ) -> FrameInstances:
        """Return what sequences of this video look like in one frame."""
        size = [self.video.height, self.video.width]
        counts = [sequence.counts[frame] for sequence in sequences]
        scores = [item.score for item in sequences if isinstance(item, PredictedSequence)]
        return FrameInstances(
            ids=range(1, len(sequences) + 1),
            names=[self.names[sequence.category_id] for sequence in sequences],
            masks=as_bool_masks(
                [text and {"size": size, "counts": text} for text in counts], *size
            ),
            scores=scores or None,
        )


def videos_to_draw(truth: GroundTruth) -> dict[int, VideoSequences]:
    """Return the videos of an annotation file by id, in its order."""
    return {
        video_id: VideoSequences(video, truth.categories)
        for video_id, video in truth.videos.items()
    }


def add_predictions(
    videos: dict[int, VideoSequences],
    truth: GroundTruth,
    results: Results,
    score_thr: float,
) -> None:
    """Add the sequences of results to their videos, the highest score first.

    Args:
        videos: Videos by id.
        truth: The annotation file that they are of.
        results: What ``read_results`` gives for that file.
        score_thr: Sequences with a score below it are left out.

    Raises:
        UserInputError: A mask is broken.
    """
    for video_id, sequences in results.items():
        video = truth.videos[video_id]
        # Broken masks are found here, before anything is drawn.
        decode_masks(video, sequences)
        shown = [sequence for sequence in sequences if sequence.score >= score_thr]
        videos[video_id].predicted = sorted(shown, key=lambda sequence: -sequence.score)


def unique_stems(videos: Sequence[Video]) -> dict[int, str]:
    """Relative path, without suffix, of the overlay video of each video: the folder of its frames.

    Videos that share a folder get their id appended.

    Raises:
        UserInputError: A frame path of the annotation file leaves the image folder.
    """
    folders = {video.id: frame_folder(video) for video in videos}
    shared = Counter(folders.values())
    return {
        video_id: folder if shared[folder] == 1 and folder else f"{folder or 'video'}_{video_id}"
        for video_id, folder in folders.items()
    }


def frame_folder(video: Video) -> str:
    """Folder of the frames below the image folder, ``""`` for the image folder itself."""
    for name in video.file_names:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise UserInputError(
                f"videos with id {video.id}: file_names: {name!r} leaves the image folder; "
                "expected a path below it"
            )
    folder = PurePosixPath(video.file_names[0]).parent.as_posix()
    return "" if folder == "." else folder
