from dataclasses import replace

import numpy as np
import torch
from sequence_results import results_of

from mmttsrn.structures import SequenceResults
from mmttsrn.visualization.predictions import predicted_instances


def two_sequences() -> SequenceResults:
    """Sequence 0 is hidden in frame 1; the scores are 0.5 and 0.25."""
    masks = np.zeros((2, 2, 6, 8), bool)
    masks[0, 0, :3] = masks[1, :, 3:] = True
    results = results_of(masks, [1, 0], [0.5, 0.25])
    return replace(results, boxes=torch.arange(16.0).view(2, 2, 4))


def test_everything_of_a_frame() -> None:
    instances = predicted_instances(two_sequences(), 0, ("cat", "dog"))
    assert instances.ids == [0, 1]
    assert instances.names == ["dog", "cat"]
    assert instances.scores == [0.5, 0.25]
    assert instances.masks.sum((1, 2)).tolist() == [24, 24]
    assert instances.boxes.tolist() == [[0, 1, 2, 3], [8, 9, 10, 11]]


def test_hidden_sequences_are_left_out_and_ids_stay() -> None:
    results = two_sequences()
    boxes_only = replace(results, counts=None)
    for instances in (predicted_instances(results, 1), predicted_instances(boxes_only, 1)):
        assert instances.ids == [1]
        assert instances.names == ["class 0"]
        assert instances.boxes.tolist() == [[12, 13, 14, 15]]


def test_a_score_at_the_threshold_is_shown() -> None:
    assert predicted_instances(two_sequences(), 0, score_thr=0.5).ids == [0]
    assert predicted_instances(two_sequences(), 0, score_thr=0.25).ids == [0, 1]
