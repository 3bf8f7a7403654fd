"""What sequences look like, to know them again in other frames."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mmttsrn.structures import InstanceSequences
from mmttsrn.structures.instance_sequences import each_tensor

NEVER = -1
FIRST_ID = 1  # 0 is the background in pictures of ids


@dataclass
class Looks:
    """What n sequences looked like when they were seen last, to know them again.

    Attributes:
        ids: (n,) int64 ids from 1.
        slots: (n,) int64, the query slot in which each was seen.
        seen: (n,) int64, the last frame in which each was seen; ``NEVER`` if in none.
        classes: (n, K+1) mean class probabilities, those of the K classes times the predicted
            quality of the mask, where there is one.
        states: (n, C) mean decoder states, or None from a decoder without.
    """

    ids: Tensor
    slots: Tensor
    seen: Tensor
    classes: Tensor
    states: Tensor | None

    @classmethod
    def of_clip(cls, start: int, clip: InstanceSequences) -> "Looks":
        """Take the looks of the slots of a clip, over the frames in which each is seen."""
        seen = is_seen(clip)
        weights = seen.float()
        weights[~seen.any(1)] = 1.0  # over all frames, where there is none
        weights = weights[..., None] / weights.sum(1)[:, None, None]
        states = None if clip.states is None else (clip.states.float() * weights).sum(1).cpu()
        frames = torch.arange(start, start + seen.shape[1], device=seen.device)
        last = torch.where(seen, frames, NEVER).amax(1)
        slots = torch.arange(len(clip))
        probabilities = clip.logits.float().softmax(-1)
        if clip.quality is not None:
            probabilities[..., :-1] *= clip.quality.float().sigmoid()[..., None]
        classes = (probabilities * weights).sum(1).cpu()
        return cls(slots + FIRST_ID, slots, last.cpu(), classes, states)

    def __len__(self) -> int:
        return len(self.ids)

    def select(self, rows: Tensor) -> "Looks":
        """Those of some sequences."""
        return each_tensor(self, lambda x: x[rows])

    def append(self, other: "Looks") -> "Looks":
        """Both, one after the other."""
        joined: dict[str, Any] = {
            name: x if x is None else torch.cat([x, getattr(other, name)])
            for name, x in vars(self).items()
        }
        return Looks(**joined)

    def update(self, rows: Tensor, other: "Looks") -> None:
        """Take the looks of ``other`` for ``rows``; of one that is not seen, only the slot."""
        self.slots[rows] = other.slots
        is_new = other.seen > self.seen[rows]
        rows, other = rows[is_new], other.select(is_new)
        self.seen[rows], self.classes[rows] = other.seen, other.classes
        if self.states is not None and other.states is not None:
            self.states[rows] = other.states

    def similarity(self, other: "Looks") -> Tensor:
        """Cosine (n, m) of the states; without states 1 for the same slot, else 0."""
        if self.states is None or other.states is None:
            return (self.slots[:, None] == other.slots).float()
        return F.normalize(self.states, dim=-1) @ F.normalize(other.states, dim=-1).T


def is_seen(clip: InstanceSequences) -> Tensor:
    """(S, T) bool, whether a sequence has a mask pixel in a frame; without masks, whether it is."""
    if clip.mask_logits is None:
        return clip.covered
    return clip.mask_logits.flatten(2).gt(0).any(2) & clip.covered
