"""Sequences of a long video from the sequences of its overlapping clips."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from mmttsrn.registry import TASK_UTILS
from mmttsrn.structures import FinishedFrames, InstanceSequences

FIELDS = ("logits", "boxes", "mask_logits", "covered")


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
class _Window:
    """The frames of a video that later clips can still change, and who is in them.

    Attributes:
        start: First of these frames.
        ids: (S,) int64, which sequences of the video have a prediction in them, rising.
        slots: (S,) int64, the query slot in which each was seen last.
        sequences: Predictions of the S sequences in these frames.
        count: Sequences of the video so far.
    """

    start: int
    ids: Tensor
    slots: Tensor
    sequences: InstanceSequences
    count: int

    @classmethod
    def of_clip(cls, start: int, clip: InstanceSequences) -> "_Window":
        """Window of the first clip, in which every slot starts a sequence."""
        ids = torch.arange(len(clip))
        return cls(start, ids, ids.clone(), clip.select(ids), len(clip))

    def release(self, stop: int) -> FinishedFrames:
        """Give away the frames before ``stop``, and the sequences that end there."""
        num_frames = min(stop - self.start, self.sequences.covered.shape[1])
        finished = FinishedFrames(self.ids, self.sequences.frames(0, num_frames))
        rest = self.sequences.frames(num_frames, self.sequences.covered.shape[1])
        kept = rest.covered.any(1).nonzero().squeeze(1)
        self.sequences = rest.select(kept)
        self.ids, self.slots = self.ids[kept.cpu()], self.slots[kept.cpu()]
        self.start = stop
        return finished

    def add(self, slots: Tensor, num_frames: int) -> Tensor:
        """Make room for new sequences from some slots and for ``num_frames``; give their rows."""
        rows = torch.arange(len(slots)) + len(self.ids)
        old, held = self.sequences, self.sequences.covered.shape[1]
        self.sequences = old.blank(len(self.ids) + len(slots), num_frames)
        for name in FIELDS:
            target = getattr(self.sequences, name)
            if target is not None:
                target[: len(self.ids), :held] = getattr(old, name)
        self.ids = torch.cat([self.ids, torch.arange(len(slots)) + self.count])
        self.slots = torch.cat([self.slots, slots])
        self.count += len(slots)
        return rows


@TASK_UTILS.register_module()
class ClipLinker:
    """Join the sequences of neighbouring clips by what they predict in the shared frames.

    Sequences are paired one to one, by a Hungarian assignment on mask IoU (box IoU without masks)
    plus class agreement. A pair is joined when its IoU reaches ``min_iou``, or when neither has a
    pixel in the shared frames and both come from the same query slot (a hidden object). What is
    left over starts a sequence of its own. In shared frames the mean of what is there and what the
    clip predicts is kept; of three clips, the third one weighs a half.

    Args:
        min_iou: Smallest IoU over the shared frames that joins two sequences.
        min_score: A sequence that starts after the first clip is kept when its mean score over
            its clip reaches this; bounds the number of sequences of a long video.
    """

    def __init__(self, min_iou: float = 0.2, min_score: float = 0.05) -> None:
        self.min_iou = min_iou
        self.min_score = min_score

    @torch.no_grad()
    def link(self, clips: Iterable[tuple[int, InstanceSequences]]) -> Iterator[FinishedFrames]:
        """Link the clips of a video; the memory needed does not grow with its length.

        Args:
            clips: Pairs (first frame, sequences of the clip), in rising order and without a gap.
                Each clip is consumed before the next one is asked for.

        Yields:
            The frames that no later clip changes, in order. Sequences are numbered from 0, those
            of the first clip first.
        """
        window: _Window | None = None
        for start, clip in clips:
            if window is None:
                window = _Window.of_clip(start, clip)
            else:
                yield window.release(start)
                self._add(window, clip)
        if window is None:
            raise ValueError("ClipLinker: a video needs at least one clip")
        yield window.release(window.start + window.sequences.covered.shape[1])

    def _add(self, window: _Window, clip: InstanceSequences) -> None:
        rows, slots = self._pair(window, clip)
        free = torch.ones(len(clip), dtype=torch.bool)
        free[slots] = False
        if window.count:
            scores = clip.logits.softmax(-1)[..., :-1].amax(-1).mean(1).cpu()
            free &= scores >= self.min_score
        window.slots[rows] = slots
        new = free.nonzero().squeeze(1)
        new_rows = window.add(new, clip.covered.shape[1])
        _merge(window.sequences, torch.cat([rows, new_rows]), clip, torch.cat([slots, new]))

    def _pair(self, window: _Window, clip: InstanceSequences) -> tuple[Tensor, Tensor]:
        """Rows of the window and slots of the clip that belong together."""
        if not len(window.ids):
            return window.ids, window.ids
        shared = window.sequences.covered.any(0)
        old = window.sequences.select(torch.arange(len(window.ids)), shared)
        new = clip.frames(0, len(shared)).select(torch.arange(len(clip)), shared)
        iou, both_empty = _overlap(old, new)
        agreement = old.logits.softmax(-1).mean(1) @ new.logits.softmax(-1).mean(1).T
        same_slot = window.slots[:, None] == torch.arange(len(clip))
        score = (iou + agreement).cpu() + 0.1 * same_slot
        rows, columns = map(torch.as_tensor, linear_sum_assignment(-score))
        joined = (iou.cpu() >= self.min_iou) | (both_empty.cpu() & same_slot)
        ok = joined[rows, columns]
        return rows[ok], columns[ok]


def _overlap(a: InstanceSequences, b: InstanceSequences) -> tuple[Tensor, Tensor]:
    """IoU (A, B) over all shared frames together, and whether both have no pixel at all."""
    if a.mask_logits is None or b.mask_logits is None:
        assert a.boxes is not None
        assert b.boxes is not None
        return _box_iou(a.boxes, b.boxes), a.boxes.new_zeros(len(a), len(b)).bool()
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


def _merge(window: InstanceSequences, rows: Tensor, clip: InstanceSequences, slots: Tensor) -> None:
    """Write clip rows ``slots`` into window rows ``rows``; average where both are covered."""
    old = window.covered[rows]
    for name in FIELDS[:-1]:
        target, source = getattr(window, name), getattr(clip, name)
        if target is None:
            continue
        share = (old.to(source.dtype) / 2).view(*old.shape, *[1] * (source.dim() - 2))
        target[rows] = share * target[rows] + (1 - share) * source[slots]
    window.covered[rows] = True
