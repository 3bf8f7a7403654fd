"""Spatio-temporal IoU of instance sequences: all intersections by all unions of their frames."""

from __future__ import annotations

import numpy as np

from .intervals import MaskIntervals, intersections


def track_ious(
    masks: MaskIntervals, detections: np.ndarray, truths: np.ndarray, min_iou: float = 0.0
) -> np.ndarray:
    """IoU of detections with ground-truth sequences of a video.

    Args:
        masks: N sequences of T frames.
        detections: (D,) int64, which of them are the detections.
        truths: (G,) int64, which of them are ground truth.
        min_iou: Pairs that are surely below it by their areas are given as 0.

    Returns:
        (D, G) float64; 0 where neither has foreground.
    """
    ious = np.zeros((len(detections), len(truths)))
    if ious.size == 0:
        return ious
    ours, theirs = masks.areas[detections], masks.areas[truths]  # D T, G T
    both = ours.sum(axis=1)[:, None] + theirs.sum(axis=1)  # D G
    most = np.stack([np.minimum(ours, areas).sum(axis=1) for areas in theirs], axis=1)
    # With room for rounding, so that no pair exactly at min_iou is lost.
    i, j = np.nonzero((most > 0) & (most >= (min_iou - 1e-9) * (both - most)))
    shared = intersections(masks, np.stack([detections[i], truths[j]], axis=1)).sum(axis=1)
    ious[i, j] = shared / (both[i, j] - shared)
    return ious


def mean_areas(areas: np.ndarray) -> np.ndarray:
    """Mean area over the frames with foreground, as the official evaluator takes it; else 0.

    Args:
        areas: (N, T) int64.

    Returns:
        (N,) float64.
    """
    return areas.sum(axis=1) / np.maximum(np.count_nonzero(areas, axis=1), 1)
