"""Costs of matching predicted to ground-truth instance sequences.

Every cost is called with the Q predicted sequences of one clip and its n true ones and gives a
(Q, n) matrix. ``needs`` names what it reads besides class logits, of ``boxes`` and ``masks``.
Costs by frame are means over the frames, by ``SequenceTargets.frame_weights``.
"""

import torch
import torch.nn.functional as F
from mmcv.ops import point_sample
from torch import Tensor

from mmttsrn.errors import UserInputError
from mmttsrn.models.layers import cell_shares
from mmttsrn.registry import TASK_UTILS
from mmttsrn.structures import InstanceSequences, SequenceTargets


class SequenceCost:
    """Base of the costs.

    Args:
        weight: Factor of the cost.
    """

    needs: frozenset[str] = frozenset()

    def __init__(self, weight: float = 1.0) -> None:
        self.weight = weight

    def __call__(self, predictions: InstanceSequences, targets: SequenceTargets) -> Tensor:
        """Cost (Q, n)."""
        raise NotImplementedError


@TASK_UTILS.register_module()
class SequenceClassCost(SequenceCost):
    """Minus the mean probability of the true class.

    Args:
        weight: Factor of the cost.
        absent_as_first: An absent frame counts as class 0 (the VisTR reference) and not as the
            class of its sequence.
    """

    def __init__(self, weight: float = 1.0, absent_as_first: bool = True) -> None:
        super().__init__(weight)
        self.absent_as_first = absent_as_first

    def __call__(self, predictions: InstanceSequences, targets: SequenceTargets) -> Tensor:
        """Cost (Q, n) from logits."""
        probabilities = predictions.logits.softmax(-1).transpose(0, 1)  # T, Q, K+1
        frames = torch.arange(len(probabilities), device=probabilities.device)
        labels = targets.labels[:, None].expand_as(targets.valid)
        if self.absent_as_first:
            labels = labels * targets.valid
        of_target = probabilities[frames, :, labels]  # n, T, Q
        return -self.weight * torch.einsum("ntq,nt->qn", of_target, targets.frame_weights)


@TASK_UTILS.register_module()
class SequenceBoxL1Cost(SequenceCost):
    """Mean absolute difference of the four box coordinates; an absent frame has a zero box."""

    needs = frozenset({"boxes"})

    def __init__(self, weight: float = 5.0) -> None:
        super().__init__(weight)

    def __call__(self, predictions: InstanceSequences, targets: SequenceTargets) -> Tensor:
        """Cost (Q, n) from boxes."""
        assert predictions.boxes is not None
        difference = (predictions.boxes[:, None] - targets.boxes).abs().mean(-1)  # Q, n, T
        return self.weight * (difference * targets.frame_weights).sum(-1)


@TASK_UTILS.register_module()
class SequenceIoUCost(SequenceCost):
    """Minus the mean IoU, or generalised IoU, of the boxes.

    Args:
        weight: Factor of the cost.
        mode: ``"iou"`` (what the reference computes under the name giou) or ``"giou"``.
        eps: Added to numerators and denominators.

    Raises:
        UserInputError: If ``mode`` is neither.
    """

    needs = frozenset({"boxes"})

    def __init__(self, weight: float = 2.0, mode: str = "iou", eps: float = 1e-6) -> None:
        super().__init__(weight)
        if mode not in ("iou", "giou"):
            raise UserInputError(f"mode={mode!r}: expected iou or giou")
        self.mode = mode
        self.eps = eps

    def __call__(self, predictions: InstanceSequences, targets: SequenceTargets) -> Tensor:
        """Cost (Q, n) from boxes."""
        assert predictions.boxes is not None
        iou, giou = smoothed_iou(predictions.boxes[:, None], targets.boxes[None], self.eps)
        similarity = iou if self.mode == "iou" else giou  # Q, n, T
        return -self.weight * (similarity * targets.frame_weights).sum(-1)


class _SequenceMaskCost(SequenceCost):
    """Base of the costs that compare masks, all frames of ``matched_frames`` together.

    Args:
        weight: Factor of the cost.
        num_points: Random points of each frame that masks are compared at; None for all cells of
            the predicted masks, to whose size the true ones are averaged down.

    Source: Mask2Former for video (2021): masks of all frames as one volume.
    """

    needs = frozenset({"masks"})

    def __init__(self, weight: float = 1.0, num_points: int | None = None) -> None:
        super().__init__(weight)
        self.num_points = num_points

    def __call__(self, predictions: InstanceSequences, targets: SequenceTargets) -> Tensor:
        """Cost (Q, n) from mask logits."""
        logits = predictions.mask_logits
        assert logits is not None
        assert targets.masks is not None
        masks = targets.masks.to(logits.dtype)
        counted = (targets.frame_weights > 0).to(logits.dtype)[..., None]  # n, T, 1
        if self.num_points is None:
            masks = cell_shares(masks, logits).flatten(2)
            logits = logits.flatten(2)
        else:
            points = logits.new_empty(logits.shape[1], self.num_points, 2).uniform_()  # T, P, 2
            logits, masks = (
                torch.stack([point_sample(frames[:, None], points)[:, 0] for frames in volumes])
                if len(volumes)
                else volumes.new_zeros(0, len(points), self.num_points)
                for volumes in (logits, masks)
            )
        # Sums over the cells of a clip do not fit into float16.
        with torch.autocast(logits.device.type, enabled=False):
            return self.weight * self._compare(logits, masks, counted.expand_as(masks))

    def _compare(self, logits: Tensor, masks: Tensor, counted: Tensor) -> Tensor:
        """(Q, n) from (Q, T, P), (n, T, P) in 0..1 and what counts, (n, T, P) 0 or 1."""
        raise NotImplementedError


@TASK_UTILS.register_module()
class SequenceMaskCost(_SequenceMaskCost):
    """Mean binary cross-entropy of the mask pixels."""

    def _compare(self, logits: Tensor, masks: Tensor, counted: Tensor) -> Tensor:
        # BCE(x, y) = softplus(x) - x y, which keeps the sums over pixels matrix products.
        x, y, c = (tensor.flatten(1) for tensor in (logits, masks * counted, counted))
        return (F.softplus(x) @ c.T - x @ y.T) / c.sum(1).clamp(min=1)


@TASK_UTILS.register_module()
class SequenceDiceCost(_SequenceMaskCost):
    """One minus the dice coefficient of the masks, with 1 added to both of its parts."""

    def _compare(self, logits: Tensor, masks: Tensor, counted: Tensor) -> Tensor:
        x, y, c = (tensor.flatten(1) for tensor in (logits.sigmoid(), masks * counted, counted))
        return 1 - (2 * (x @ y.T) + 1) / (x @ c.T + y.sum(1) + 1)


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
