from dataclasses import replace

import numpy as np
import pytest
import torch
from sequence_results import results_of

from mmttsrn.structures import FrameResults, SequenceResults


def two_sequences() -> SequenceResults:
    """Ids 4 and 9; the first is hidden in frame 1; the scores are 0.5 and 0.25."""
    masks = np.zeros((2, 2, 6, 8), bool)
    masks[0, 0, :3] = masks[1, :, 3:] = True
    results = results_of(masks, [1, 0], [0.5, 0.25])
    return replace(results, ids=torch.tensor([4, 9]), boxes=torch.arange(16.0).view(2, 2, 4))


def test_a_frame_has_the_ids_of_the_linker() -> None:
    frame = two_sequences().frame(0, ("cat", "dog"))
    assert frame.instance_ids.tolist() == [4, 9]
    assert frame.names == ["dog", "cat"]
    assert frame.scores.tolist() == [0.5, 0.25]
    assert frame.masks.sum((1, 2)).tolist() == [24, 24]
    assert frame.boxes.tolist() == [[0, 1, 2, 3], [8, 9, 10, 11]]


def test_hidden_sequences_are_left_out() -> None:
    results = two_sequences()
    for frame in (results.frame(1), replace(results, counts=None).frame(1)):
        assert frame.instance_ids.tolist() == [9]
        assert frame.names == ["class 0"]
        assert frame.boxes.tolist() == [[12, 13, 14, 15]]


@pytest.mark.parametrize(("score_thr", "ids"), [(0.5, [4]), (0.25, [4, 9])])
def test_a_score_at_the_threshold_is_shown(score_thr: float, ids: list[int]) -> None:
    assert two_sequences().frame(0, score_thr=score_thr).instance_ids.tolist() == ids


def test_results_in_the_official_format_keep_the_ids() -> None:
    assert [entry["id"] for entry in two_sequences().to_ytvis([1, 2])] == [4, 9]


def test_dense_masks_and_the_classes_that_are_kept() -> None:
    masks = np.zeros((3, 6, 8), bool)
    masks[0, 1:3, 2:5] = masks[2, 4:] = True
    frame = FrameResults.from_masks([3, 5, 7], [0, 1, 1], masks, [0.9, 0.8, 0.7], None, ["a", "b"])
    assert frame.instance_ids.tolist() == [3, 7]
    assert np.array_equal(frame.masks, masks[[0, 2]])
    assert frame.boxes.tolist() == [[2, 1, 5, 3], [0, 4, 8, 6]]
    kept = frame.of_classes([1])
    assert (kept.instance_ids.tolist(), kept.names) == ([7], ["b"])
    assert np.array_equal(kept.masks, masks[2:])
    assert frame.of_classes(None) is frame
