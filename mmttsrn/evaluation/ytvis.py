"""Evaluation of video instance segmentation by the YouTube-VIS definition."""

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmttsrn.evaluation.boundary import boundary_counts
from mmttsrn.evaluation.class_agnostic import merge_classes, merge_result_classes
from mmttsrn.evaluation.matching import MatchResult, match_category
from mmttsrn.evaluation.overlaps import sequence_ious
from mmttsrn.evaluation.precision_recall import IOU_THRESHOLDS, MAX_DETECTIONS, accumulate
from mmttsrn.evaluation.result import Evaluation
from mmttsrn.evaluation.truth_groups import AREA_GROUPS, TruthGroup, occlusion_groups
from mmttsrn.formats.ground_truth import (
    GroundTruth,
    TrueSequence,
    Video,
    decode_masks,
    read_ground_truth,
    str_or_int,
)
from mmttsrn.formats.intervals import MaskIntervals, decode_intervals
from mmttsrn.formats.results import PredictedSequence, Results, read_results

IOU_TYPES = ("mask", "boundary")
Progress = Callable[[int, int], None]


def evaluate_ytvis(
    gt: str | os.PathLike | dict[str, Any],
    results: str | os.PathLike | list[dict[str, Any]],
    iou_type: str = "mask",
    num_threads: int | None = None,
    progress: Progress | None = None,
    class_agnostic: bool = False,
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
        class_agnostic: Whether all classes of both are taken as one, as by ``useCats=0`` of COCO;
            its id is the lowest one of the file's categories.

    Raises:
        UserInputError: An input is broken; the message names file, entry and field.
    """
    truth = read_ground_truth(gt)
    found = read_results(results, truth)
    if class_agnostic:
        truth, found = merge_classes(truth), merge_result_classes(found, truth)
    return evaluate(truth, found, iou_type, num_threads, progress)


def evaluate(
    truth: GroundTruth,
    results: Results,
    iou_type: str = "mask",
    num_threads: int | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Evaluate results that have been read; see :func:`evaluate_ytvis`."""
    if iou_type not in IOU_TYPES:
        raise ValueError(f"iou_type is {iou_type!r}, expected one of {', '.join(IOU_TYPES)}")
    truth = truth.in_order()
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
    curves = accumulate(matches, len(groups))
    return Evaluation(truth, groups, matches, curves)


def ground_truth_groups(truth: GroundTruth) -> tuple[TruthGroup, ...]:
    """Return the groups that a file's ground truth is evaluated in."""
    sequences = (sequence for video in truth.videos.values() for sequence in video.sequences)
    return AREA_GROUPS + occlusion_groups(sequences)


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class PreparedCategory:
    """Sequences of one category in one video, and where their masks are.

    Attributes:
        predicted: D predicted sequences by falling score.
        true: G true sequences.
        predicted_rows: (D,) int64, their rows in the masks of the video.
        true_rows: (G,) int64.
    """

    predicted: list[PredictedSequence]
    true: list[TrueSequence]
    predicted_rows: np.ndarray
    true_rows: np.ndarray


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

    def ious(self, category: PreparedCategory) -> np.ndarray:
        """IoU of the sequences of a category, (D, G); 0 for pairs surely below all thresholds."""
        rows = (category.predicted_rows, category.true_rows)
        variants = [sequence_ious(masks, *rows, IOU_THRESHOLDS[0]) for masks in self.masks]
        return np.min(variants, axis=0)


def best_sequences(predicted: Sequence[PredictedSequence]) -> list[PredictedSequence]:
    """Return those that take part, as many of a category as the highest limit, by falling score."""
    seen: Counter = Counter()
    best = []
    for guess in sorted(predicted, key=lambda guess: -guess.score):
        seen[guess.category_id] += 1
        if seen[guess.category_id] <= MAX_DETECTIONS[-1]:
            best.append(guess)
    return best


def prepare_video(
    video: Video, predicted: list[PredictedSequence], iou_type: str = "mask"
) -> PreparedVideo:
    """Decode the masks of a video.

    Args:
        video: The video with its ground truth.
        predicted: Its predicted sequences in the order of the file.
        iou_type: ``"mask"`` or ``"boundary"``.

    Raises:
        UserInputError: A mask is broken.
    """
    found: dict[int, list[PredictedSequence]] = defaultdict(list)
    for guess in best_sequences(predicted):
        found[guess.category_id].append(guess)
    annotated: dict[int, list[TrueSequence]] = defaultdict(list)
    for sequence in video.sequences:
        annotated[sequence.category_id].append(sequence)
    sequences: list[PredictedSequence | TrueSequence] = []
    categories = {}
    for category_id in sorted({*found, *annotated}, key=str_or_int):
        best, true = found[category_id], annotated[category_id]
        rows = np.arange(len(sequences), len(sequences) + len(best) + len(true))
        categories[category_id] = PreparedCategory(best, true, *np.split(rows, [len(best)]))
        sequences += [*best, *true]
    masks = [decode_masks(video, sequences)]
    if iou_type == "boundary":
        size = (video.height, video.width)
        regions = [boundary_counts(sequence.counts, *size) for sequence in sequences]
        masks.append(decode_intervals(regions, video.length, video.height * video.width))
    return PreparedVideo(video, categories, masks)


def match_video(
    prepared: PreparedVideo, groups: tuple[TruthGroup, ...] = AREA_GROUPS
) -> list[MatchResult]:
    """Match the sequences of a video, category by category, in A groups of ground truth."""
    areas = prepared.masks[0].areas  # N T
    areas = areas.sum(axis=1) / np.maximum(np.count_nonzero(areas, axis=1), 1)  # N, where visible
    low, high = np.array([group.area for group in groups]).T[..., None]  # A 1
    outside = (areas < low) | (areas > high)  # A N
    return [
        match_category(
            prepared.video.id,
            category_id,
            np.array([sequence.score for sequence in category.predicted], np.float64),
            prepared.ious(category),
            np.array([sequence.is_crowd for sequence in category.true], bool),
            ~np.array([[group.holds(one) for one in category.true] for group in groups], bool),
            outside[:, category.predicted_rows],
            IOU_THRESHOLDS,
        )
        for category_id, category in prepared.categories.items()
    ]
