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

STAT_NAMES = (
    "mAP",
    "mAP_50",
    "mAP_75",
    "mAP_s",
    "mAP_m",
    "mAP_l",
    "AR@1",
    "AR@10",
    "AR@100",
    "AR_s",
    "AR_m",
    "AR_l",
)


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
        names = iter(STAT_NAMES)
        precision, recall = self.curves.precision, self.curves.recall
        stats = {next(names): mean_of_valid(precision[..., 0, -1])}
        for threshold in (0.5, 0.75):
            chosen = np.isclose(IOU_THRESHOLDS, threshold)
            stats[next(names)] = mean_of_valid(precision[chosen, ..., 0, -1])
        for group in (1, 2, 3):
            stats[next(names)] = mean_of_valid(precision[..., group, -1])
        for limit in range(len(MAX_DETECTIONS)):
            stats[next(names)] = mean_of_valid(recall[..., 0, limit])
        for group in (1, 2, 3):
            stats[next(names)] = mean_of_valid(recall[..., group, -1])
        return stats

    def category_stats(self) -> dict[int, dict[str, float]]:
        """AP, AP at 0.50 and 0.75 and AR with 100 detections, by category id."""
        rows = {category_id: k for k, category_id in enumerate(self.curves.category_ids)}
        return {
            category_id: _category_stats(self.curves, rows.get(category_id))
            for category_id in self.truth.categories
        }

    def group_stats(self) -> dict[str, dict[str, float]]:
        """AP, AP at 0.50, AR and number of sequences of each group of ground truth, by name."""
        counts = self._truths_per_group(self.matches)
        return {
            group.name: {**_group_stats(self.curves, a), "num_truths": int(counts[a])}
            for a, group in enumerate(self.groups)
        }

    def subset_stats(self, video_ids: Iterable[int]) -> dict[str, float]:
        """AP, AP at 0.50, AR and number of sequences on some of the videos."""
        chosen = set(video_ids)
        matches = [match.restricted([0]) for match in self.matches if match.video_id in chosen]
        curves = accumulate(matches, 1, MAX_DETECTIONS[-1:])
        count = int(self._truths_per_group(matches)[0]) if matches else 0
        return {**_group_stats(curves, 0), "num_truths": count}

    def video_stats(self) -> dict[int, dict[str, float]]:
        """AP, AP at 0.50, AR and number of sequences of each video alone, by id."""
        by_video: dict[int, list[MatchResult]] = {}
        for match in self.matches:
            by_video.setdefault(match.video_id, []).append(match)
        none = {"mAP": -1.0, "mAP_50": -1.0, "AR@100": -1.0, "num_truths": 0}
        return {
            video_id: self.subset_stats([video_id]) if video_id in by_video else dict(none)
            for video_id in self.truth.videos
        }

    @staticmethod
    def _truths_per_group(matches: Sequence[MatchResult]) -> np.ndarray:
        return np.sum([match.num_truths for match in matches], axis=0)


def _category_stats(curves: PrecisionRecall, k: int | None) -> dict[str, float]:
    if k is None:  # without ground truth
        return {"mAP": -1.0, "mAP_50": -1.0, "mAP_75": -1.0, "AR@100": -1.0}
    precision = curves.precision[:, :, k, 0, -1]
    return {
        "mAP": mean_of_valid(precision),
        "mAP_50": mean_of_valid(precision[np.isclose(IOU_THRESHOLDS, 0.5)]),
        "mAP_75": mean_of_valid(precision[np.isclose(IOU_THRESHOLDS, 0.75)]),
        "AR@100": mean_of_valid(curves.recall[:, k, 0, -1]),
    }


def _group_stats(curves: PrecisionRecall, a: int) -> dict[str, float]:
    precision = curves.precision[..., a, -1]
    return {
        "mAP": mean_of_valid(precision),
        "mAP_50": mean_of_valid(precision[np.isclose(IOU_THRESHOLDS, 0.5)]),
        "AR@100": mean_of_valid(curves.recall[..., a, -1]),
    }
