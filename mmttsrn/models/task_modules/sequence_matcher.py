"""One-to-one matching of predicted and true instance sequences."""

from collections.abc import Sequence

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from mmttsrn.errors import UserInputError
from mmttsrn.registry import TASK_UTILS
from mmttsrn.structures import SequenceTargets


@TASK_UTILS.register_module()
class InstanceSequenceMatcher:
    """Hungarian matching of whole sequences by a sum of costs.

    Args:
        costs: Configs of the costs; by default 1 x class, 5 x box L1, 2 x box IoU.
        visible_only: Take the means of the costs over the frames where the true instance is
            visible, instead of all frames with absent ones as class 0 and a zero box (the
            reference).

    Source: VisTR (CVPR 2021), section 3.3. The reference then reads the visibility of the wrong
    instance where the assignment changes the order; that is mended here.
    """

    def __init__(self, costs: Sequence[dict] | None = None, visible_only: bool = False) -> None:
        self.costs = [TASK_UTILS.build(cost) for cost in costs or DEFAULT_COSTS]
        self.visible_only = visible_only

    @torch.no_grad()
    def cost_matrix(self, logits: Tensor, boxes: Tensor, targets: SequenceTargets) -> Tensor:
        """Sum of the costs (Q, n) of one clip; arguments as for ``match``."""
        weights = targets.valid if self.visible_only else torch.ones_like(targets.valid)
        weights = weights.float() / weights.sum(-1, keepdim=True).clamp(min=1)
        logits, boxes = logits.float(), boxes.float()
        return torch.stack([c(logits, boxes, targets, weights) for c in self.costs]).sum(0)

    def match(self, logits: Tensor, boxes: Tensor, targets: SequenceTargets) -> Tensor:
        """Match one clip.

        Args:
            logits: Class logits (T, Q, K+1).
            boxes: Boxes (T, Q, 4) as (cx, cy, w, h).
            targets: n true sequences.

        Returns:
            (min(Q, n), 2) int64 rows (predicted, true), by rising prediction.

        Raises:
            UserInputError: If a cost is not finite, e.g. because training diverged.
        """
        cost = self.cost_matrix(logits, boxes, targets)
        if not cost.isfinite().all():
            raise UserInputError(
                "InstanceSequenceMatcher: a matching cost is not finite; training diverged "
                "(lower the learning rate) or the boxes hold NaN"
            )
        predicted, true = linear_sum_assignment(cost.cpu())
        return torch.stack([torch.as_tensor(predicted), torch.as_tensor(true)], 1).to(cost.device)


DEFAULT_COSTS = (
    dict(type="mmttsrn.SequenceClassCost", weight=1.0),
    dict(type="mmttsrn.SequenceBoxL1Cost", weight=5.0),
    dict(type="mmttsrn.SequenceIoUCost", weight=2.0),
)
