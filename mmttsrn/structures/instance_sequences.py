"""Raw predictions of instance sequences over a clip or a part of a video."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


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
    """

    logits: Tensor
    boxes: Tensor | None
    mask_logits: Tensor | None
    covered: Tensor
    states: Tensor | None = None

    @classmethod
    def from_clip(
        cls,
        logits: Tensor,
        boxes: Tensor | None,
        mask_logits: Tensor | None,
        states: Tensor | None = None,
    ) -> "InstanceSequences":
        """Take over one clip of decoder outputs (T, Q, ...) and masks (Q, T, h, w)."""
        logits = logits.transpose(0, 1)
        boxes, states = (None if x is None else x.transpose(0, 1) for x in (boxes, states))
        covered = torch.ones_like(logits[..., 0], dtype=torch.bool)
        return cls(logits, boxes, mask_logits, covered, states)

    def __len__(self) -> int:
        return len(self.covered)

    def frames(self, start: int, stop: int) -> "InstanceSequences":
        """View the same sequences in frames ``start`` to ``stop - 1``."""
        return self._each(lambda field: field[:, start:stop])

    def select(self, rows: Tensor, frames: Tensor | None = None) -> "InstanceSequences":
        """Copy of some sequences, and of the frames (T,) bool if given."""
        return self._each(lambda field: field[rows] if frames is None else field[rows][:, frames])

    def blank(self, num_sequences: int, num_frames: int) -> "InstanceSequences":
        """Sequences without any prediction, of the same kind."""
        return self._each(
            lambda field: field.new_zeros(num_sequences, num_frames, *field.shape[2:])
        )

    def _each(self, change: Callable[[Tensor], Tensor]) -> "InstanceSequences":
        return InstanceSequences(
            change(self.logits),
            None if self.boxes is None else change(self.boxes),
            None if self.mask_logits is None else change(self.mask_logits),
            change(self.covered),
            None if self.states is None else change(self.states),
        )


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
