"""What an evaluation gives: the official numbers, and the same for parts of the data."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from mmttsrn.evaluation.matching import MatchResult
from mmttsrn.evaluation.precision_recall import (
    IOU_THRESHOLDS,
    MAX_DETECTIONS,
    PrecisionRecall,
    accumulate,
    mean_of_valid,
)
from mmttsrn.evaluation.truth_groups import TruthGroup
from mmttsrn.formats.ground_truth import GroundTruth

# The official numbers and what they are.
STATS = {
    "mAP": "average precision, mean over IoU 0.50 to 0.95",
    "mAP_50": "at IoU 0.50",
    "mAP_75": "at IoU 0.75",
    "mAP_s": "small: mean area up to 128^2 pixels",
    "mAP_m": "medium: 128^2 to 256^2",
    "mAP_l": "large: from 256^2",
    "AR@1": "average recall with 1 detection per video and class",
    "AR@10": "with 10",
    "AR@100": "with 100",
    "AR_s": "with 100, small",
    "AR_m": "with 100, medium",
    "AR_l": "with 100, large",
}
STAT_NAMES = tuple(STATS)


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation has found.

    Letters: S IoU thresholds, R recall thresholds, K categories with ground truth, A groups of
    ground truth, M limits of detections per video and category.

    Attributes:
        truth: The ground truth.
        groups: The A groups: all, small, medium, large and, where the file has occlusion levels,
            slight, moderate and heavy occlusion.
        matches: The assignment in each video and category.
        curves: Precision (S, R, K, A, M) and recall (S, K, A, M) of the categories in
            ``curves.category_ids``, in rising order; -1 where nothing is to be found.
            ``curves.over(truth.categories)`` has all categories of the file.
    """

    truth: GroundTruth
    groups: tuple[TruthGroup, ...]
    matches: list[MatchResult] = field(repr=False)
    curves: PrecisionRecall = field(repr=False)

    @property
    def stats(self) -> dict[str, float]:
        """The twelve official numbers by name (``STAT_NAMES``); -1 without such objects."""
        precision, recall = self.curves.precision, self.curves.recall
        parts = [
            precision[..., 0, -1],
            *(precision[np.isclose(IOU_THRESHOLDS, iou), ..., 0, -1] for iou in (0.5, 0.75)),
            *(precision[..., group, -1] for group in (1, 2, 3)),
            *(recall[..., 0, limit] for limit in range(len(MAX_DETECTIONS))),
            *(recall[..., group, -1] for group in (1, 2, 3)),
        ]
        return dict(zip(STAT_NAMES, map(mean_of_valid, parts), strict=True))

    def category_stats(self) -> dict[int, dict[str, float]]:
        """AP, AP at 0.50 and 0.75 and AR with 100 detections, by category id."""
        parts = {key: slice(k, k + 1) for k, key in enumerate(self.curves.category_ids)}
        return {
            key: _part_stats(self.curves, parts.get(key, slice(0)), 0, (0.5, 0.75))
            for key in self.truth.categories
        }

    def group_stats(self) -> dict[str, dict[str, float]]:
        """AP, AP at 0.50, AR and number of sequences of each group of ground truth, by name."""
        none = np.zeros(len(self.groups), int)
        counts = sum((match.num_truths for match in self.matches), none)
        return {
            group.name: {**_part_stats(self.curves, slice(None), a), "num_truths": int(counts[a])}
            for a, group in enumerate(self.groups)
        }

    def subset_stats(self, video_ids: Iterable[int]) -> dict[str, float]:
        """AP, AP at 0.50, AR and number of sequences on some of the videos."""
        chosen = set(video_ids)
        matches = [match.restricted([0]) for match in self.matches if match.video_id in chosen]
        curves = accumulate(matches, 1, MAX_DETECTIONS[-1:])
        count = sum(int(match.num_truths[0]) for match in matches)
        return {**_part_stats(curves, slice(None), 0), "num_truths": count}

    def video_stats(self) -> dict[int, dict[str, float]]:
        """AP, AP at 0.50, AR and number of sequences of each video alone, by id."""
        return {video_id: self.subset_stats([video_id]) for video_id in self.truth.videos}


def _part_stats(
    curves: PrecisionRecall, k: slice, a: int, ious: Sequence[float] = (0.5,)
) -> dict[str, float]:
    """Numbers of some categories and one group; -1 without ground truth."""
    precision = curves.precision[:, :, k, a, -1]
    at_iou = {iou: precision[np.isclose(IOU_THRESHOLDS, iou)] for iou in ious}
    return {
        "mAP": mean_of_valid(precision),
        **{f"mAP_{100 * iou:.0f}": mean_of_valid(part) for iou, part in at_iou.items()},
        "AR@100": mean_of_valid(curves.recall[:, k, a, -1]),
    }
