"""Videos with their sequences, as they are drawn."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from mmttsrn.errors import UserInputError
from mmttsrn.formats.ground_truth import GroundTruth, TrueSequence, Video, decode_masks
from mmttsrn.formats.results import PredictedSequence, Results
from mmttsrn.structures import FrameResults


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
    predicted: list[PredictedSequence] = field(default_factory=list)

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
    first = PurePosixPath(video.file_names[0])
    if not first.parent.name:
        return ""
    is_image = bool(first.suffix)  # and not video.mp4/00000
    return (first.parent if is_image else first.parent.with_suffix("")).as_posix()
