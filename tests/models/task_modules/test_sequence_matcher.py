import itertools
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from set_prediction_cases import CASES, load_case
from tiny_ttsrn import PAPER

from mmttsrn.models import InstanceSequenceMatcher
from mmttsrn.models.task_modules import (
    SequenceBoxL1Cost,
    SequenceClassCost,
    SequenceDiceCost,
    SequenceIoUCost,
    SequenceMaskCost,
)
from mmttsrn.structures import InstanceSequences, SequenceTargets

CLASS_COST = dict(type="mmttsrn.SequenceClassCost")
BOX_COST = dict(type="mmttsrn.SequenceBoxL1Cost", weight=1.0)


def paper_matcher() -> InstanceSequenceMatcher:
    return InstanceSequenceMatcher(PAPER["criterion"]["matcher"]["costs"])


def sequences(logits: torch.Tensor, boxes: torch.Tensor) -> InstanceSequences:
    """Predictions of a clip from (T, Q, K+1) and (T, Q, 4)."""
    return InstanceSequences.from_clip(logits, boxes, None)


def targets_of(labels: list[int], boxes: torch.Tensor, valid: torch.Tensor) -> SequenceTargets:
    """Targets without masks; boxes (n, T, 4), valid (n, T)."""
    return SequenceTargets(torch.tensor(labels), boxes, valid, None, (64, 96))


@pytest.mark.parametrize("name", CASES)
def test_costs_equal_the_reference(name: str) -> None:
    case = load_case(name)
    layer = case.layers()[-1]
    costs = {
        "cost_class": SequenceClassCost(weight=1.0),
        "cost_bbox": SequenceBoxL1Cost(weight=1.0),
        "cost_iou": SequenceIoUCost(weight=1.0),
    }
    for i, targets in enumerate(case.targets):
        clip = layer.clip(i)
        for key, cost in costs.items():
            torch.testing.assert_close(
                cost(clip, targets), case.expected[f"b{i}.{key}"], rtol=0, atol=2e-6
            )
        total = paper_matcher().cost_matrix(clip, targets)
        expected = case.expected[f"b{i}.cost_total"]
        torch.testing.assert_close(total, expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("name", CASES)
def test_assignment_equals_the_reference(name: str) -> None:
    case = load_case(name)
    for i, targets in enumerate(case.targets):
        matches = paper_matcher().match(case.layers()[-1].clip(i), targets)
        assert matches.dtype == torch.int64
        expected = torch.stack([case.expected[f"b{i}.slot"], case.expected[f"b{i}.instance"]], 1)
        by_slot = expected[:, 0].argsort()
        assert torch.equal(matches, expected[by_slot])


def test_assignment_of_an_intermediate_layer_equals_the_reference() -> None:
    case = load_case("aux_layer")
    matches = paper_matcher().match(case.layers()[0].clip(0), case.targets[0])
    expected = torch.stack([case.expected["aux0.slot"], case.expected["aux0.instance"]], 1)
    assert torch.equal(matches, expected[expected[:, 0].argsort()])


def test_permuted_instances_get_the_same_slots() -> None:
    case = load_case("n06")
    clip, targets = case.layers()[-1].clip(0), case.targets[0]
    order = torch.randperm(6)
    matches = paper_matcher().match(clip, targets)
    permuted = paper_matcher().match(clip, targets.select(order))
    assert torch.equal(permuted[:, 0], matches[:, 0])
    assert torch.equal(order[permuted[:, 1]], matches[:, 1])


def test_visible_only_leaves_absent_frames_out() -> None:
    logits, boxes = torch.randn(3, 4, 6), torch.rand(3, 4, 4)
    valid = torch.tensor([[True, False, True], [True, True, True]])
    targets = targets_of([2, 4], torch.rand(2, 3, 4) * valid[..., None], valid)
    matcher = InstanceSequenceMatcher([CLASS_COST, BOX_COST], visible_only=True)
    cost = matcher.cost_matrix(sequences(logits, boxes), targets)
    probability = logits.softmax(-1)[[0, 2], :, 2].mean(0)
    distance = (boxes[[0, 2]] - targets.boxes[0, [0, 2], None]).abs().mean((0, 2))
    torch.testing.assert_close(cost[:, 0], distance - probability)
    logits[1] = torch.randn(4, 6)
    boxes[1] = torch.rand(4, 4)
    after = matcher.cost_matrix(sequences(logits, boxes), targets)
    assert torch.equal(after[:, 0], cost[:, 0])
    assert not torch.allclose(after[:, 1], cost[:, 1])


def test_by_default_absent_frames_count_as_class_0_with_a_zero_box() -> None:
    logits, boxes = torch.randn(2, 4, 6), torch.rand(2, 4, 4)
    valid = torch.tensor([[True, False]])
    targets = targets_of([3], torch.rand(1, 2, 4) * valid[..., None], valid)
    cost = InstanceSequenceMatcher([CLASS_COST, BOX_COST]).cost_matrix(
        sequences(logits, boxes), targets
    )
    probabilities = logits.softmax(-1)
    probability = (probabilities[0, :, 3] + probabilities[1, :, 0]) / 2
    distance = ((boxes[0] - targets.boxes[0, 0]).abs().mean(-1) + boxes[1].mean(-1)) / 2
    torch.testing.assert_close(cost[:, 0], distance - probability)


def test_giou_mode_tells_apart_boxes_without_overlap() -> None:
    near, far = (0.3, 0.5, 0.2, 0.2), (0.8, 0.5, 0.2, 0.2)
    boxes = torch.tensor([[near, far]])  # T=1, Q=2
    valid = torch.ones(1, 1, dtype=torch.bool)
    targets = targets_of([0], torch.tensor([[[0.1, 0.5, 0.2, 0.2]]]), valid)
    args = sequences(torch.zeros(1, 2, 4), boxes), targets
    iou = SequenceIoUCost(weight=1.0, mode="iou")(*args)
    torch.testing.assert_close(iou, torch.zeros(2, 1), rtol=0, atol=1e-4)
    giou = SequenceIoUCost(weight=2.0, mode="giou")(*args)
    # Hulls are 0.4 and 0.9 wide, each 0.2 high; two boxes fill 0.4 of the width.
    expected = 2 * torch.tensor([[0.0], [0.5 / 0.9]])
    torch.testing.assert_close(giou, expected, rtol=0, atol=1e-4)


def test_costs_come_from_the_config() -> None:
    matcher = InstanceSequenceMatcher([CLASS_COST])
    logits, boxes = torch.zeros(1, 2, 3), torch.rand(1, 2, 4)
    logits[0, 1, 1] = 5.0
    targets = targets_of([1], torch.rand(1, 1, 4), torch.ones(1, 1, dtype=torch.bool))
    assert matcher.match(sequences(logits, boxes), targets).tolist() == [[1, 0]]


def test_a_cost_that_is_not_finite_is_an_error() -> None:
    valid = torch.ones(1, 1, dtype=torch.bool)
    targets = targets_of([0], torch.rand(1, 1, 4), valid)
    with pytest.raises(ValueError, match="a matching cost is not finite"):
        paper_matcher().match(
            sequences(torch.full((1, 2, 3), float("nan")), torch.rand(1, 2, 4)), targets
        )


def test_unknown_mode_is_named() -> None:
    with pytest.raises(ValueError, match="mode='diou'"):
        SequenceIoUCost(mode="diou")


class TestMaskCosts:
    """Predicted masks of 4x6 against true ones of 8x12, in 2 frames."""

    @pytest.fixture
    def true_masks(self) -> torch.Tensor:
        masks = torch.zeros(2, 2, 8, 12, dtype=torch.bool)
        masks[0, 0, :4, :6] = True
        masks[1, :, 4:, 6:] = True
        return masks  # the first instance is absent in the second frame

    def predict(self, masks: torch.Tensor) -> InstanceSequences:
        logits = torch.where(masks[..., ::2, ::2], 4.0, -4.0)
        return InstanceSequences.from_clip(torch.zeros(2, len(masks), 3), None, logits)

    def targets(self, masks: torch.Tensor) -> SequenceTargets:
        valid = masks.flatten(2).any(-1)
        return SequenceTargets(torch.tensor([0, 1]), torch.zeros(2, 2, 4), valid, masks, (8, 12))

    @pytest.mark.parametrize("cost", [SequenceMaskCost, SequenceDiceCost])
    def test_equal_masks_cost_least(self, cost: type, true_masks: torch.Tensor) -> None:
        found = cost()(self.predict(true_masks.flip(0)), self.targets(true_masks))
        assert found.argmin(0).tolist() == [1, 0]

    def test_are_those_of_the_definition(self, true_masks: torch.Tensor) -> None:
        predictions = self.predict(true_masks)
        targets = self.targets(true_masks)
        logits, small = predictions.mask_logits, true_masks[..., ::2, ::2].float()
        for i, j in itertools.product(range(2), range(2)):
            x, y = logits[i].flatten(), small[j].flatten()
            bce = F.binary_cross_entropy_with_logits(x, y)
            dice = 1 - (2 * (x.sigmoid() * y).sum() + 1) / (x.sigmoid().sum() + y.sum() + 1)
            torch.testing.assert_close(SequenceMaskCost(2.0)(predictions, targets)[i, j], 2 * bce)
            torch.testing.assert_close(SequenceDiceCost(3.0)(predictions, targets)[i, j], 3 * dice)

    @pytest.mark.parametrize("cost", [SequenceMaskCost, SequenceDiceCost])
    def test_visible_only_leaves_absent_frames_out(
        self, cost: type, true_masks: torch.Tensor
    ) -> None:
        targets = self.targets(true_masks)
        predictions = self.predict(true_masks)
        before, visible = (
            cost()(predictions, t)
            for t in (targets, replace(targets, matched_frames=targets.valid))
        )
        predictions.mask_logits[:, 1] = torch.randn(2, 4, 6)
        after = (
            cost()(predictions, targets),
            cost()(predictions, replace(targets, matched_frames=targets.valid)),
        )
        assert torch.equal(after[1][:, 0], visible[:, 0])
        assert not torch.allclose(after[0][:, 0], before[:, 0])
        assert not torch.allclose(after[1][:, 1], visible[:, 1])


def test_class_of_a_sequence_in_frames_where_it_is_absent() -> None:
    logits = torch.tensor([[0.0, 3.0, 0.0], [2.0, 0.0, 0.0]])[:, None]  # T, Q=1, K+1
    valid = torch.tensor([[True, False]])
    targets = targets_of([1], torch.zeros(1, 2, 4), valid)
    clip = sequences(logits, torch.zeros(2, 1, 4))
    first, second = logits.softmax(-1)[:, 0]
    by_frame = SequenceClassCost(2.0)(clip, targets)
    whole = SequenceClassCost(2.0, absent_as_first=False)(clip, targets)
    torch.testing.assert_close(by_frame.item(), -(first[1] + second[0]).item())
    torch.testing.assert_close(whole.item(), -(first[1] + second[1]).item())
