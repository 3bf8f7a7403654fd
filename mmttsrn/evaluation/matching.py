"""Assignment of predicted to true sequences in one video, as the official evaluator makes it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, slots=True)
class MatchResult:
    """Predicted and true sequences of one category in one video.

    Letters: D predicted sequences by falling score, G true sequences, A groups of ground truth
    (ranges of area, levels of occlusion), S IoU thresholds.

    Attributes:
        video_id: The video.
        category_id: The category.
        scores: (D,) float64.
        matched: (A, S, D) bool, whether a predicted sequence has found a true one.
        ignored: (A, S, D) bool, whether it counts neither as right nor as wrong.
        num_truths: (A,) int64, sequences to be found.
    """

    video_id: int
    category_id: int
    scores: np.ndarray
    matched: np.ndarray
    ignored: np.ndarray
    num_truths: np.ndarray

    def restricted(self, groups: Sequence[int]) -> "MatchResult":
        """Return the same with some of the groups only."""
        chosen = list(groups)
        return replace(
            self,
            matched=self.matched[chosen],
            ignored=self.ignored[chosen],
            num_truths=self.num_truths[chosen],
        )


def match_sequences(
    ious: np.ndarray, crowd: np.ndarray, truth_ignored: np.ndarray, thresholds: np.ndarray
) -> np.ndarray:
    """Give each predicted sequence, by falling score, the free true one that it overlaps best.

    A true sequence that counts is preferred to an ignored one, and the later of two with equal IoU.
    A crowd sequence stays free.

    Args:
        ious: (D, G) float64, predicted sequences by falling score.
        crowd: (G,) bool.
        truth_ignored: (A, G) bool, sequences that do not count in a group; crowd among them.
        thresholds: (S,) float64 of the IoU.

    Returns:
        (A, S, D) int64, index of the true sequence, -1 for none.
    """
    num_groups, num_truths = truth_ignored.shape
    num_thresholds = len(thresholds)
    least = np.minimum(thresholds, 1 - 1e-10)
    chosen = np.full((num_groups, num_thresholds, len(ious)), -1)
    if num_truths == 0:
        return chosen
    free = np.ones((num_groups, num_thresholds, num_truths), bool)
    for index, row in enumerate(ious):
        fitting = np.flatnonzero(row >= least.min())
        if len(fitting) == 1:  # the usual case
            [best] = fitting
            found = free[..., best] & (row[best] >= least)  # A S
        elif len(fitting):
            usable = free & (row >= least[:, None])  # A S G
            preferred = usable & ~truth_ignored[:, None]
            usable = np.where(preferred.any(axis=-1, keepdims=True), preferred, usable)
            overlaps = np.where(usable, row, -1.0)[..., ::-1]
            best = num_truths - 1 - overlaps.argmax(axis=-1)  # A S
            found = usable.any(axis=-1)
        else:
            continue
        chosen[..., index] = np.where(found, best, -1)
        group, threshold = np.nonzero(found & ~crowd[best])
        free[group, threshold, np.broadcast_to(best, found.shape)[group, threshold]] = False
    return chosen


def match_category(
    video_id: int,
    category_id: int,
    scores: np.ndarray,
    ious: np.ndarray,
    crowd: np.ndarray,
    truth_ignored: np.ndarray,
    predicted_outside: np.ndarray,
    thresholds: np.ndarray,
) -> MatchResult:
    """Match the sequences of one category in one video; see :func:`match_sequences`.

    ``scores`` (D,) fall; sequences ``predicted_outside`` of a group (A, D) are ignored there when
    they find nothing.
    """
    chosen = match_sequences(ious, crowd, truth_ignored, thresholds)
    matched = chosen >= 0
    ignored = np.repeat(predicted_outside[:, None], len(thresholds), axis=1)
    group, threshold, index = np.nonzero(matched)
    ignored[group, threshold, index] = truth_ignored[group, chosen[matched]]
    num_truths = (~truth_ignored).sum(axis=1)
    return MatchResult(video_id, category_id, scores, matched, ignored, num_truths)
