import pytest
from vis_json import ground_truth, perfect_results

from mmttsrn.evaluation import evaluate_ytvis
from mmttsrn.evaluation.analysis.comparison import compare_videos


@pytest.fixture
def differences():
    """Video 1 is lost, 3 is won, 2 is equal, 4 has no ground truth."""
    truth = ground_truth([3, 20, 70, 5])
    del truth["annotations"][3]
    results = perfect_results(truth)
    evaluations = [
        evaluate_ytvis(truth, [entry for entry in results if entry["video_id"] in found])
        for found in ((2, 3), (1, 2))
    ]
    return compare_videos(*evaluations)


def test_largest_loss_is_first_and_no_ground_truth_last(differences):
    assert [video.video_id for video in differences] == [1, 2, 3, 4]


def test_difference_is_results_less_other(differences):
    assert [video.difference for video in differences[:3]] == pytest.approx([-1.0, 0.0, 1.0])
    assert differences[3].difference is None


def test_facts_of_the_videos(differences):
    lost = differences[0]
    assert (lost.num_frames, lost.num_truths, lost.ap) == (3, 1, 0.0)
    assert lost.other_ap == pytest.approx(1.0)
    assert (differences[3].num_truths, differences[3].ap) == (0, -1.0)
