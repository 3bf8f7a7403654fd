"""Raw predictions of instance sequences over a clip or a part of a video."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

T = TypeVar("T")


def each_tensor(item: T, change: Callable[[Tensor], Tensor]) -> T:
    """Copy of a dataclass with changed tensors; other fields stay as they are."""
    fields = vars(item).items()
    return type(item)(**{name: change(x) if isinstance(x, Tensor) else x for name, x in fields})


@dataclass(frozen=True)
class InstanceSequences:
    """S predicted sequences over T frames, before post-processing.

    Attributes:
        logits: Class logits (S, T, K+1), no-object last.
        boxes: (S, T, 4) as (cx, cy, w, h) in 0..1 of the unpadded frame, or None.
        mask_logits: (S, T, h, w) over the padded frame, or None.
        covered: (S, T) bool, false in frames for which the sequence has no prediction.
        states: Decoder states (S, T, C), what a sequence is known by when it comes back; None from
            a decoder without.
        quality: Logits (S, T) of the IoU that the mask is expected to have with its object; None
            from a decoder that does not say.
    """

    logits: Tensor
    boxes: Tensor | None
    mask_logits: Tensor | None
    covered: Tensor
    states: Tensor | None = None
    quality: Tensor | None = None

    @classmethod
    def from_clip(
        cls,
        logits: Tensor,
        boxes: Tensor | None,
        mask_logits: Tensor | None,
        states: Tensor | None = None,
        quality: Tensor | None = None,
    ) -> "InstanceSequences":
        """Take over one clip of decoder outputs (T, Q, ...) and masks (Q, T, h, w)."""
        logits = logits.transpose(0, 1)
        boxes, states, quality = (
            None if x is None else x.transpose(0, 1) for x in (boxes, states, quality)
        )
        covered = torch.ones_like(logits[..., 0], dtype=torch.bool)
        return cls(logits, boxes, mask_logits, covered, states, quality)

    def __len__(self) -> int:
        return len(self.covered)

    def frames(self, start: int, stop: int) -> "InstanceSequences":
        """View the same sequences in frames ``start`` to ``stop - 1``."""
        return each_tensor(self, lambda field: field[:, start:stop])

    def select(self, rows: Tensor, frames: Tensor | None = None) -> "InstanceSequences":
        """Copy of some sequences, and of the frames (T,) bool if given."""
        return each_tensor(
            self, lambda field: field[rows] if frames is None else field[rows][:, frames]
        )

    def extended(self, num_sequences: int, num_frames: int) -> "InstanceSequences":
        """Copy with room for more sequences and frames, which have no prediction yet."""
        s, t = self.covered.shape
        more = (0, num_frames - t, 0, num_sequences - s)
        return each_tensor(self, lambda field: F.pad(field, (0, 0) * (field.dim() - 2) + more))


@dataclass(frozen=True)
class FinishedFrames:
    """The next frames of a video, which nothing changes any more.

    Attributes:
        ids: (S,) int64 ids from 1, which the linker gave.
        sequences: The S sequences over these frames. Sequences of the video that are not among
            them have no prediction here.
    """

    ids: Tensor
    sequences: InstanceSequences
