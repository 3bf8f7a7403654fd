"""How good masks are, and whether scores rank them, against values by hand."""

import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as mask_utils

from mmttsrn.evaluation.analysis.mask_ranking import MaskRanking, rank_masks
from mmttsrn.formats.ground_truth import read_ground_truth
from mmttsrn.formats.results import read_results

HEIGHT, WIDTH = 4, 100


def bar(start: int, stop: int) -> dict:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[:, start:stop] = 1
    rle = mask_utils.encode(np.asfortranarray(mask))
    return {"size": rle["size"], "counts": rle["counts"].decode()}


def rank(folder: Path, true: list[dict], predicted: list[tuple[int, int, float]]) -> MaskRanking:
    """Rank predictions (start, stop, score) of class 2 in a video of one frame."""
    videos = [{"id": 1, "height": HEIGHT, "width": WIDTH, "length": 1}]
    categories = [{"id": 1, "name": "one"}, {"id": 2, "name": "two"}]
    content = {"videos": videos, "categories": categories, "annotations": true}
    results = [
        {"video_id": 1, "category_id": 2, "score": score, "segmentations": [bar(start, stop)]}
        for start, stop, score in predicted
    ]
    for name, value in {"gt": content, "results": results}.items():
        (folder / f"{name}.json").write_text(json.dumps(value))
    truth = read_ground_truth(folder / "gt.json")
    return rank_masks(truth, read_results(folder / "results.json", truth))


def instance(start: int, stop: int, **fields: int) -> dict:
    return {"video_id": 1, "category_id": 1, "segmentations": [bar(start, stop)], **fields}


def test_by_hand(tmp_path) -> None:
    true = [instance(0, 20), instance(40, 60)]
    # IoU 0.5, 0.25, 0 with the first, 1 with the second
    predicted = [(0, 10, 0.9), (15, 20, 0.3), (80, 90, 0.6), (40, 60, 0.7)]
    found = rank(tmp_path, true, predicted)
    assert (found.num_truths, found.num_predicted) == (2, 4)
    assert found.best_iou == pytest.approx((0.5 + 1) / 2)
    # Ranks 4, 1, 2, 3 and 3, 2, 1, 4
    assert found.rank_correlation == pytest.approx(1 - 6 * 4 / (4 * 15))


def test_nothing_to_rank(tmp_path) -> None:
    assert rank(tmp_path, [instance(0, 20)], []) == MaskRanking(0.0, None, 1, 0)
    assert rank(tmp_path, [instance(0, 20)], [(0, 20, 0.5)]) == MaskRanking(1.0, None, 1, 1)
    crowd = rank(tmp_path, [instance(0, 20, iscrowd=1)], [(0, 20, 0.5), (5, 20, 0.4)])
    assert crowd == MaskRanking(None, None, 0, 2)
