"""Overlaps of sequences: all intersections by all unions of their frames."""

import numpy as np

from mmttsrn.formats.intervals import MaskIntervals, intersections


def sequence_ious(
    masks: MaskIntervals, predicted: np.ndarray, true: np.ndarray, min_iou: float
) -> np.ndarray:
    """IoU of predicted with true sequences of a video.

    Args:
        masks: N sequences of T frames.
        predicted: (D,) int64, which of them are predicted.
        true: (G,) int64, which of them are annotated.
        min_iou: Pairs that are surely below it by their areas are given as 0.

    Returns:
        (D, G) float64; 0 where neither has foreground.
    """
    ious = np.zeros((len(predicted), len(true)))
    if ious.size == 0:
        return ious
    ours, theirs = masks.areas[predicted], masks.areas[true]  # D T, G T
    both = ours.sum(axis=1)[:, None] + theirs.sum(axis=1)  # D G
    most = np.stack([np.minimum(ours, areas).sum(axis=1) for areas in theirs], axis=1)
    # With room for rounding, so that no pair exactly at min_iou is lost.
    i, j = np.nonzero((most > 0) & (most >= (min_iou - 1e-9) * (both - most)))
    shared = intersections(masks, np.stack([predicted[i], true[j]], axis=1)).sum(axis=1)
    ious[i, j] = shared / (both[i, j] - shared)
    return ious
