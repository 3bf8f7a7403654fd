"""Ground-truth instance sequences of a clip."""

from dataclasses import dataclass

import torch
from torch import Tensor

from mmttsrn.structures.instance_sequences import each_tensor


@dataclass(frozen=True)
class SequenceTargets:
    """Instances of one clip as whole sequences.

    Attributes:
        labels: (n,) int64 classes in 0..K-1.
        boxes: (n, T, 4) as (cx, cy, w, h) in 0..1 of the unpadded frame; 0 where absent.
        valid: (n, T) bool, whether the instance is visible in the frame.
        masks: (n, T, H, W) bool at the size of the padded frames, empty where absent; None for a
            model without masks.
        frame_size: Height and width of the unpadded frames, in pixels.
        complete: Whether every object of the clip is annotated. Otherwise a prediction that
            overlaps none of them may still be right.
        matched_frames: (n, T) bool, the frames that matching costs are means over; None for all.
    """

    labels: Tensor
    boxes: Tensor
    valid: Tensor
    masks: Tensor | None
    frame_size: tuple[int, int]
    complete: bool = True
    matched_frames: Tensor | None = None

    @property
    def frame_weights(self) -> Tensor:
        """(n, T) float32 weights of the frames in a mean over ``matched_frames``."""
        frames = self.matched_frames
        weights = (torch.ones_like(self.valid) if frames is None else frames).float()
        return weights / weights.sum(-1, keepdim=True).clamp(min=1)

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> "SequenceTargets":
        """Copy to a device."""
        return each_tensor(self, lambda field: field.to(device))

    def select(self, keep: Tensor) -> "SequenceTargets":
        """Targets of the instances in ``keep`` (int64 indices)."""
        return each_tensor(self, lambda field: field[keep])

    def largest(self, count: int) -> "SequenceTargets":
        """Keep the ``count`` instances of the largest area over the clip, in their order."""
        area = self.boxes[..., 2:].prod(-1) if self.masks is None else self.masks.flatten(2).sum(-1)
        return self.select(area.sum(1).topk(count).indices.sort().values)
