"""Spatio-temporal IoU of instance sequences.

The IoU of two sequences is the sum of their intersections over all frames by the sum of their
unions. In column-major order, frames set side by side are one wide image and their run lengths,
joined, are its run lengths, so that one C call gives the intersection of two sequences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pycocotools import mask as mask_utils

from .rle_library import load_rle_library
from .run_lengths import RunLengths

# The C functions count pixels in 32 bits: longer videos are taken in parts.
MAX_JOINED_PIXELS = 2**31 - 1


@dataclass(frozen=True, slots=True)
class TrackMasks:
    """Masks of one instance sequence, and what bounds its overlap with others.

    Attributes:
        runs: Run lengths of its T frames.
        areas: Foreground pixels of each frame, (T,) int64.
        begin: First column with foreground in each frame, (T,) int64.
        end: Column after the last one with foreground, (T,) int64; not above ``begin`` where the
            frame has none.
    """

    runs: RunLengths
    areas: np.ndarray
    begin: np.ndarray
    end: np.ndarray

    @classmethod
    def from_runs(cls, runs: RunLengths, height: int, width: int) -> TrackMasks:
        """Take the measures of run lengths of (height, width) frames."""
        first, stop = runs.extents(height * width)
        return cls(runs, runs.areas(), first // height, -(-stop // height))

    @property
    def mean_area(self) -> float:
        """Mean area over the frames with foreground, as the official evaluator takes it; else 0."""
        visible = self.areas[self.areas > 0]
        return float(visible.mean()) if len(visible) else 0.0


def track_ious(
    detections: Sequence[TrackMasks],
    truths: Sequence[TrackMasks],
    num_pixels: int,
    height: int,
    min_iou: float = 0.0,
) -> np.ndarray:
    """IoU of every detection with every ground-truth sequence of a video.

    Args:
        detections: D sequences.
        truths: G sequences of the same T frames.
        num_pixels: H * W of the frames.
        height: H of the frames.
        min_iou: Pairs that are surely below it, by their areas and columns, are given as 0.

    Returns:
        (D, G) float64; 0 where neither has foreground.
    """
    ious = np.zeros((len(detections), len(truths)))
    if ious.size == 0:
        return ious
    areas = np.array([track.areas.sum() for track in detections])[:, None] + np.array(
        [track.areas.sum() for track in truths]
    )
    most = _largest_intersections(detections, truths, height)
    # Multiplied out, so that a pair exactly at min_iou is not lost to rounding.
    wanted = (most > 0) & (most >= min_iou * (areas - most) * (1 - 1e-9))
    for index in np.flatnonzero(wanted.any(axis=0)).tolist():
        parts = _joined_parts(truths[index].runs, num_pixels)
        for row in np.flatnonzero(wanted[:, index]).tolist():
            shared = sum(
                _intersection(detections[row].runs, frames, joined, num_pixels)
                for frames, joined in parts
            )
            ious[row, index] = shared / (areas[row, index] - shared)
    return ious


def _largest_intersections(
    detections: Sequence[TrackMasks], truths: Sequence[TrackMasks], height: int
) -> np.ndarray:
    """Upper bound of the intersections, (D, G) int64, from areas and columns of each frame."""
    bounds = np.empty((len(detections), len(truths)), np.int64)
    areas = np.stack([track.areas for track in detections])  # D T
    begins = np.stack([track.begin for track in detections])
    ends = np.stack([track.end for track in detections])
    for index, truth in enumerate(truths):
        columns = np.minimum(ends, truth.end) - np.maximum(begins, truth.begin)
        pixels = np.minimum(np.minimum(areas, truth.areas), columns.clip(min=0) * height)
        bounds[:, index] = pixels.sum(axis=1)
    return bounds


def _joined_parts(runs: RunLengths, num_pixels: int) -> list[tuple[slice, np.ndarray]]:
    """Join the frames to as few wide images as can be counted in 32 bits.

    Returns:
        The frames of each wide image and its run lengths, (R,) uint32, none of them 0 but perhaps
        the first.
    """
    num_frames = len(runs.first_row) - 1
    length = max(1, MAX_JOINED_PIXELS // num_pixels)
    parts = []
    for start in range(0, num_frames, length):
        frames = slice(start, min(start + length, num_frames))
        pixels = num_pixels * (frames.stop - frames.start)
        parts.append((frames, _merge_runs(_part_of(runs, frames), pixels)))
    return parts


def _part_of(runs: RunLengths, frames: slice) -> np.ndarray:
    """Run lengths of a range of frames as one sequence, (R,) uint32."""
    return runs.rows[runs.first_row[frames.start] : runs.first_row[frames.stop]].ravel()


def _merge_runs(runs: np.ndarray, num_pixels: int) -> np.ndarray:
    """Put together the runs that meet in a run of length 0."""
    changes = np.cumsum(runs, dtype=np.int64)
    # Where two runs end at the same pixel, foreground and background change twice: not at all.
    first = np.flatnonzero(np.diff(changes, prepend=-1))
    times = np.diff(first, append=len(changes))
    changes = changes[first[times % 2 == 1]]
    if len(changes) and changes[-1] == num_pixels:
        changes = changes[:-1]
    return np.diff(changes, prepend=0, append=num_pixels).astype(np.uint32)


def _intersection(detection: RunLengths, frames: slice, truth: np.ndarray, num_pixels: int) -> int:
    """Pixels shared in a range of frames by a detection and joined ground truth."""
    runs = _part_of(detection, frames)
    library = load_rle_library()
    if library is not None:
        return library.intersection(runs, truth)
    size = [num_pixels, frames.stop - frames.start]
    merged = _merge_runs(runs, size[0] * size[1])
    rles = [
        mask_utils.frPyObjects({"size": size, "counts": counts}, *size)
        for counts in (merged, truth)
    ]
    return int(mask_utils.area(mask_utils.merge(rles, intersect=True)))
