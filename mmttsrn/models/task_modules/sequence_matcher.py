"""One-to-one matching of predicted and true instance sequences."""

from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from mmttsrn.errors import DivergedError
from mmttsrn.registry import TASK_UTILS
from mmttsrn.structures import InstanceSequences, SequencePredictions, SequenceTargets
from mmttsrn.structures.instance_sequences import each_tensor


@TASK_UTILS.register_module()
class InstanceSequenceMatcher:
    """Hungarian matching of whole sequences by a sum of costs.

    Args:
        costs: Configs of the costs.
        visible_only: Take the means of the costs over the frames where the true instance is
            visible, instead of all frames with absent ones as class 0 and a zero box (the
            reference).

    Source: VisTR (CVPR 2021), section 3.3. The reference then reads the visibility of the wrong
    instance where the assignment changes the order; that is mended here.
    """

    def __init__(self, costs: Sequence[dict], visible_only: bool = False) -> None:
        self.costs = [TASK_UTILS.build(cost) for cost in costs]
        self.visible_only = visible_only

    @property
    def needs(self) -> frozenset[str]:
        """What the costs read besides logits, of ``boxes`` and ``masks``."""
        return frozenset().union(*(cost.needs for cost in self.costs))

    @torch.no_grad()
    def cost_matrix(self, predictions: InstanceSequences, targets: SequenceTargets) -> Tensor:
        """Sum of the costs (Q, n) of one clip; arguments as for ``match``."""
        if self.visible_only:
            targets = replace(targets, matched_frames=targets.valid)
        predictions = each_tensor(predictions, lambda x: x.float() if x.is_floating_point() else x)
        return torch.stack([cost(predictions, targets) for cost in self.costs]).sum(0)

    def match(self, predictions: InstanceSequences, targets: SequenceTargets) -> Tensor:
        """Match one clip.

        Returns:
            (min(Q, n), 2) int64 rows (predicted, true), by rising prediction.

        Raises:
            DivergedError: If a cost is not finite.
        """
        cost = self.cost_matrix(predictions, targets)
        if not cost.isfinite().all():
            raise DivergedError("InstanceSequenceMatcher: a matching cost is not finite")
        predicted, true = linear_sum_assignment(cost.cpu())
        return torch.stack([torch.as_tensor(predicted), torch.as_tensor(true)], 1).to(cost.device)

    @torch.no_grad()
    def match_clips(
        self, predictions: SequencePredictions, targets: Sequence[SequenceTargets]
    ) -> Tensor:
        """Match every clip of one decoder layer.

        Returns:
            (M, 3) int64 rows (clip, predicted, true), by rising clip.
        """
        with_masks = "masks" in self.needs
        rows = []
        for index, clip in enumerate(targets):
            pairs = self.match(predictions.clip(index, with_masks), clip)
            rows.append(F.pad(pairs, (1, 0), value=index))
        return torch.cat(rows)
