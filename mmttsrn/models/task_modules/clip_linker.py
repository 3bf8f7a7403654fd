"""Sequences of a long video from the sequences of its overlapping clips."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from mmttsrn.registry import TASK_UTILS
from mmttsrn.structures import InstanceSequences


def plan_clips(num_frames: int, clip_length: int, overlap: int) -> list[int]:
    """First frames of the clips that cover a video.

    Args:
        num_frames: Length of the video.
        clip_length: Length T of a clip.
        overlap: Fewest frames that neighbouring clips share.

    Returns:
        Rising starts; the last clip ends with the video, so it may overlap more. A video that is
        not longer than a clip needs one clip, from frame 0.
    """
    last = max(num_frames - clip_length, 0)
    return [*range(0, last, clip_length - overlap), last]


@dataclass
class LinkedVideo:
    """State of linking: the sequences so far and the slot in which each was seen last."""

    sequences: InstanceSequences
    slots: Tensor


@TASK_UTILS.register_module()
class ClipLinker:
    """Join the sequences of neighbouring clips by what they predict in the shared frames.

    Sequences are paired one to one, by a Hungarian assignment on mask IoU (box IoU without masks)
    plus class agreement. A pair is joined when its IoU reaches ``min_iou``, or when neither has a
    pixel in the shared frames and both come from the same query slot (a hidden object). What is
    left over starts a sequence of its own. In shared frames the logits and boxes are averaged.

    Args:
        min_iou: Smallest IoU over the shared frames that joins two sequences.
        min_score: A sequence that starts after the first clip is kept when its mean score over
            its clip reaches this; bounds the number of sequences of a long video.
    """

    def __init__(self, min_iou: float = 0.2, min_score: float = 0.05) -> None:
        self.min_iou = min_iou
        self.min_score = min_score

    @torch.no_grad()
    def link(
        self, clips: Iterable[tuple[int, InstanceSequences]], num_frames: int
    ) -> InstanceSequences:
        """Link the clips of a video.

        Args:
            clips: Pairs (first frame, sequences of the clip), in rising order. Each clip is
                consumed before the next one is asked for.
            num_frames: Length of the video.

        Returns:
            Sequences over the whole video, those of the first clip first.
        """
        video: LinkedVideo | None = None
        for start, clip in clips:
            if video is None and clip.covered.shape[1] == num_frames:
                return clip
            if video is None:
                video = LinkedVideo(_blank(clip, 0, num_frames), torch.zeros(0, dtype=torch.int64))
            self._add(video, start, clip)
        if video is None:
            raise ValueError("ClipLinker: a video needs at least one clip")
        return video.sequences

    def _add(self, video: LinkedVideo, start: int, clip: InstanceSequences) -> None:
        num_slots, length = clip.covered.shape
        window = video.sequences.frames(start, start + length)
        tracks, slots = self._pair(window, clip, video.slots)
        free = torch.ones(num_slots, dtype=torch.bool)
        free[slots] = False
        if len(video.slots):
            scores = clip.logits.softmax(-1)[..., :-1].amax(-1).mean(1).cpu()
            free &= scores >= self.min_score
        new = free.nonzero().squeeze(1)
        rows = torch.arange(len(video.slots), len(video.slots) + len(new))
        video.slots = torch.cat([video.slots, new])
        video.slots[tracks] = slots
        blank = _blank(clip, len(new), video.sequences.covered.shape[1])
        video.sequences = _cat(video.sequences, blank)
        _merge(video.sequences, torch.cat([tracks, rows]), start, clip, torch.cat([slots, new]))

    def _pair(
        self, window: InstanceSequences, clip: InstanceSequences, track_slots: Tensor
    ) -> tuple[Tensor, Tensor]:
        shared = window.covered.any(0)
        active = window.covered[:, shared].any(1).nonzero().squeeze(1).cpu()
        if not len(active):
            return active, active
        old, new = _select(window, active, shared), _select(clip, None, shared)
        iou, both_empty = _overlap(old, new)
        agreement = old.logits.softmax(-1).mean(1) @ new.logits.softmax(-1).mean(1).T
        same_slot = track_slots[active][:, None] == torch.arange(len(clip.covered))
        score = (iou + agreement).cpu() + 0.1 * same_slot
        rows, columns = map(torch.as_tensor, linear_sum_assignment(-score))
        joined = (iou.cpu() >= self.min_iou) | (both_empty.cpu() & same_slot)
        ok = joined[rows, columns]
        return active[rows[ok]], columns[ok]


def _overlap(a: InstanceSequences, b: InstanceSequences) -> tuple[Tensor, Tensor]:
    """IoU (A, B) over all shared frames together, and whether both have no pixel at all."""
    if a.mask_logits is None or b.mask_logits is None:
        return _box_iou(a.boxes, b.boxes), a.boxes.new_zeros(len(a.boxes), len(b.boxes)).bool()
    x, y = (s.mask_logits.flatten(1).gt(0).float() for s in (a, b))  # type: ignore[union-attr]
    inter = x @ y.T
    union = x.sum(1)[:, None] + y.sum(1) - inter
    return inter / union.clamp(min=1), union == 0


def _box_iou(a: Tensor, b: Tensor) -> Tensor:
    low = torch.max(*((c[..., :2] - c[..., 2:] / 2) for c in (a[:, None], b[None])))
    high = torch.min(*((c[..., :2] + c[..., 2:] / 2) for c in (a[:, None], b[None])))
    inter = (high - low).clamp(min=0).prod(-1).sum(-1)
    areas = [c[..., 2:].prod(-1).sum(-1) for c in (a, b)]
    return inter / (areas[0][:, None] + areas[1] - inter).clamp(min=1e-6)


def _select(s: InstanceSequences, rows: Tensor | None, frames: Tensor) -> InstanceSequences:
    rows = torch.arange(len(s.covered)) if rows is None else rows
    masks = None if s.mask_logits is None else s.mask_logits[rows][:, frames]
    return InstanceSequences(
        s.logits[rows][:, frames], s.boxes[rows][:, frames], masks, s.covered[rows][:, frames]
    )


def _blank(like: InstanceSequences, count: int, num_frames: int) -> InstanceSequences:
    masks = like.mask_logits
    return InstanceSequences(
        like.logits.new_zeros(count, num_frames, like.logits.shape[-1]),
        like.boxes.new_zeros(count, num_frames, 4),
        None if masks is None else masks.new_zeros(count, num_frames, *masks.shape[-2:]),
        like.covered.new_zeros(count, num_frames),
    )


def _cat(a: InstanceSequences, b: InstanceSequences) -> InstanceSequences:
    if not len(b.covered):
        return a
    masks = None
    if a.mask_logits is not None and b.mask_logits is not None:
        masks = torch.cat([a.mask_logits, b.mask_logits])
    return InstanceSequences(
        torch.cat([a.logits, b.logits]),
        torch.cat([a.boxes, b.boxes]),
        masks,
        torch.cat([a.covered, b.covered]),
    )


def _merge(
    video: InstanceSequences, rows: Tensor, start: int, clip: InstanceSequences, slots: Tensor
) -> None:
    """Write clip rows ``slots`` into video rows ``rows``; average where both are covered."""
    stop = start + clip.covered.shape[1]
    old = video.covered[rows, start:stop]
    for name in ("logits", "boxes", "mask_logits"):
        target, source = getattr(video, name), getattr(clip, name)
        if target is None:
            continue
        share = (old.to(source.dtype) / 2).view(*old.shape, *[1] * (source.dim() - 2))
        target[rows, start:stop] = share * target[rows, start:stop] + (1 - share) * source[slots]
    video.covered[rows, start:stop] = True
