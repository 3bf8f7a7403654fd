"""Two results for the same ground truth, video by video."""

from dataclasses import dataclass

from mmttsrn.evaluation.result import Evaluation


@dataclass(frozen=True)
class VideoDifference:
    """What two results reach in one video.

    Attributes:
        video_id: The video.
        num_frames: Its frames.
        num_truths: Its ground-truth sequences.
        ap: AP of the results; -1 without ground truth.
        other_ap: AP of the other results.
    """

    video_id: int
    num_frames: int
    num_truths: int
    ap: float
    other_ap: float

    @property
    def difference(self) -> float | None:
        """AP of the results less that of the other results; None without ground truth."""
        return self.ap - self.other_ap if self.num_truths else None


def compare_videos(evaluation: Evaluation, other: Evaluation) -> list[VideoDifference]:
    """Compare results with other results for the same ground truth.

    Returns:
        One entry per video: first where the results lose most against the other ones, last the
        videos without ground truth.
    """
    others = other.video_stats()
    videos = evaluation.truth.videos
    differences = [
        VideoDifference(
            key, videos[key].length, int(stats["num_truths"]), stats["mAP"], others[key]["mAP"]
        )
        for key, stats in evaluation.video_stats().items()
    ]
    return sorted(differences, key=lambda video: (video.num_truths == 0, video.difference or 0))
