"""Evaluation of video instance segmentation by the YouTube-VIS definition."""

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
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
from mmttsrn.formats.intervals import decode_intervals
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
    all_true = (sequence for video in truth.videos.values() for sequence in video.sequences)
    groups = AREA_GROUPS + occlusion_groups(all_true)

    def match(video: Video) -> list[MatchResult]:
        return match_video(video, results.get(video.id, []), groups, iou_type)

    matches: list[MatchResult] = []
    with ThreadPoolExecutor(num_threads or available_cores()) as pool:
        for done, found in enumerate(pool.map(match, truth.videos.values()), start=1):
            matches += found
            if progress is not None:
                progress(done, len(truth.videos))
    curves = accumulate(matches, len(groups))
    return Evaluation(truth, groups, matches, curves)


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def best_sequences(predicted: Sequence[PredictedSequence]) -> list[PredictedSequence]:
    """Return those that take part, as many of a category as the highest limit, by falling score."""
    seen: Counter = Counter()
    best = []
    for guess in sorted(predicted, key=lambda guess: -guess.score):
        seen[guess.category_id] += 1
        if seen[guess.category_id] <= MAX_DETECTIONS[-1]:
            best.append(guess)
    return best


def match_video(
    video: Video,
    predicted: list[PredictedSequence],
    groups: tuple[TruthGroup, ...] = AREA_GROUPS,
    iou_type: str = "mask",
) -> list[MatchResult]:
    """Match the sequences of a video, category by category, in A groups of ground truth.

    Args:
        video: The video with its ground truth.
        predicted: Its predicted sequences in the order of the file.
        groups: The A groups.
        iou_type: ``"mask"`` or ``"boundary"``.

    Raises:
        UserInputError: A mask is broken.
    """
    by_category: dict[int, tuple[list[PredictedSequence], list[TrueSequence]]]
    by_category = defaultdict(lambda: ([], []))
    for guess in best_sequences(predicted):
        by_category[guess.category_id][0].append(guess)
    for sequence in video.sequences:
        by_category[sequence.category_id][1].append(sequence)
    categories = sorted(by_category.items(), key=lambda item: str_or_int(item[0]))
    sequences = [one for _, (best, true) in categories for one in (*best, *true)]  # N
    masks = [decode_masks(video, sequences)]  # in one variant per IoU; the smallest one counts
    if iou_type == "boundary":
        regions = [boundary_counts(sequence.counts, *video.size) for sequence in sequences]
        masks.append(decode_intervals(regions, video.length, video.height * video.width))
    areas = masks[0].areas  # N T
    areas = areas.sum(axis=1) / np.maximum(np.count_nonzero(areas, axis=1), 1)  # N, where visible
    low, high = np.array([group.area for group in groups]).T[..., None]  # A 1
    outside = (areas < low) | (areas > high)  # A N
    matches, start = [], 0
    for category_id, (best, true) in categories:
        rows = np.arange(start, start + len(best) + len(true))
        start += len(rows)
        ours, theirs = np.split(rows, [len(best)])
        ious = [sequence_ious(variant, ours, theirs, IOU_THRESHOLDS[0]) for variant in masks]
        matches.append(
            match_category(
                video.id,
                category_id,
                np.array([sequence.score for sequence in best], np.float64),
                np.min(ious, axis=0),
                np.array([sequence.is_crowd for sequence in true], bool),
                ~np.array([[group.holds(one) for one in true] for group in groups], bool),
                outside[:, ours],
                IOU_THRESHOLDS,
            )
        )
    return matches
