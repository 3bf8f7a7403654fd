"""Evaluation of video instance segmentation by the YouTube-VIS definition."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import UserInputError
from .boundary import boundary_counts
from .evaluation import Evaluation
from .ground_truth_file import load_ground_truth, str_or_int
from .intervals import MaskIntervals, RunLengthError, decode_intervals
from .matching import MatchResult, match_category
from .precision_recall import IOU_THRESHOLDS, MAX_DETECTIONS, accumulate
from .results_file import load_results
from .track_iou import mean_areas, track_ious
from .tracks import Detection, GroundTruth, Results, TruthTrack, Video
from .truth_groups import AREA_GROUPS, TruthGroup, occlusion_groups

IOU_TYPES = ("mask", "boundary")
Progress = Callable[[int, int], None]


def evaluate_ytvis(
    gt: str | os.PathLike | dict[str, Any],
    results: str | os.PathLike | list[dict[str, Any]],
    iou_type: str = "mask",
    num_threads: int | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Evaluate results against ground truth with the numbers of the official YouTube-VIS program.

    Args:
        gt: Ground truth in YouTube-VIS format, a file or its content (``videos``, ``categories``,
            ``annotations``). Masks as polygons, compressed or uncompressed RLE. Missing ``areas``
            are taken from the masks, a missing ``iscrowd`` is 0, and ``id`` of annotations is not
            used. The content is not changed.
        results: Results in the official format, a file or its content: a list of
            ``{video_id, category_id, score, segmentations}`` with an RLE or null per frame; it may
            be empty. The content is not changed.
        iou_type: ``"mask"``, or ``"boundary"``: the smaller one of the IoU of the masks and of
            their boundary regions.
        num_threads: How many threads compare masks; one per core by default.
        progress: Called with the number of videos done and of all.

    Raises:
        UserInputError: An input is broken; the message names file, entry and field.
    """
    truth = load_ground_truth(gt)
    return evaluate(truth, load_results(results, truth), iou_type, num_threads, progress)


def evaluate(
    truth: GroundTruth,
    results: Results,
    iou_type: str = "mask",
    num_threads: int | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Evaluate loaded results; see :func:`evaluate_ytvis`."""
    if iou_type not in IOU_TYPES:
        raise ValueError(f"iou_type is {iou_type!r}, expected one of {', '.join(IOU_TYPES)}")
    groups = ground_truth_groups(truth)

    def match(video: Video) -> list[MatchResult]:
        prepared = prepare_video(video, results.get(video.id, []), iou_type)
        return match_video(prepared, groups)

    matches: list[MatchResult] = []
    with ThreadPoolExecutor(num_threads or available_cores()) as pool:
        for done, found in enumerate(pool.map(match, truth.videos.values()), start=1):
            matches += found
            if progress is not None:
                progress(done, len(truth.videos))
    curves = accumulate(matches, list(truth.categories), len(groups))
    return Evaluation(truth, groups, matches, curves)


def ground_truth_groups(truth: GroundTruth) -> tuple[TruthGroup, ...]:
    """The groups that a file's ground truth is evaluated in."""
    tracks = [track for video in truth.videos.values() for track in video.truths]
    return AREA_GROUPS + occlusion_groups(tracks)


def available_cores() -> int:
    """Number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class PreparedCategory:
    """Sequences of one category in one video, and where their masks are.

    Attributes:
        detections: D detections by falling score.
        truths: G ground-truth sequences.
        detection_rows: (D,) int64, sequences of the masks of the video.
        truth_rows: (G,) int64.
    """

    detections: list[Detection]
    truths: list[TruthTrack]
    detection_rows: np.ndarray
    truth_rows: np.ndarray


@dataclass(frozen=True, slots=True)
class PreparedVideo:
    """A video whose masks are decoded.

    Attributes:
        video: The video.
        categories: Its sequences by category id.
        masks: The masks of all of them, in one variant per IoU, of which the smallest counts.
    """

    video: Video
    categories: dict[int, PreparedCategory]
    masks: list[MaskIntervals]

    def ious(self, category: PreparedCategory, min_iou: float = 0.0) -> np.ndarray:
        """IoU of the sequences of a category, (D, G); pairs surely below ``min_iou`` may be 0."""
        detections, truths = category.detection_rows, category.truth_rows
        if len(detections) == 0 or len(truths) == 0:
            return np.zeros((len(detections), len(truths)))
        variants = [track_ious(masks, detections, truths, min_iou) for masks in self.masks]
        return np.min(variants, axis=0)


def prepare_video(
    video: Video, detections: list[Detection], iou_type: str = "mask"
) -> PreparedVideo:
    """Decode the masks of a video.

    Args:
        video: The video with its ground truth.
        detections: Its detections in the order of the file. Only the best of each category take
            part, as many as the highest limit.
        iou_type: ``"mask"`` or ``"boundary"``.

    Raises:
        UserInputError: A mask is broken.
    """
    found: dict[int, list[Detection]] = {}
    for detection in detections:
        found.setdefault(detection.category_id, []).append(detection)
    annotated: dict[int, list[TruthTrack]] = {}
    for track in video.truths:
        annotated.setdefault(track.category_id, []).append(track)
    tracks: list[Detection | TruthTrack] = []
    categories = {}
    for category_id in sorted({*found, *annotated}, key=str_or_int):
        best = sorted(found.get(category_id, []), key=lambda detection: -detection.score)
        best = best[: MAX_DETECTIONS[-1]]
        truths = annotated.get(category_id, [])
        rows = np.arange(len(tracks), len(tracks) + len(best) + len(truths))
        categories[category_id] = PreparedCategory(best, truths, *np.split(rows, [len(best)]))
        tracks += [*best, *truths]
    masks = [decode_tracks(video, tracks)]
    if iou_type == "boundary":
        masks.append(_decode_boundaries(video, tracks))
    return PreparedVideo(video, categories, masks)


def decode_tracks(video: Video, tracks: Sequence[Detection | TruthTrack]) -> MaskIntervals:
    """Decode the masks of sequences.

    Raises:
        UserInputError: One of them is not valid.
    """
    counts = [track.counts for track in tracks]
    try:
        return decode_intervals(counts, video.length, video.height * video.width)
    except RunLengthError as error:
        raise UserInputError(
            f"{tracks[error.sequence].source}segmentations[{error.frame}]: {error.problem};"
            " correct the mask"
        ) from error


def _decode_boundaries(video: Video, tracks: Sequence[Detection | TruthTrack]) -> MaskIntervals:
    size = (video.height, video.width)
    regions = [boundary_counts(track.counts, *size) for track in tracks]
    return decode_intervals(regions, video.length, video.height * video.width)


def match_video(
    prepared: PreparedVideo, groups: tuple[TruthGroup, ...] = AREA_GROUPS
) -> list[MatchResult]:
    """Match the detections of a video, category by category.

    Args:
        prepared: The video.
        groups: A groups of ground truth.
    """
    areas = mean_areas(prepared.masks[0].areas)  # N
    low, high = np.array([group.area for group in groups]).T[..., None]  # A 1
    outside = (areas < low) | (areas > high)  # A N
    return [
        match_category(
            prepared.video.id,
            category_id,
            np.array([detection.score for detection in category.detections], np.float64),
            prepared.ious(category, min_iou=float(IOU_THRESHOLDS[0])),
            np.array([track.is_crowd for track in category.truths], bool),
            _ignored(category.truths, groups),
            outside[:, category.detection_rows],
            IOU_THRESHOLDS,
        )
        for category_id, category in prepared.categories.items()
    ]


def _ignored(truths: list[TruthTrack], groups: tuple[TruthGroup, ...]) -> np.ndarray:
    """Which sequences do not count in each group, (A, G) bool."""
    ignored = [not group.holds(track) for group in groups for track in truths]
    return np.array(ignored, bool).reshape(len(groups), len(truths))
