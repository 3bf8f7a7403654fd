"""Costs of matching predicted to ground-truth instance sequences.

Every cost maps Q predicted and n true sequences of T frames to a (Q, n) matrix: a mean over
frames, weighted by ``frame_weights`` (n, T) whose rows sum to 1.
"""

import torch
from torch import Tensor

from mmttsrn.errors import UserInputError
from mmttsrn.registry import TASK_UTILS
from mmttsrn.structures import SequenceTargets


@TASK_UTILS.register_module()
class SequenceClassCost:
    """Minus the mean probability of the true class; an absent frame counts as class 0.

    Args:
        weight: Factor of the cost.
    """

    def __init__(self, weight: float = 1.0) -> None:
        self.weight = weight

    def __call__(
        self, logits: Tensor, boxes: Tensor, targets: SequenceTargets, frame_weights: Tensor
    ) -> Tensor:
        """Cost (Q, n) from logits (T, Q, K+1); ``boxes`` are not used."""
        probabilities = logits.softmax(-1)  # T, Q, K+1
        frames = torch.arange(len(probabilities), device=logits.device)
        of_target = probabilities[frames, :, targets.frame_labels]  # n, T, Q
        return -self.weight * torch.einsum("ntq,nt->qn", of_target, frame_weights)


@TASK_UTILS.register_module()
class SequenceBoxL1Cost:
    """Mean absolute difference of the four box coordinates; an absent frame has a zero box.

    Args:
        weight: Factor of the cost.
    """

    def __init__(self, weight: float = 5.0) -> None:
        self.weight = weight

    def __call__(
        self, logits: Tensor, boxes: Tensor, targets: SequenceTargets, frame_weights: Tensor
    ) -> Tensor:
        """Cost (Q, n) from boxes (T, Q, 4); ``logits`` are not used."""
        difference = (boxes.transpose(0, 1)[:, None] - targets.boxes).abs().mean(-1)  # Q, n, T
        return self.weight * (difference * frame_weights).sum(-1)


@TASK_UTILS.register_module()
class SequenceIoUCost:
    """Minus the mean IoU, or generalised IoU, of the boxes.

    Args:
        weight: Factor of the cost.
        mode: ``"iou"`` (what the reference computes under the name giou) or ``"giou"``.
        eps: Added to numerators and denominators.

    Raises:
        UserInputError: If ``mode`` is neither.
    """

    def __init__(self, weight: float = 2.0, mode: str = "iou", eps: float = 1e-6) -> None:
        if mode not in ("iou", "giou"):
            raise UserInputError(f'SequenceIoUCost: mode={mode!r} must be "iou" or "giou"')
        self.weight = weight
        self.mode = mode
        self.eps = eps

    def __call__(
        self, logits: Tensor, boxes: Tensor, targets: SequenceTargets, frame_weights: Tensor
    ) -> Tensor:
        """Cost (Q, n) from boxes (T, Q, 4); ``logits`` are not used."""
        iou, giou = smoothed_iou(boxes.transpose(0, 1)[:, None], targets.boxes[None], self.eps)
        similarity = iou if self.mode == "iou" else giou  # Q, n, T
        return -self.weight * (similarity * frame_weights).sum(-1)


def smoothed_iou(a: Tensor, b: Tensor, eps: float = 1e-6) -> tuple[Tensor, Tensor]:
    """IoU and generalised IoU with ``eps`` in numerators and denominators.

    Args:
        a: Boxes (..., 4) as (cx, cy, w, h).
        b: Boxes that broadcast against ``a``.
        eps: Added to intersection and union, and to the hull and its empty part.

    Returns:
        IoU and GIoU (...).

    Source: behaviour of the VisTR reference, which smooths by addition where mmdet clamps.
    """
    a_min, a_max = a[..., :2] - a[..., 2:] / 2, a[..., :2] + a[..., 2:] / 2
    b_min, b_max = b[..., :2] - b[..., 2:] / 2, b[..., :2] + b[..., 2:] / 2
    inter = (torch.min(a_max, b_max) - torch.max(a_min, b_min)).clamp(min=0).prod(-1)
    union = (a_max - a_min).prod(-1) + (b_max - b_min).prod(-1) - inter
    hull = (torch.max(a_max, b_max) - torch.min(a_min, b_min)).clamp(min=0).prod(-1)
    iou = (inter + eps) / (union + eps)
    return iou, iou - (hull - union + eps) / (hull + eps)
