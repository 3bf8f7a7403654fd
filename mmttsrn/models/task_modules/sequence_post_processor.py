"""From raw sequences to scored, classified masks at the original size."""

from collections.abc import Iterable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mmttsrn.models.task_modules.mask_encoding import (
    Counts,
    MaskEncoder,
    boxes_of_masks,
    logit_threshold,
    to_pixels,
)
from mmttsrn.registry import TASK_UTILS
from mmttsrn.structures import FinishedFrames, FrameSizes, SequenceResults


class _Part(NamedTuple):
    """Results of S sequences in the next t frames of a video."""

    ids: Tensor  # S
    visible: Tensor  # S, t
    frame_scores: Tensor  # S, t
    votes: Tensor  # S, K frames by class
    boxes: Tensor | None  # S, t, 4 in pixels
    counts: Counts | None
    has_pixel: Tensor  # S, whether there is a mask pixel, hidden or not


@TASK_UTILS.register_module()
class SequencePostProcessor:
    """Score = mean over frames, class = majority over frames, masks at the original size.

    An instance without a single mask pixel is dropped; the others stay whatever their score. A
    frame with a score below ``null_frame_score`` is hidden: it has no mask, but counts in the mean
    and in the vote.

    Args:
        mask_thr: A pixel belongs to the mask when its probability is above this.
        null_frame_score: A frame is hidden when its score is below this.
        max_pixels: Most mask pixels resized at a time; bounds the memory.

    Source: behaviour of the VisTR inference loop; frames that no clip predicts (possible only in
    videos longer than a clip) are hidden, have score 0 and no vote.
    """

    def __init__(
        self, mask_thr: float = 0.5, null_frame_score: float = 0.001, max_pixels: int = 2**25
    ) -> None:
        self.logit_thr = logit_threshold(mask_thr, "SequencePostProcessor")
        self.null_frame_score = null_frame_score
        self.max_pixels = max_pixels

    def __call__(self, parts: Iterable[FinishedFrames], sizes: FrameSizes) -> SequenceResults:
        """Finish the predictions of one video.

        Args:
            parts: Its frames in order, as they become final; each part is consumed before the next
                one is asked for, and its masks become RLE.
            sizes: Sizes of its frames.

        Returns:
            The n sequences that have a mask pixel in some frame.
        """
        encoder = MaskEncoder(sizes, self.logit_thr, self.max_pixels)
        return _join([self._finish(part, sizes, encoder) for part in parts], sizes)

    def _finish(self, part: FinishedFrames, sizes: FrameSizes, encoder: MaskEncoder) -> _Part:
        sequences, boxes = part.sequences, part.sequences.boxes
        probabilities = sequences.logits.float().softmax(-1)[..., :-1]  # S, t, K
        frame_scores, frame_labels = probabilities.max(-1)
        frame_scores = frame_scores * sequences.covered
        votes = F.one_hot(frame_labels, probabilities.shape[-1]) * sequences.covered[..., None]
        visible = sequences.covered & (frame_scores >= self.null_frame_score)
        counts, has_pixel = encoder.encode(sequences, visible)
        return _Part(
            part.ids,
            visible.cpu(),
            frame_scores.cpu(),
            votes.sum(1).cpu(),
            None if boxes is None else to_pixels(boxes.float(), sizes.original).cpu(),
            counts,
            has_pixel.any(1),
        )


def _join(parts: list[_Part], sizes: FrameSizes) -> SequenceResults:
    """Results of the whole video from those of its parts."""
    n = max((int(part.ids[-1]) + 1 for part in parts if len(part.ids)), default=0)
    t = sum(part.visible.shape[1] for part in parts)
    frame_scores, boxes = torch.zeros(n, t), torch.zeros(n, t, 4)
    visible, has_pixel = torch.zeros(n, t, dtype=torch.bool), torch.zeros(n, dtype=torch.bool)
    votes = torch.zeros(n, parts[0].votes.shape[1], dtype=torch.int64)
    counts: Counts = [[None] * t for _ in range(n)]
    start = 0
    for part in parts:
        stop = start + part.visible.shape[1]
        frame_scores[part.ids, start:stop] = part.frame_scores
        visible[part.ids, start:stop] = part.visible
        votes[part.ids] += part.votes
        has_pixel[part.ids] |= part.has_pixel
        if part.boxes is not None:
            boxes[part.ids, start:stop] = part.boxes
        for row, texts in zip(part.ids.tolist(), part.counts or (), strict=False):
            counts[row][start:stop] = texts
        start = stop
    with_masks = parts[0].counts is not None
    if parts[0].boxes is None:
        boxes = boxes_of_masks(counts, sizes.original)
    keep = has_pixel.nonzero().squeeze(1) if with_masks else torch.arange(n)
    return SequenceResults(
        scores=frame_scores.mean(1)[keep],
        # argmax takes the first of equal counts, which is the smallest class.
        labels=votes.argmax(-1)[keep],
        frame_scores=frame_scores[keep],
        visible=visible[keep],
        boxes=boxes[keep],
        size=sizes.original,
        counts=[counts[row] for row in keep.tolist()] if with_masks else None,
    )
