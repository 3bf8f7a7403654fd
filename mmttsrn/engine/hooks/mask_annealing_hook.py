"""Masked attention that gives way, block by block, as a training goes on."""

from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmttsrn.checkpoints.state import bare_model
from mmttsrn.registry import HOOKS


@HOOKS.register_module()
class MaskAnnealingHook(Hook):
    """Takes the ``attn_mask_probs`` of an encoder-only head to 0.

    With n blocks a training has n + 2 spans of equal length. In the first one the queries of all
    blocks attend inside their masks; then the blocks learn to do without, one after the other, each
    in a span of its own; in the last one no mask is used, as in prediction.

    Source: EoMT (CVPR 2025), section 3.3; power and spans are those of its published configs.
    """

    power = 0.9

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Set the probabilities of this iteration."""
        head: Any = bare_model(runner.model).get_submodule("head")
        probabilities = head.attn_mask_probs
        count = len(probabilities)
        progress = runner.iter / runner.max_iters * (count + 2) - 1 - torch.arange(count)
        probabilities.copy_((1 - progress.clamp(0, 1)) ** self.power)
