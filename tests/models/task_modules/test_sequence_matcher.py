import pytest
import torch
from set_prediction_cases import CASES, T, load_case

from mmttsrn.models import InstanceSequenceMatcher
from mmttsrn.models.task_modules import (
    SequenceBoxL1Cost,
    SequenceClassCost,
    SequenceIoUCost,
)
from mmttsrn.structures import SequenceTargets

CLASS_COST = dict(type="mmttsrn.SequenceClassCost")
BOX_COST = dict(type="mmttsrn.SequenceBoxL1Cost", weight=1.0)


def targets_of(labels: list[int], boxes: torch.Tensor, valid: torch.Tensor) -> SequenceTargets:
    """Targets without masks; boxes (n, T, 4), valid (n, T)."""
    return SequenceTargets(torch.tensor(labels), boxes, valid, None, (64, 96))


@pytest.mark.parametrize("name", CASES)
def test_costs_equal_the_reference(name: str) -> None:
    case = load_case(name)
    predictions = case.predictions()
    costs = {
        "cost_class": SequenceClassCost(weight=1.0),
        "cost_bbox": SequenceBoxL1Cost(weight=1.0),
        "cost_iou": SequenceIoUCost(weight=1.0),
    }
    for i, targets in enumerate(case.targets):
        logits, boxes = predictions.logits[-1, i], predictions.boxes[-1, i]
        frame_weights = torch.full(targets.valid.shape, 1 / T)
        for key, cost in costs.items():
            torch.testing.assert_close(
                cost(logits, boxes, targets, frame_weights),
                case.expected[f"b{i}.{key}"],
                rtol=0,
                atol=2e-6,
            )
        total = InstanceSequenceMatcher().cost_matrix(logits, boxes, targets)
        expected = case.expected[f"b{i}.cost_total"]
        torch.testing.assert_close(total, expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("name", CASES)
def test_assignment_equals_the_reference(name: str) -> None:
    case = load_case(name)
    predictions = case.predictions()
    for i, targets in enumerate(case.targets):
        matches = InstanceSequenceMatcher().match(
            predictions.logits[-1, i], predictions.boxes[-1, i], targets
        )
        assert matches.dtype == torch.int64
        expected = torch.stack([case.expected[f"b{i}.slot"], case.expected[f"b{i}.instance"]], 1)
        by_slot = expected[:, 0].argsort()
        assert torch.equal(matches, expected[by_slot])


def test_assignment_of_an_intermediate_layer_equals_the_reference() -> None:
    case = load_case("aux_layer")
    predictions = case.predictions()
    matches = InstanceSequenceMatcher().match(
        predictions.logits[0, 0], predictions.boxes[0, 0], case.targets[0]
    )
    expected = torch.stack([case.expected["aux0.slot"], case.expected["aux0.instance"]], 1)
    assert torch.equal(matches, expected[expected[:, 0].argsort()])


def test_permuted_instances_get_the_same_slots() -> None:
    case = load_case("n06")
    predictions, targets = case.predictions(), case.targets[0]
    args = predictions.logits[0, 0], predictions.boxes[0, 0]
    order = torch.randperm(6)
    matches = InstanceSequenceMatcher().match(*args, targets)
    permuted = InstanceSequenceMatcher().match(*args, targets.select(order))
    assert torch.equal(permuted[:, 0], matches[:, 0])
    assert torch.equal(order[permuted[:, 1]], matches[:, 1])


def test_visible_only_leaves_absent_frames_out() -> None:
    logits, boxes = torch.randn(3, 4, 6), torch.rand(3, 4, 4)
    valid = torch.tensor([[True, False, True], [True, True, True]])
    targets = targets_of([2, 4], torch.rand(2, 3, 4) * valid[..., None], valid)
    matcher = InstanceSequenceMatcher([CLASS_COST, BOX_COST], visible_only=True)
    cost = matcher.cost_matrix(logits, boxes, targets)
    probability = logits.softmax(-1)[[0, 2], :, 2].mean(0)
    distance = (boxes[[0, 2]] - targets.boxes[0, [0, 2], None]).abs().mean((0, 2))
    torch.testing.assert_close(cost[:, 0], distance - probability)
    logits[1] = torch.randn(4, 6)
    boxes[1] = torch.rand(4, 4)
    after = matcher.cost_matrix(logits, boxes, targets)
    assert torch.equal(after[:, 0], cost[:, 0])
    assert not torch.allclose(after[:, 1], cost[:, 1])


def test_by_default_absent_frames_count_as_class_0_with_a_zero_box() -> None:
    logits, boxes = torch.randn(2, 4, 6), torch.rand(2, 4, 4)
    valid = torch.tensor([[True, False]])
    targets = targets_of([3], torch.rand(1, 2, 4) * valid[..., None], valid)
    cost = InstanceSequenceMatcher([CLASS_COST, BOX_COST]).cost_matrix(logits, boxes, targets)
    probabilities = logits.softmax(-1)
    probability = (probabilities[0, :, 3] + probabilities[1, :, 0]) / 2
    distance = ((boxes[0] - targets.boxes[0, 0]).abs().mean(-1) + boxes[1].mean(-1)) / 2
    torch.testing.assert_close(cost[:, 0], distance - probability)


def test_giou_mode_tells_apart_boxes_without_overlap() -> None:
    near, far = (0.3, 0.5, 0.2, 0.2), (0.8, 0.5, 0.2, 0.2)
    boxes = torch.tensor([[near, far]])  # T=1, Q=2
    valid = torch.ones(1, 1, dtype=torch.bool)
    targets = targets_of([0], torch.tensor([[[0.1, 0.5, 0.2, 0.2]]]), valid)
    args = torch.zeros(1, 2, 4), boxes, targets, torch.ones(1, 1)
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
    assert matcher.match(logits, boxes, targets).tolist() == [[1, 0]]


def test_a_cost_that_is_not_finite_is_an_error() -> None:
    valid = torch.ones(1, 1, dtype=torch.bool)
    targets = targets_of([0], torch.rand(1, 1, 4), valid)
    with pytest.raises(ValueError, match="training diverged"):
        InstanceSequenceMatcher().match(
            torch.full((1, 2, 3), float("nan")), torch.rand(1, 2, 4), targets
        )


def test_unknown_mode_is_named() -> None:
    with pytest.raises(ValueError, match='mode=\'diou\' must be "iou" or "giou"'):
        SequenceIoUCost(mode="diou")
