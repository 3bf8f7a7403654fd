from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mmttsrn.models import InstanceSequenceMatcher
from mmttsrn.models.task_modules import SequenceDiceCost, SequenceMaskCost
from mmttsrn.structures import InstanceSequences, SequenceTargets

COSTS = [SequenceMaskCost, SequenceDiceCost]
Q, T, CELLS, SIZE = 4, 2, (16, 24), (64, 96)


@pytest.fixture
def predictions() -> InstanceSequences:
    """Smooth masks, so that a cell is like the points in it."""
    coarse = 4 * torch.randn(Q, T, 4, 6)
    masks = F.interpolate(coarse, size=CELLS, mode="bilinear", align_corners=False)
    return InstanceSequences.from_clip(torch.zeros(T, Q, 3), None, masks)


def targets_of(count: int) -> SequenceTargets:
    masks = torch.zeros(count, T, *SIZE, dtype=torch.bool)
    for row, mask in enumerate(masks):
        mask[:, 8 * row : 8 * row + 24, 16 : 40 + 16 * row] = True
    valid = torch.ones(count, T, dtype=torch.bool)
    return SequenceTargets(torch.zeros(count).long(), torch.zeros(count, T, 4), valid, masks, SIZE)


@pytest.mark.parametrize("cost", COSTS)
def test_many_points_come_near_all_cells(cost: Any, predictions: InstanceSequences) -> None:
    targets = targets_of(3)
    expected = cost(weight=2.0)(predictions, targets)
    sampled = cost(weight=2.0, num_points=20_000)(predictions, targets)
    assert sampled.shape == (Q, 3)
    torch.testing.assert_close(sampled, expected, rtol=0.05, atol=0.05)
    assert (expected.amax() - expected.amin()) > 0.3  # much more than the tolerance


@pytest.mark.parametrize("cost", COSTS)
def test_points_leave_out_frames_that_are_not_matched(
    cost: Any, predictions: InstanceSequences
) -> None:
    targets = targets_of(2)
    targets.valid[0, 1] = False
    targets.masks[0, 1] = False
    visible = replace(targets, matched_frames=targets.valid)
    first = predictions.frames(0, 1)
    torch.manual_seed(1)
    whole = cost(num_points=50)(predictions, visible)
    alone = SequenceTargets(
        targets.labels, targets.boxes[:, :1], targets.valid[:, :1], targets.masks[:, :1], SIZE
    )
    torch.manual_seed(1)  # the points of frame 0 are drawn first
    expected = cost(num_points=50)(first, alone)
    torch.testing.assert_close(whole[:, 0], expected[:, 0])
    assert not torch.allclose(whole[:, 1], expected[:, 1])


@pytest.mark.parametrize("num_points", [None, 30])
@pytest.mark.parametrize("cost", COSTS)
def test_permuted_true_sequences_have_permuted_costs(
    cost: Any, num_points: int | None, predictions: InstanceSequences
) -> None:
    order = torch.tensor([2, 0, 1])
    torch.manual_seed(1)
    expected = cost(num_points=num_points)(predictions, targets_of(3))
    torch.manual_seed(1)
    permuted = cost(num_points=num_points)(predictions, targets_of(3).select(order))
    torch.testing.assert_close(permuted, expected[:, order])
    assert not torch.allclose(permuted, expected)


@pytest.mark.parametrize("num_points", [None, 30])
@pytest.mark.parametrize("cost", COSTS)
def test_no_true_sequence_has_no_cost(
    cost: Any, num_points: int | None, predictions: InstanceSequences
) -> None:
    assert cost(num_points=num_points)(predictions, targets_of(0)).shape == (Q, 0)


@pytest.mark.parametrize("num_points", [None, 30])
def test_matching_takes_no_gradient(num_points: int | None, predictions: InstanceSequences) -> None:
    assert predictions.mask_logits is not None
    predictions.mask_logits.requires_grad_()
    names = ("Mask", "Dice")
    costs = [dict(type=f"mmttsrn.Sequence{name}Cost", num_points=num_points) for name in names]
    matcher = InstanceSequenceMatcher(costs)
    assert not matcher.cost_matrix(predictions, targets_of(2)).requires_grad
    assert matcher.match(predictions, targets_of(2)).shape == (2, 2)
    assert matcher.match(predictions, targets_of(0)).shape == (0, 2)


@pytest.mark.parametrize("cost", COSTS)
def test_costs_of_large_clips_do_not_overflow_in_float16(cost: Any) -> None:
    """2 frames of 800x800 pixels have 80000 cells; float16 ends at 65504."""

    def compute() -> Tensor:
        masks = torch.full((1, T, 200, 200), 3.0)
        clip = InstanceSequences.from_clip(torch.zeros(T, 1, 3), None, masks)
        true = torch.ones(1, T, 800, 800, dtype=torch.bool)
        valid = torch.ones(1, T, dtype=torch.bool)
        targets = SequenceTargets(valid[:, 0].long(), torch.zeros(1, T, 4), valid, true, (800, 800))
        return cost()(clip, targets)

    expected = compute()
    with torch.autocast("cpu", torch.float16):
        torch.testing.assert_close(compute(), expected)
