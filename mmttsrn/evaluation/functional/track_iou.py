"""Spatio-temporal IoU of instance sequences: all intersections by all unions of their frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .intervals import MaskIntervals, intersections


def track_ious(
    detections: Sequence[MaskIntervals], truths: Sequence[MaskIntervals], min_iou: float = 0.0
) -> np.ndarray:
    """IoU of every detection with every ground-truth sequence of a video.

    Args:
        detections: D sequences.
        truths: G sequences of the same T frames.
        min_iou: Pairs that are surely below it by their areas are given as 0.

    Returns:
        (D, G) float64; 0 where neither has foreground.
    """
    ious = np.zeros((len(detections), len(truths)))
    if ious.size == 0:
        return ious
    areas = np.stack([track.areas for track in detections])  # D T
    totals = areas.sum(axis=1)
    for j, truth in enumerate(truths):
        both = totals + truth.areas.sum()  # D
        most = np.minimum(areas, truth.areas).sum(axis=1)
        # With room for rounding, so that no pair exactly at min_iou is lost.
        wanted = (most > 0) & (most >= (min_iou - 1e-9) * (both - most))
        for i in np.flatnonzero(wanted).tolist():
            shared = int(intersections(detections[i], truth).sum())
            ious[i, j] = shared / int(both[i] - shared)
    return ious


def mean_area(areas: np.ndarray) -> float:
    """Mean area of the frames with foreground, as the official evaluator takes it; else 0."""
    visible = areas[areas > 0]
    return float(visible.mean()) if len(visible) else 0.0
