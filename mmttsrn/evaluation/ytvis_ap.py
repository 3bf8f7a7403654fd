"""Average precision of instance sequences, by the YouTube-VIS definition."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
from mmdet.evaluation.functional import YTVIS, YTVISeval
from pycocotools import mask as mask_utils

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


def evaluate_ytvis(gt: dict[str, Any], results: list[dict]) -> dict[str, Any]:
    """Evaluates results against ground truth exactly as the official YouTube-VIS program does.

    Args:
        gt: Ground truth in YouTube-VIS format (``videos``, ``categories``, ``annotations``);
            masks as polygons, compressed or uncompressed RLE. Missing ``areas`` are taken from
            the masks, a missing ``iscrowd`` is 0, and ``id`` of annotations is not used.
        results: List of ``{video_id, category_id, score, segmentations}`` with compressed RLE or
            null per frame; may be empty. Neither argument is changed.

    Returns:
        ``stats``: the twelve official numbers by name (``STAT_NAMES``), and ``category_ap``: AP by
        category id. Both are -1 where there is no ground truth of that kind.
    """
    with contextlib.redirect_stdout(io.StringIO()):  # the official code prints its progress
        truth = YTVIS(_prepare_ground_truth(gt))
        evaluator = YTVISeval(truth, _load_results(truth, results), "segm")
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    precision = evaluator.eval["precision"][..., 0, -1]  # thresholds * recalls * categories
    category_ap = {
        int(category_id): _mean_of_valid(precision[..., index])
        for index, category_id in enumerate(evaluator.params.catIds)
    }
    stats = dict(zip(STAT_NAMES, map(float, evaluator.stats), strict=True))
    return {"stats": stats, "category_ap": category_ap}


def _prepare_ground_truth(gt: dict[str, Any]) -> dict[str, Any]:
    """A copy with ids from 1 (the evaluator takes 0 for "unmatched" and merges equal ids)."""
    sizes = {video["id"]: (video["height"], video["width"]) for video in gt["videos"]}
    annotations = []
    for new_id, annotation in enumerate(gt["annotations"], start=1):
        segmentations = list(annotation["segmentations"])
        areas = annotation.get("areas")
        if areas is None:
            size = sizes[annotation["video_id"]]
            areas = [mask_area(segmentation, *size) for segmentation in segmentations]
        annotations.append(
            {
                "id": new_id,
                "video_id": annotation["video_id"],
                "category_id": annotation["category_id"],
                "iscrowd": annotation.get("iscrowd", 0),
                "segmentations": segmentations,
                "areas": areas,
            }
        )
    return {"videos": gt["videos"], "categories": gt["categories"], "annotations": annotations}


def mask_area(segmentation: Any, height: int, width: int) -> int | None:
    """Pixels of a polygon, compressed or uncompressed RLE mask; None for an absent one."""
    if not segmentation:
        return None
    if isinstance(segmentation, list):
        rle = mask_utils.merge(mask_utils.frPyObjects(segmentation, height, width))
    elif isinstance(segmentation["counts"], list):
        rle = mask_utils.frPyObjects(segmentation, height, width)
    else:
        rle = segmentation
    return int(mask_utils.area(rle))


def _load_results(truth: YTVIS, results: list[dict]) -> YTVIS:
    if results:
        return truth.loadRes(
            [dict(result, segmentations=list(result["segmentations"])) for result in results]
        )
    empty = YTVIS()  # ``loadRes`` cannot read an empty list
    empty.dataset = dict(truth.dataset, annotations=[])
    empty.createIndex()
    return empty


def _mean_of_valid(precision: np.ndarray) -> float:
    valid = precision[precision > -1]
    return float(valid.mean()) if len(valid) else -1.0
