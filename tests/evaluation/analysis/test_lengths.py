import pytest
from vis_json import ground_truth, perfect_results

from mmttsrn.evaluation import evaluate_ytvis
from mmttsrn.evaluation.analysis.lengths import length_stats, long_video_stats


@pytest.mark.parametrize(
    ("length", "name"),
    [(1, "1-16"), (16, "1-16"), (17, "17-32"), (32, "17-32"), (33, "33-64"), (64, "33-64"),
     (65, "65+"), (300, "65+")],
)  # fmt: skip
def test_a_video_is_in_the_range_of_its_length(length, name):
    evaluation = evaluate_ytvis(ground_truth([length]), [])
    assert list(length_stats(evaluation)) == [name]


def test_numbers_are_those_of_the_videos_alone():
    truth = ground_truth([3, 16, 20, 70])
    results = [entry for entry in perfect_results(truth) if entry["video_id"] in (1, 3)]
    stats = length_stats(evaluate_ytvis(truth, results))
    assert list(stats) == ["1-16", "17-32", "65+"]
    # A cat that is found and a dog that is not: the mean of the two classes.
    assert stats["1-16"] == pytest.approx(
        {"mAP": 0.5, "mAP_50": 0.5, "AR@100": 0.5, "num_truths": 2, "num_videos": 2}
    )
    assert stats["17-32"]["mAP"] == pytest.approx(1.0)
    assert stats["65+"]["mAP"] == 0.0


def test_videos_without_ground_truth_are_counted():
    truth = ground_truth([3, 20])
    del truth["annotations"][1]
    stats = length_stats(evaluate_ytvis(truth, []))
    assert stats["17-32"] == {
        "mAP": -1.0, "mAP_50": -1.0, "AR@100": -1.0, "num_truths": 0, "num_videos": 1,
    }  # fmt: skip


def test_long_videos_are_those_that_the_file_marks():
    truth = ground_truth([3, 20, 70, 5])
    for video, is_long in zip(truth["videos"], (False, True, True), strict=False):
        video["is_long"] = is_long
    results = [entry for entry in perfect_results(truth) if entry["video_id"] == 1]
    stats = long_video_stats(evaluate_ytvis(truth, results))
    assert {name: part["num_videos"] for name, part in stats.items()} == {
        "long": 2, "short": 1, "not marked": 1,
    }  # fmt: skip
    assert stats["short"]["mAP"] == pytest.approx(1.0)
    assert stats["long"]["mAP"] == 0.0


def test_no_split_without_marks():
    assert long_video_stats(evaluate_ytvis(ground_truth(), [])) == {}
