"""Final predictions for a video."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class SequenceResults:
    """Final predictions for one video.

    Attributes:
        scores: (n,) float32 sequence scores.
        labels: (n,) int64 classes.
        frame_scores: (n, T) float32 scores in each frame.
        boxes: (n, T, 4) float32 as (x1, y1, x2, y2) in original pixels.
        masks: (n, T, H, W) bool at the original size, on the CPU; None for a box-only model.
    """

    scores: Tensor
    labels: Tensor
    frame_scores: Tensor
    boxes: Tensor
    masks: Tensor | None
