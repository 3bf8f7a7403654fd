"""The evaluator against the definition, written out plainly on dense masks."""

from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycocotools import mask as mask_utils

from mmttsrn.evaluation import evaluate_ytvis

HEIGHT, WIDTH = 3, 4
CATEGORIES = [2, 5]
AREAS = [(0, 1e10), (0, 128**2), (128**2, 256**2), (256**2, 1e10)]
LIMITS = [1, 10, 100]

# A frame is a number whose bits are pixels; few different ones, so that overlaps and ties abound.
frames = st.one_of(
    st.none(), st.sampled_from([0, 1, 3, 7, 15, 0xFFF, 0xFF0]), st.integers(0, 2**12 - 1)
)
scores = st.sampled_from([0.2, 0.5, 0.9])
# Areas of ground truth are the file's: they decide about the range.
file_areas = st.sampled_from([None, 0, 5, 128**2, 128**2 + 1, 256**2, 256**2 + 1])


@st.composite
def cases(draw: st.DrawFn) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    videos, annotations, results = [], [], []
    for video_id in draw(st.permutations([3, 1, 7])):
        length = draw(st.integers(1, 3))
        videos.append({"id": video_id, "height": HEIGHT, "width": WIDTH, "length": length})
        for _ in range(draw(st.integers(0, 3))):
            masks = draw(st.lists(frames, min_size=length, max_size=length))
            annotations.append(
                {
                    "id": draw(st.integers(0, 3)),
                    "video_id": video_id,
                    "category_id": draw(st.sampled_from(CATEGORIES)),
                    "iscrowd": int(draw(st.integers(0, 4)) == 0),
                    "segmentations": [encode(mask) for mask in masks],
                    "areas": [draw(file_areas) for _ in masks],
                }
            )
        for _ in range(draw(st.integers(0, 4))):
            masks = draw(st.lists(frames, min_size=length, max_size=length))
            results.append(
                {
                    "video_id": video_id,
                    "category_id": draw(st.sampled_from(CATEGORIES)),
                    "score": draw(scores),
                    "segmentations": [encode(mask) for mask in masks],
                }
            )
    categories = [{"id": i, "name": str(i)} for i in CATEGORIES]
    return {"videos": videos, "categories": categories, "annotations": annotations}, results


def encode(bits: int | None) -> dict[str, Any] | None:
    if bits is None:
        return None
    pixels = np.array([bits >> i & 1 for i in range(HEIGHT * WIDTH)], np.uint8)
    rle = mask_utils.encode(np.asfortranarray(pixels.reshape(HEIGHT, WIDTH)))
    return {"size": rle["size"], "counts": rle["counts"].decode()}


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(cases())
def test_arrays_are_those_of_the_definition(case: tuple[dict, list]) -> None:
    gt, results = case
    curves = evaluate_ytvis(gt, results, num_threads=1).curves.over(CATEGORIES)
    precision, recall = define(gt, results)
    np.testing.assert_allclose(curves.precision, precision, rtol=0, atol=1e-12)
    np.testing.assert_allclose(curves.recall, recall, rtol=0, atol=1e-12)


def define(gt: dict, results: list[dict]) -> tuple[np.ndarray, np.ndarray]:
    """Precision (10, 101, K, 4, 3) and recall (10, K, 4, 3) by the definition."""
    precision = np.full((10, 101, len(CATEGORIES), 4, 3), -1.0)
    recall = np.full((10, len(CATEGORIES), 4, 3), -1.0)
    for k, category in enumerate(CATEGORIES):
        for a, area in enumerate(AREAS):
            for m, limit in enumerate(LIMITS):
                for s, threshold in enumerate(np.linspace(0.5, 0.95, 10)):
                    outcomes, wanted = [], 0
                    for video in sorted(gt["videos"], key=lambda video: video["id"]):
                        found, number = outcomes_of_video(
                            of(gt["annotations"], video, category),
                            of(results, video, category), area, limit, threshold,
                        )  # fmt: skip
                        outcomes += found
                        wanted += number
                    if wanted:
                        curve, recall[s, k, a, m] = curve_of(outcomes, wanted)
                        precision[s, :, k, a, m] = curve
    return precision, recall


def of(entries: list[dict], video: dict, category: int) -> list[dict]:
    return [e for e in entries if e["video_id"] == video["id"] and e["category_id"] == category]


def outcomes_of_video(
    truths: list[dict], detections: list[dict], area: tuple, limit: int, threshold: float
) -> tuple[list[tuple[float, bool]], int]:
    """(score, right) of the detections that count, and how many objects are to be found."""
    ignored = [t["iscrowd"] == 1 or outside(t["areas"], area) for t in truths]
    taken: set[int] = set()
    outcomes = []
    ranked = sorted(detections, key=lambda detection: -detection["score"])[:limit]
    for detection in ranked:
        overlaps = [iou(detection, truth) for truth in truths]
        fitting = [
            j for j, value in enumerate(overlaps)
            if value >= min(threshold, 1 - 1e-10) and (j not in taken or truths[j]["iscrowd"])
        ]  # fmt: skip
        choice = [j for j in fitting if not ignored[j]] or fitting
        if choice:
            best = max(choice, key=lambda j: (overlaps[j], j))
            taken.add(best)
            if not ignored[best]:
                outcomes.append((detection["score"], True))
        elif not outside([pixels(mask).sum() for mask in detection["segmentations"]], area):
            outcomes.append((detection["score"], False))
    return outcomes, ignored.count(False)


def outside(areas: list, area: tuple) -> bool:
    visible = [value for value in areas if value]
    mean = sum(visible) / len(visible) if visible else 0
    return not area[0] <= mean <= area[1]


def pixels(segmentation: dict | None) -> np.ndarray:
    if segmentation is None:
        return np.zeros((HEIGHT, WIDTH), bool)
    return mask_utils.decode(segmentation).astype(bool)


def iou(a: dict, b: dict) -> float:
    pairs = [(pixels(x), pixels(y)) for x, y in zip(a["segmentations"], b["segmentations"], strict=True)]  # fmt: skip  # noqa: E501
    union = sum((x | y).sum() for x, y in pairs)
    return sum((x & y).sum() for x, y in pairs) / union if union else 0.0


def curve_of(outcomes: list[tuple[float, bool]], wanted: int) -> tuple[list[float], float]:
    """Highest precision at a recall of at least k * 0.01, and the recall of all detections."""
    points, right = [], 0
    for rank, (_, is_right) in enumerate(sorted(outcomes, key=lambda o: -o[0]), start=1):
        right += is_right
        points.append((right / wanted, right / rank))
    curve = [
        max((precision for recall, precision in points if recall >= level), default=0.0)
        for level in np.linspace(0, 1, 101)
    ]
    return curve, right / wanted
