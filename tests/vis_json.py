"""Small ground truth and results in the official YouTube-VIS format."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from pycocotools import mask as mask_utils

HEIGHT, WIDTH = 20, 60


def square(x: int, side: int = 10) -> dict[str, Any]:
    """Compressed RLE of a square whose left side is at x."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8, order="F")
    mask[4 : 4 + side, x : x + side] = 1
    encoded = mask_utils.encode(mask)
    return {"size": encoded["size"], "counts": encoded["counts"].decode()}


def ground_truth(lengths: Sequence[int] = (3, 20, 70)) -> dict[str, Any]:
    """Videos 1, 2, ... with one object each, a cat in the first and a dog in the others.

    Objects are absent in the last frame. No video has a fish.
    """
    videos = [
        {"id": index, "height": HEIGHT, "width": WIDTH, "length": length}
        for index, length in enumerate(lengths, start=1)
    ]
    return {
        "videos": videos,
        "categories": [
            {"id": 3, "name": "cat"},
            {"id": 7, "name": "dog"},
            {"id": 9, "name": "fish"},
        ],
        "annotations": [
            {
                "id": video["id"],
                "video_id": video["id"],
                "category_id": 3 if video["id"] == 1 else 7,
                "segmentations": [square(frame % 40) for frame in range(video["length"] - 1)]
                + [None],
                "iscrowd": 0,
            }
            for video in videos
        ],
    }


def perfect_results(truth: dict[str, Any], score: float = 0.5) -> list[dict[str, Any]]:
    """Results that repeat the ground truth."""
    return [
        {
            "video_id": annotation["video_id"],
            "category_id": annotation["category_id"],
            "score": score,
            "segmentations": list(annotation["segmentations"]),
        }
        for annotation in truth["annotations"]
    ]
