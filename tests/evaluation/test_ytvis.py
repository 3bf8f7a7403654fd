import contextlib
import copy
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmdet.evaluation.functional import YTVIS, YTVISeval
from pycocotools import mask as mask_utils

from mmttsrn.evaluation import Evaluation, evaluate_ytvis
from mmttsrn.evaluation.result import STAT_NAMES

DATA = Path(__file__).parents[1] / "data/vis_eval"
OFFICIAL = Path(__file__).resolve().parents[2] / ".." / "shared/fixtures/vis_eval"


def read(folder: Path, name: str) -> Any:
    return json.loads((folder / f"{name}.json").read_text())


def rle(mask: np.ndarray) -> dict:
    encoded = mask_utils.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": encoded["size"], "counts": encoded["counts"].decode()}


def square(x: int, size: int = 10) -> dict:
    mask = np.zeros((20, 60), bool)
    mask[4 : 4 + size, x : x + size] = True
    return rle(mask)


@pytest.fixture
def ground_truth() -> dict:
    """Two videos with one object each; ids repeat and start at 0."""
    tracks = {1: [square(0), square(5), None], 2: [square(20), None, square(30)]}
    return {
        "videos": [{"id": i, "height": 20, "width": 60, "length": 3} for i in (1, 2)],
        "categories": [{"id": 3, "name": "a"}, {"id": 8, "name": "b"}],
        "annotations": [
            {
                "id": 0,
                "video_id": video_id,
                "category_id": 3,
                "segmentations": track,
                "areas": [100 if segmentation else None for segmentation in track],
                "iscrowd": 0,
            }
            for video_id, track in tracks.items()
        ],
    }


def perfect(ground_truth: dict, score: float = 0.9) -> list[dict]:
    return [
        {
            "video_id": annotation["video_id"],
            "category_id": annotation["category_id"],
            "score": score,
            "segmentations": list(annotation["segmentations"]),
        }
        for annotation in ground_truth["annotations"]
    ]


def category_ap(evaluation: Evaluation) -> dict[int, float]:
    return {key: values["mAP"] for key, values in evaluation.category_stats().items()}


def test_awkward_cases_match_the_official_evaluator() -> None:
    gt, results = read(DATA, "gt"), read(DATA, "results")
    before = copy.deepcopy((gt, results))
    evaluation = evaluate_ytvis(gt, results)
    assert (gt, results) == before
    assert list(evaluation.stats) == list(STAT_NAMES)
    expected = read(DATA, "expected")
    assert evaluation.stats == pytest.approx(expected["stats"], abs=1e-12)
    by_id = {int(category_id): ap for category_id, ap in expected["category_ap"].items()}
    assert category_ap(evaluation) == pytest.approx(by_id, abs=1e-12)


def test_arrays_of_the_official_program() -> None:
    if not OFFICIAL.is_dir():
        pytest.skip("needs 11 MB in ../shared/fixtures; the test before has a set that ships")
    evaluation = evaluate_ytvis(OFFICIAL / "gt.json", OFFICIAL / "results.json")
    official = read(OFFICIAL, "official")
    stats = list(evaluation.stats.values())
    assert stats == pytest.approx(list(official["stats"].values()), abs=1e-12)
    by_id = {int(key): value["AP"] for key, value in official["per_category"].items()}
    assert category_ap(evaluation) == pytest.approx(by_id, abs=1e-12)
    curves = evaluation.curves.over(evaluation.truth.categories)
    with np.load(OFFICIAL / "official.npz") as arrays:
        for name in ("precision", "recall", "scores"):
            ours = getattr(curves, name)
            np.testing.assert_allclose(ours, arrays[name], rtol=0, atol=1e-12)


def test_arrays_of_the_copy_in_the_host() -> None:
    """Its core is the official program; its defects are in how it is fed."""
    gt, results = read(DATA, "gt"), read(DATA, "results")
    evaluation = evaluate_ytvis(gt, results)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = YTVIS(copy.deepcopy(gt))
        evaluator = YTVISeval(truth, truth.loadRes(copy.deepcopy(results)), "segm")
        evaluator.evaluate()
        evaluator.accumulate()
    curves = evaluation.curves.over(evaluation.truth.categories)
    for name in ("precision", "recall"):
        assert np.array_equal(getattr(curves, name), evaluator.eval[name])


def test_all_classes_as_one_match_the_copy_in_the_host() -> None:
    gt, results = read(DATA, "gt"), read(DATA, "results")
    for result in results:
        result["score"] = round(result["score"], 1)  # equal scores of different classes
    before = copy.deepcopy((gt, results))
    evaluation = evaluate_ytvis(gt, results, class_agnostic=True)
    assert (gt, results) == before
    with contextlib.redirect_stdout(io.StringIO()):
        truth = YTVIS(copy.deepcopy(gt))
        evaluator = YTVISeval(truth, truth.loadRes(copy.deepcopy(results)), "segm")
        evaluator.params.useCats = 0
        evaluator.evaluate()
        evaluator.accumulate()
    for name in ("precision", "recall"):
        assert np.array_equal(getattr(evaluation.curves, name), evaluator.eval[name])
    assert evaluation.truth.categories == {min(one["id"] for one in gt["categories"]): "object"}
    assert evaluation.stats["mAP"] != evaluate_ytvis(gt, results).stats["mAP"]


def test_a_wrong_class_does_not_matter_when_all_are_one(ground_truth: dict) -> None:
    results = perfect(ground_truth)
    results[0]["category_id"] = 8
    assert evaluate_ytvis(ground_truth, results).stats["mAP"] < 0.6
    merged = evaluate_ytvis(ground_truth, results, class_agnostic=True)
    assert category_ap(merged) == {3: pytest.approx(1.0)}


def test_perfect_results_give_one_though_ids_repeat(ground_truth: dict) -> None:
    for _ in range(2):
        evaluation = evaluate_ytvis(ground_truth, perfect(ground_truth))
        assert evaluation.stats["mAP"] == pytest.approx(1.0)
        assert evaluation.stats["AR@1"] == 1.0
        assert category_ap(evaluation) == {3: pytest.approx(1.0), 8: -1.0}


def test_missing_areas_and_crowd_flags_and_all_forms_of_masks(ground_truth: dict) -> None:
    results = perfect(ground_truth)
    first, second = ground_truth["annotations"]
    first["segmentations"][0] = [[0, 4, 10, 4, 10, 14, 0, 14]]
    mask = mask_utils.decode(square(30)).ravel(order="F")
    runs = np.diff(np.flatnonzero(np.concatenate([[1], np.diff(mask), [1]]))).tolist()
    second["segmentations"][2] = {"size": [20, 60], "counts": runs}
    for annotation in (first, second):
        del annotation["areas"], annotation["iscrowd"], annotation["id"]
    stats = evaluate_ytvis(ground_truth, results).stats
    assert stats["mAP"] == pytest.approx(1.0)
    assert stats["mAP_s"] == pytest.approx(1.0)
    assert stats["mAP_l"] == -1.0


def test_no_results_give_zero(ground_truth: dict) -> None:
    stats = evaluate_ytvis(ground_truth, []).stats
    assert stats["mAP"] == stats["AR@10"] == 0.0


def test_a_wrong_class_and_a_missed_video_cost(ground_truth: dict) -> None:
    results = perfect(ground_truth)
    results[1]["category_id"] = 8
    stats = evaluate_ytvis(ground_truth, results).stats
    assert stats["AR@1"] == pytest.approx(0.5)
    assert 0.4 < stats["mAP"] < 0.6


def test_the_iou_of_sequences_sums_over_frames(ground_truth: dict) -> None:
    """One frame of two missed: IoU 0.5, which counts at the threshold 0.50 only."""
    results = perfect(ground_truth)
    for result in results:
        visible = [i for i, mask in enumerate(result["segmentations"]) if mask]
        result["segmentations"][visible[-1]] = None
    stats = evaluate_ytvis(ground_truth, results).stats
    assert stats["mAP_50"] == pytest.approx(1.0)
    assert stats["mAP"] == pytest.approx(0.1)


def test_nothing_is_printed(ground_truth: dict, capsys: pytest.CaptureFixture) -> None:
    evaluate_ytvis(ground_truth, perfect(ground_truth))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("num_threads", [1, 4])
def test_files_and_their_content_and_threads_give_the_same(num_threads: int) -> None:
    steps = []
    evaluation = evaluate_ytvis(
        DATA / "gt.json", str(DATA / "results.json"), num_threads=num_threads,
        progress=lambda done, total: steps.append((done, total)),
    )  # fmt: skip
    content = evaluate_ytvis(read(DATA, "gt"), read(DATA, "results"))
    for name in ("precision", "recall", "scores"):
        assert np.array_equal(getattr(evaluation.curves, name), getattr(content.curves, name))
    total = len(evaluation.truth.videos)
    assert steps == [(done, total) for done in range(1, total + 1)]


def test_boundaries_are_harder_than_masks(ground_truth: dict) -> None:
    """A square one column off overlaps well, its boundary of one pixel does not."""
    results = perfect(ground_truth)
    assert evaluate_ytvis(ground_truth, results, iou_type="boundary").stats["mAP"] == 1.0
    results[0]["segmentations"][:2] = [square(1), square(6)]
    masks = evaluate_ytvis(ground_truth, results).stats
    boundaries = evaluate_ytvis(ground_truth, results, iou_type="boundary").stats
    assert boundaries["mAP"] < masks["mAP"]
    with pytest.raises(ValueError, match="iou_type is 'box'"):
        evaluate_ytvis(ground_truth, results, iou_type="box")


def test_occlusion_levels(ground_truth: dict) -> None:
    levels = [["no_occlusion", "slight_occlusion", None], ["severe_occlusion", None] * 2]
    for annotation, occlusion in zip(ground_truth["annotations"], levels, strict=True):
        annotation["occlusion"] = occlusion[:3]
    groups = evaluate_ytvis(ground_truth, perfect(ground_truth)[:1]).group_stats()
    assert groups["slight occlusion"]["mAP"] == pytest.approx(1.0)
    assert groups["slight occlusion"]["num_truths"] == 1
    assert groups["moderate occlusion"]["mAP"] == -1.0
    assert groups["heavy occlusion"]["mAP"] == 0.0
    assert groups["all"]["num_truths"] == 2


def test_parts_of_the_videos(ground_truth: dict) -> None:
    evaluation = evaluate_ytvis(ground_truth, perfect(ground_truth)[:1])
    assert evaluation.subset_stats([1])["mAP"] == pytest.approx(1.0)
    assert evaluation.subset_stats([2])["mAP"] == 0.0
    assert evaluation.subset_stats([1, 2])["mAP"] == pytest.approx(evaluation.stats["mAP"])
    assert evaluation.subset_stats([])["mAP"] == -1.0
    assert [stats["num_truths"] for stats in evaluation.video_stats().values()] == [1, 1]


def test_groups_where_there_is_nothing_at_all(ground_truth: dict) -> None:
    groups = evaluate_ytvis({**ground_truth, "annotations": []}, []).group_stats()
    assert groups["all"] == {"mAP": -1.0, "mAP_50": -1.0, "AR@100": -1.0, "num_truths": 0}


def test_categories_without_ground_truth_cost_no_memory(ground_truth: dict) -> None:
    """A file may list tens of thousands of them."""
    ground_truth["categories"] += [{"id": i, "name": str(i)} for i in range(100, 50_100)]
    results = perfect(ground_truth)
    results.append({**results[0], "category_id": 40_000})
    evaluation = evaluate_ytvis(ground_truth, results)
    curves = evaluation.curves
    assert curves.category_ids == (3,)
    assert curves.precision.shape == curves.scores.shape == (10, 101, 1, 4, 3)
    assert curves.recall.shape == (10, 1, 4, 3)
    assert evaluation.stats["mAP"] == pytest.approx(1.0)
    aps = category_ap(evaluation)
    assert len(aps) == 50_002
    assert {key: ap for key, ap in aps.items() if ap != -1.0} == {3: pytest.approx(1.0)}
    some = curves.over([8, 3])
    assert (some.precision[:, :, 0] == -1.0).all()
    assert np.array_equal(some.precision[:, :, 1], curves.precision[:, :, 0])
    assert np.array_equal(some.recall[:, 1], curves.recall[:, 0])
    assert np.array_equal(some.scores[:, :, 1], curves.scores[:, :, 0])
