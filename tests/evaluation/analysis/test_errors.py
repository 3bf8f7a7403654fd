"""Each kind of error is planted alone and has to be found."""

from typing import Any

import numpy as np
import pytest
from pycocotools import mask as mask_utils

from mmttsrn.evaluation import evaluate_ytvis
from mmttsrn.evaluation.analysis.errors import ERROR_TYPES, ErrorReport, analyse_errors
from mmttsrn.formats.ground_truth import read_ground_truth
from mmttsrn.formats.results import read_results

HEIGHT, WIDTH, LENGTH = 20, 60, 10
Place = tuple[int, int] | None  # left edge and width of a bar that is 10 high


def bar(place: Place) -> dict[str, Any] | None:
    if place is None:
        return None
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[5:15, place[0] : place[0] + place[1]] = 1
    rle = mask_utils.encode(np.asfortranarray(mask))
    return {"size": rle["size"], "counts": rle["counts"].decode()}


LEFT, RIGHT = (2, 10), (40, 10)


def true_sequence(category: int, place: Place) -> dict[str, Any]:
    return {"video_id": 1, "category_id": category, "segmentations": [bar(place)] * LENGTH}


@pytest.fixture
def gt() -> dict[str, Any]:
    """One video with an object of class 1 on the left and one of class 2 on the right."""
    return {
        "videos": [{"id": 1, "height": HEIGHT, "width": WIDTH, "length": LENGTH}],
        "categories": [{"id": 1, "name": "one"}, {"id": 2, "name": "two"}],
        "annotations": [true_sequence(1, LEFT), true_sequence(2, RIGHT)],
    }


def detection(category: int, places: Place | list[Place], score: float = 0.9) -> dict[str, Any]:
    places = places if isinstance(places, list) else [places] * LENGTH
    return {
        "video_id": 1,
        "category_id": category,
        "score": score,
        "segmentations": [bar(place) for place in places],
    }


def analyse(gt: dict, results: list[dict]) -> ErrorReport:
    truth = read_ground_truth(gt)
    return analyse_errors(truth, read_results(results, truth))


GOOD_RIGHT = detection(2, RIGHT)
PLANTED = {
    "class": [detection(2, LEFT, 0.8)],
    "spatial": [detection(1, (8, 10))],
    "track fragment": [detection(1, [LEFT] * 4 + [None] * 6)],
    "track identity switch": [detection(1, [LEFT] * 4 + [RIGHT] * 6)],
    "both": [detection(1, [(6, 36)] * 4 + [None] * 6)],
    "both class and overlap": [detection(2, (8, 10), 0.8)],
    "duplicate": [detection(1, LEFT), detection(1, LEFT, 0.95)],
    "background": [detection(1, LEFT, 0.5), detection(1, (22, 10))],
    "missed": [],
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_error_is_found_and_its_cost_stated(gt: dict, name: str) -> None:
    results = [GOOD_RIGHT, *PLANTED[name]]
    report = analyse(gt, results)
    kind, _, detail = name.partition(" ")
    assert report.ap == pytest.approx(evaluate_ytvis(gt, results).stats["mAP_50"], abs=1e-12)
    assert report.counts == {other: int(other == kind) for other in ERROR_TYPES}
    if detail in report.track_counts:
        assert report.track_counts == {k: int(k == detail) for k in report.track_counts}
    for other in ERROR_TYPES:
        if other != kind:
            assert report.lost[other] == 0.0
    if kind == "duplicate":  # at a lower score than the right one, it costs nothing
        assert report.lost[kind] == 0.0
    else:
        assert report.lost[kind] == pytest.approx(1.0 - report.ap)
        assert report.lost[kind] > 0.2
    assert report.all_fixed == 1.0


def test_a_duplicate_costs_where_it_outranks_another_object(gt: dict) -> None:
    gt["annotations"].append(true_sequence(1, (22, 10)))
    results = [detection(1, LEFT), detection(1, LEFT, 0.8), detection(1, (22, 10), 0.7), GOOD_RIGHT]
    report = analyse(gt, results)
    assert report.counts["duplicate"] == 1
    assert report.lost["duplicate"] == pytest.approx(1.0 - report.ap)
    assert report.lost["duplicate"] > 0


def test_of_several_fragments_one_is_made_right_and_the_others_go(gt: dict) -> None:
    fragments = [
        detection(1, [LEFT] * 4 + [None] * 6, 0.8),
        detection(1, [None] * 6 + [LEFT] * 4, 0.9),
    ]
    report = analyse(gt, [*fragments, GOOD_RIGHT])
    assert report.counts["track"] == 2
    assert report.ap + report.lost["track"] == pytest.approx(1.0)


def test_crowd_neither_costs_nor_is_missed(gt: dict) -> None:
    gt["annotations"][0]["iscrowd"] = 1
    results = [detection(1, LEFT), detection(1, LEFT, 0.3), GOOD_RIGHT]
    report = analyse(gt, results)
    assert report.ap == pytest.approx(1.0)
    assert sum(report.counts.values()) == 0


def test_a_right_detection_is_no_error(gt: dict) -> None:
    report = analyse(gt, [detection(1, LEFT), GOOD_RIGHT])
    assert report.ap == pytest.approx(1.0)
    assert sum(report.counts.values()) == 0
    assert set(report.lost.values()) == {0.0}


def test_without_results_everything_is_missed(gt: dict) -> None:
    report = analyse(gt, [])
    assert report.ap == 0.0
    assert report.counts["missed"] == 2
    assert report.lost["missed"] == 1.0


def test_without_ground_truth_there_is_no_ap(gt: dict) -> None:
    gt["annotations"] = []
    report = analyse(gt, [detection(1, LEFT)])
    assert report.ap == report.all_fixed == -1.0
    assert report.counts["background"] == 1


def test_equal_scores_keep_the_order_of_video_ids(gt: dict) -> None:
    """As in the evaluation: video 1 is first, though the file lists video 2 before it."""
    gt["videos"].insert(0, {**gt["videos"][0], "id": 2})
    results = [{**detection(1, (22, 10)), "video_id": 2}, detection(1, LEFT), GOOD_RIGHT]
    report = analyse(gt, results)
    assert report.ap == pytest.approx(1.0)
    assert report.ap == pytest.approx(evaluate_ytvis(gt, results).stats["mAP_50"], abs=1e-12)
