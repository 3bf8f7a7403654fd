"""Predictions for the next frames of a video in their final, small form."""

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

Counts = list[list[str | None]]  # S lists of t compressed RLE, None where hidden


@dataclass(frozen=True)
class EncodedFrames:
    """S sequences in the next t frames of a video, on the CPU.

    Attributes:
        ids: (S,) int64 ids from 1, which the linker gave.
        frame_scores: (S, t) float32 scores in each frame; 0 without a prediction.
        visible: (S, t) bool, false where the sequence is hidden or has no prediction.
        boxes: (S, t, 4) float32 as (x1, y1, x2, y2) in pixels of the original frame.
        counts: Masks as compressed RLE, None where hidden; None for a model without masks.
    """

    ids: Tensor
    frame_scores: Tensor
    visible: Tensor
    boxes: Tensor
    counts: Counts | None

    @property
    def num_frames(self) -> int:
        """Number of frames t."""
        return self.visible.shape[1]

    def __len__(self) -> int:
        return len(self.ids)


class SequenceScores(NamedTuple):
    """Which sequences of a video are results, best first where the post-processor sorts them.

    Attributes:
        ids: (n,) int64 ids; a sequence that is given as several classes is there several times.
        scores: (n,) float32.
        labels: (n,) int64 classes.
    """

    ids: Tensor
    scores: Tensor
    labels: Tensor
