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
        masks: (n, h*w) bool, the masks in the last frame in which each was seen; None where places
            do not count.
    """

    ids: Tensor
    slots: Tensor
    seen: Tensor
    classes: Tensor
    states: Tensor | None
    masks: Tensor | None = None

    @classmethod
    def of_clip(cls, start: int, clip: InstanceSequences, with_masks: bool) -> "Looks":
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
        masks = _masks_at(clip, (last - start).clamp(min=0)) if with_masks else None
        return cls(slots + FIRST_ID, slots, last.cpu(), classes, states, masks)

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
        if self.masks is not None and other.masks is not None:
            self.masks[rows] = other.masks

    def similarity(self, other: "Looks") -> Tensor:
        """Cosine (n, m) of the states; without states 1 for the same slot, else 0."""
        if self.states is None or other.states is None:
            return (self.slots[:, None] == other.slots).float()
        return F.normalize(self.states, dim=-1) @ F.normalize(other.states, dim=-1).T

    def overlap(self, clip: InstanceSequences, frames: Tensor) -> Tensor:
        """IoU (n, S) of the masks with those of a clip in one frame (S,) of each; 0 without."""
        masks = _masks_at(clip, frames)
        if self.masks is None or masks is None:
            return torch.zeros(len(self), len(clip))
        return mask_iou(self.masks, masks)


def mask_iou(a: Tensor, b: Tensor) -> Tensor:
    """IoU (n, m) of masks (n, P) and (m, P) bool."""
    a, b = a.float(), b.float()
    shared = a @ b.T
    union = a.sum(1)[:, None] + b.sum(1) - shared
    return shared / union.clamp(min=1)


def _masks_at(clip: InstanceSequences, frames: Tensor) -> Tensor | None:
    """Masks (S, h*w) bool of a clip, on the CPU, in one frame (S,) of each; None without."""
    if clip.mask_logits is None:
        return None
    rows = torch.arange(len(clip), device=frames.device)
    return clip.mask_logits[rows, frames].flatten(1).gt(0).cpu()


def is_seen(clip: InstanceSequences) -> Tensor:
    """(S, T) bool, whether a sequence has a mask pixel in a frame; without masks, whether it is."""
    if clip.mask_logits is None:
        return clip.covered
    return clip.mask_logits.flatten(2).gt(0).any(2) & clip.covered
