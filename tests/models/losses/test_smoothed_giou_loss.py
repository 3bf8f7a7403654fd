import pytest
import torch

from mmttsrn.models import SmoothedGIoULoss

HALF = (0.25, 0.5, 0.5, 1.0)
FULL = (0.5, 0.5, 1.0, 1.0)


@pytest.mark.parametrize(
    ("box", "other", "loss"),
    [
        (FULL, FULL, 0.0),
        (HALF, FULL, 0.5),
        # Apart: no overlap, and half of the hull is empty.
        ((0.125, 0.5, 0.25, 1.0), (0.625, 0.5, 0.25, 1.0), 1 + 0.25 / 0.75),
    ],
)
def test_loss_of_one_pair(box: tuple, other: tuple, loss: float) -> None:
    value = SmoothedGIoULoss(loss_weight=1.0)(torch.tensor([box]), torch.tensor([other]), 1.0)
    # The smoothing moves the value by about its eps.
    assert value.item() == pytest.approx(loss, abs=1e-5)


def test_sum_is_divided_by_avg_factor_and_weighted() -> None:
    boxes = torch.tensor([HALF, HALF])
    others = torch.tensor([FULL, FULL])
    value = SmoothedGIoULoss(loss_weight=3.0)(boxes, others, torch.tensor(4.0))
    assert value.item() == pytest.approx(3 * 2 * 0.5 / 4, abs=1e-5)


def test_no_pair_is_a_zero_that_can_go_backward() -> None:
    boxes = torch.zeros(0, 4, requires_grad=True)
    value = SmoothedGIoULoss()(boxes, torch.zeros(0, 4), 1.0)
    value.backward()
    assert value.item() == 0
