"""Generalised IoU loss with additive smoothing."""

from mmengine.model import BaseModule
from torch import Tensor

from mmttsrn.models.task_modules.sequence_costs import smoothed_iou
from mmttsrn.registry import MODELS


@MODELS.register_module()
class SmoothedGIoULoss(BaseModule):
    """``1 - GIoU`` of paired boxes, summed and divided by ``avg_factor``.

    mmdet's ``GIoULoss`` clamps small areas where the VisTR reference adds ``eps``; on boxes in
    0..1 the two differ by more than rounding, so the reference's form is kept here.

    Args:
        loss_weight: Factor of the loss.
        eps: Added to numerators and denominators.
    """

    def __init__(self, loss_weight: float = 2.0, eps: float = 1e-6) -> None:
        super().__init__()
        self.loss_weight = loss_weight
        self.eps = eps

    def forward(self, pred: Tensor, target: Tensor, avg_factor: float) -> Tensor:
        """Loss of boxes (P, 4) against (P, 4), both (cx, cy, w, h) in 0..1; a scalar."""
        _, giou = smoothed_iou(pred, target, self.eps)
        return self.loss_weight * (1 - giou).sum() / avg_factor
