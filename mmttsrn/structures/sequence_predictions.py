"""What one decoder layer predicts for a batch of clips."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from mmttsrn.structures.instance_sequences import InstanceSequences

# Computes mask logits (M, T, h, w) of M rows (clip, query) of a (M, 2) int64 tensor.
MaskFunction = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class SequencePredictions:
    """Predictions of one decoder layer for N clips of T frames and Q sequences.

    Attributes:
        logits: Class logits (N, T, Q, K+1), no-object last. A decoder with one class per sequence
            repeats it over the frames.
        boxes: (N, T, Q, 4) as (cx, cy, w, h) in 0..1 of the unpadded frame; None from a decoder
            without boxes.
        masks: Gives mask logits of the sequences that are asked for; None without masks. Heavy
            mask heads compute matched sequences only; see :func:`dense_masks` for logits that are
            there already.
        states: Decoder states (N, T, Q, C), which a mask head reads.
        pixel_logits: Class logits of pixels, maps (N, T, K+1, h, w); empty from a decoder without.
        quality: Logits (N, T, Q) of the IoU that each mask is expected to have with its object;
            None from a decoder that does not say.
        seed_logits: Logits (N, h, w) of whether a cell is the middle of an object, by which the
            cells were chosen that queries began at; from the last layer only, None without seeds.
    """

    logits: Tensor
    boxes: Tensor | None = None
    masks: MaskFunction | None = None
    states: Tensor | None = None
    pixel_logits: tuple[Tensor, ...] = ()
    quality: Tensor | None = None
    seed_logits: Tensor | None = None

    @property
    def gives(self) -> frozenset[str]:
        """What there is besides logits, by the names of the attributes."""
        parts = {
            "boxes": self.boxes,
            "masks": self.masks,
            "pixel_logits": self.pixel_logits or None,
            "quality": self.quality,
            "seed_logits": self.seed_logits,
        }
        return frozenset(name for name, part in parts.items() if part is not None)

    def mask_logits(self, clip: int | None = None) -> Tensor | None:
        """Mask logits (N, Q, T, h, w), or (Q, T, h, w) of one clip; None without masks."""
        if self.masks is None:
            return None
        n, _, q = self.logits.shape[:3]
        clips = torch.arange(n) if clip is None else torch.tensor([clip])
        rows = torch.cartesian_prod(clips, torch.arange(q)).to(self.logits.device)
        logits = self.masks(rows)
        return logits.unflatten(0, (n, q)) if clip is None else logits

    def clip(self, index: int, with_masks: bool = True) -> InstanceSequences:
        """Take the sequences of one clip; ``with_masks=False`` computes no masks."""
        return InstanceSequences.from_clip(
            self.logits[index],
            None if self.boxes is None else self.boxes[index],
            self.mask_logits(index) if with_masks else None,
            None if self.states is None else self.states[index],
            None if self.quality is None else self.quality[index],
        )


def dense_masks(mask_logits: Tensor) -> MaskFunction:
    """``SequencePredictions.masks`` of mask logits (N, Q, T, h, w)."""
    return lambda rows: mask_logits[rows[:, 0], rows[:, 1]]
