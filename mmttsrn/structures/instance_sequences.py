"""Raw predictions of instance sequences over a clip or a whole video."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class InstanceSequences:
    """S predicted sequences over T frames, before post-processing.

    Attributes:
        logits: Class logits (S, T, K+1), no-object last.
        boxes: (S, T, 4) as (cx, cy, w, h) in 0..1 of the unpadded frame.
        mask_logits: (S, T, h, w) over the padded frame, or None for a box-only model.
        covered: (S, T) bool, false in frames for which the sequence has no prediction.
    """

    logits: Tensor
    boxes: Tensor
    mask_logits: Tensor | None
    covered: Tensor

    @classmethod
    def from_clip(
        cls, logits: Tensor, boxes: Tensor, mask_logits: Tensor | None
    ) -> "InstanceSequences":
        """Sequences of one clip from head outputs (T, Q, ...) and masks (Q, T, h, w)."""
        logits, boxes = logits.transpose(0, 1), boxes.transpose(0, 1)
        return cls(logits, boxes, mask_logits, torch.ones_like(logits[..., 0], dtype=torch.bool))

    def frames(self, start: int, stop: int) -> "InstanceSequences":
        """The same sequences in frames ``start`` to ``stop - 1``."""
        masks = None if self.mask_logits is None else self.mask_logits[:, start:stop]
        return InstanceSequences(
            self.logits[:, start:stop],
            self.boxes[:, start:stop],
            masks,
            self.covered[:, start:stop],
        )
