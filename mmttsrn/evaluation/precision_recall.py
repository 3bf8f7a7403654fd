"""Precision and recall over all videos, as the official evaluator accumulates them."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from mmttsrn.evaluation.matching import MatchResult
from mmttsrn.formats.ground_truth import str_or_int

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALL_THRESHOLDS = np.linspace(0.0, 1.0, 101)
MAX_DETECTIONS = (1, 10, 100)


@dataclass(frozen=True, slots=True)
class PrecisionRecall:
    """Precision and recall; -1 where a category has nothing to be found.

    Letters: S IoU thresholds, R recall thresholds, K categories, A groups of ground truth, M limits
    of detections per video and category.

    Attributes:
        category_ids: The K categories.
        precision: (S, R, K, A, M) float64, highest precision at a recall of at least R.
        recall: (S, K, A, M) float64, recall of all detections.
        scores: (S, R, K, A, M) float64, score at which the recall is reached.
    """

    category_ids: tuple[int, ...]
    precision: np.ndarray
    recall: np.ndarray
    scores: np.ndarray

    def over(self, category_ids: Collection[int]) -> "PrecisionRecall":
        """Return the same for other categories; -1 where they are not among the K."""
        curves = _empty_curves(category_ids, *self.precision.shape[3:])
        rows = {category_id: k for k, category_id in enumerate(self.category_ids)}
        for k, category_id in enumerate(category_ids):
            if category_id in rows:
                row = rows[category_id]
                curves.precision[:, :, k] = self.precision[:, :, row]
                curves.recall[:, k] = self.recall[:, row]
                curves.scores[:, :, k] = self.scores[:, :, row]
        return curves


def _empty_curves(
    category_ids: Collection[int], num_groups: int, num_limits: int
) -> PrecisionRecall:
    shape = (len(category_ids), num_groups, num_limits)
    full = (len(IOU_THRESHOLDS), len(RECALL_THRESHOLDS), *shape)
    return PrecisionRecall(
        tuple(category_ids),
        np.full(full, -1.0),
        np.full((len(IOU_THRESHOLDS), *shape), -1.0),
        np.full(full, -1.0),
    )


def accumulate(
    matches: Sequence[MatchResult],
    num_groups: int,
    limits: Sequence[int] = MAX_DETECTIONS,
) -> PrecisionRecall:
    """Join the matches of all videos, category by category.

    Args:
        matches: Of all categories, in rising order of the video id, which breaks ties of scores.
            Only categories with something to be found take part: a file may list 50 thousand.
        num_groups: A.
        limits: M highest numbers of detections per video and category.
    """
    by_category: dict[int, list[MatchResult]] = defaultdict(list)
    for match in matches:
        by_category[match.category_id].append(match)
    present = {match.category_id for match in matches if match.num_truths.any()}
    curves = _empty_curves(sorted(present, key=str_or_int), num_groups, len(limits))
    for k, category_id in enumerate(curves.category_ids):
        for m, limit in enumerate(limits):
            _accumulate_category(by_category[category_id], limit, curves, k, m)
    return curves


def _accumulate_category(
    matches: list[MatchResult], limit: int, curves: PrecisionRecall, k: int, m: int
) -> None:
    num_truths = np.sum([match.num_truths for match in matches], axis=0)  # A
    if not np.any(num_truths):
        return
    scores = np.concatenate([match.scores[:limit] for match in matches])
    order = np.argsort(-scores, kind="stable")
    scores = scores[order]
    matched = np.concatenate([match.matched[..., :limit] for match in matches], axis=-1)[..., order]
    ignored = np.concatenate([match.ignored[..., :limit] for match in matches], axis=-1)[..., order]
    right = np.cumsum(matched & ~ignored, axis=-1).astype(float)  # A S D
    wrong = np.cumsum(~matched & ~ignored, axis=-1).astype(float)
    for a in np.flatnonzero(num_truths):
        recall = right[a] / num_truths[a]  # S D
        precision = right[a] / (wrong[a] + right[a] + np.spacing(1))
        precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        curves.recall[:, k, a, m] = recall[:, -1] if len(scores) else 0.0
        shape = (len(recall), len(RECALL_THRESHOLDS))
        at_recall, reaching = np.zeros(shape), np.zeros(shape)
        for s, row in enumerate(recall):
            reached = row.searchsorted(RECALL_THRESHOLDS, side="left")
            reached = reached[: reached.searchsorted(len(scores))]
            at_recall[s, : len(reached)] = precision[s, reached]
            reaching[s, : len(reached)] = scores[reached]
        curves.precision[:, :, k, a, m] = at_recall
        curves.scores[:, :, k, a, m] = reaching


def mean_of_valid(values: np.ndarray) -> float:
    """Mean of the entries that are not -1; -1 where there is none."""
    valid = values[values > -1]
    return float(valid.mean()) if len(valid) else -1.0
