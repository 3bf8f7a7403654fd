"""What the head hands to criterion and mask head."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class SequencePredictions:
    """Predictions of every decoder layer for a batch of clips.

    Attributes:
        states: Decoder states (L, N, T, Q, C), after the decoder's final norm.
        logits: Class logits (L, N, T, Q, K+1), no-object last.
        boxes: (L, N, T, Q, 4) as (cx, cy, w, h) in 0..1 of the unpadded frame.
    """

    states: Tensor
    logits: Tensor
    boxes: Tensor
