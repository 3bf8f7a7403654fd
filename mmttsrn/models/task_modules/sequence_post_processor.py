"""From raw sequences to scored, classified masks at the original size."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from pycocotools import mask as mask_utils
from torch import Tensor

from mmttsrn.errors import UserInputError
from mmttsrn.registry import TASK_UTILS
from mmttsrn.structures import FinishedFrames, FrameSizes, InstanceSequences, SequenceResults

Counts = list[list[str | None]]  # S lists of t compressed RLE, None where hidden


class _Part(NamedTuple):
    """Results of S sequences in the next t frames of a video."""

    ids: Tensor  # S
    visible: Tensor  # S, t
    frame_scores: Tensor  # S, t
    votes: Tensor  # S, K frames by class
    boxes: Tensor | None  # S, t, 4 in pixels
    counts: Counts | None
    has_pixel: Tensor  # S, whether there is a mask pixel, hidden or not


class _MaskEncoder:
    """Turns mask logits into RLE at the original size, at most ``max_pixels`` at a time."""

    def __init__(self, sizes: FrameSizes, logit_thr: float, max_pixels: int) -> None:
        self.sizes = sizes
        self.logit_thr = logit_thr
        height, width = sizes.original
        self.step = max(1, max_pixels // (height * width))
        # One buffer for the whole video: large blocks that come and go among many small strings
        # make the heap grow. pycocotools reads masks column by column.
        self.buffer = torch.empty(self.step, width, height, dtype=torch.bool)

    def encode(self, sequences: InstanceSequences, visible: Tensor) -> tuple[Counts | None, Tensor]:
        """RLE of the masks that are ``visible`` (S, t), and (S,) whether any mask has a pixel."""
        num_sequences, num_frames = sequences.covered.shape
        has_pixel = torch.zeros(num_sequences, dtype=torch.bool)
        if sequences.mask_logits is None:
            return None, has_pixel
        counts: Counts = [[None] * num_frames for _ in range(num_sequences)]
        rows, frames = sequences.covered.nonzero(as_tuple=True)
        for chunk in zip(rows.split(self.step), frames.split(self.step), strict=True):
            masks = self._masks(sequences.mask_logits[chunk].float())
            has_pixel[chunk[0].cpu()[masks.flatten(1).any(1)]] = True
            shown = visible[chunk].tolist()
            places = zip(chunk[0].tolist(), chunk[1].tolist(), shown, strict=True)
            for mask, (row, frame, is_shown) in zip(masks.numpy(), places, strict=True):
                if is_shown:
                    rle = mask_utils.encode(mask.view(np.uint8).T)  # H, W in Fortran order
                    counts[row][frame] = rle["counts"].decode()
        return counts, has_pixel

    def _masks(self, logits: Tensor) -> Tensor:
        """Masks (m, W, H) bool from logits (m, h, w); valid until the next call."""
        full = resize_mask_logits(logits, self.sizes).transpose(1, 2)
        masks = self.buffer[: len(logits)]
        if full.is_cuda:
            return masks.copy_(full > self.logit_thr)
        return torch.gt(full, self.logit_thr, out=masks)


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
        if not 0 < mask_thr < 1:
            raise UserInputError(
                f"SequencePostProcessor: mask_thr={mask_thr} must be between 0 and 1"
            )
        self.logit_thr = torch.logit(torch.tensor(mask_thr)).item()
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
        encoder = _MaskEncoder(sizes, self.logit_thr, self.max_pixels)
        return _join([self._finish(part, sizes, encoder) for part in parts], sizes)

    def _finish(self, part: FinishedFrames, sizes: FrameSizes, encoder: _MaskEncoder) -> _Part:
        sequences, boxes = part.sequences, part.sequences.boxes
        probabilities = sequences.logits.float().softmax(-1)[..., :-1]  # S, t, K
        frame_scores, frame_labels = probabilities.max(-1)
        frame_scores = frame_scores * sequences.covered
        votes = F.one_hot(frame_labels, probabilities.shape[-1]) * sequences.covered[..., None]
        visible = sequences.covered & (frame_scores >= self.null_frame_score)
        return _Part(
            part.ids,
            visible.cpu(),
            frame_scores.cpu(),
            votes.sum(1).cpu(),
            None if boxes is None else _to_pixels(boxes.float(), sizes.original).cpu(),
            *encoder.encode(sequences, visible),
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
        boxes = _boxes_of_masks(counts, sizes.original)
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


def _boxes_of_masks(counts: Counts, size: tuple[int, int]) -> Tensor:
    """Boxes (n, T, 4) of masks as (x1, y1, x2, y2); zeros where there is no mask."""
    boxes = torch.zeros(len(counts), max(map(len, counts), default=0), 4)
    for row, texts in zip(boxes, counts, strict=True):
        for box, text in zip(row, texts, strict=True):
            if text is not None:
                x, y, w, h = mask_utils.toBbox({"size": list(size), "counts": text.encode()})
                box[:] = torch.tensor([x, y, x + w, y + h])
    return boxes


def resize_mask_logits(logits: Tensor, sizes: FrameSizes) -> Tensor:
    """Resize the unpadded part of mask logits bilinearly (no corner alignment, no antialiasing).

    Args:
        logits: (..., h, w) over padded frames, padded at the right and bottom.
        sizes: Sizes of the frames.

    Returns:
        (..., H, W) at the original size.
    """
    out_size = sizes.original
    maps = logits.reshape(1, -1, *logits.shape[-2:])
    if not maps.shape[1]:
        return logits.new_zeros(*logits.shape[:-2], *out_size)
    if sizes.unpadded == sizes.padded:
        full = F.interpolate(maps, size=out_size, mode="bilinear", align_corners=False)
    else:
        sy, sx = (f / p for f, p in zip(sizes.unpadded, sizes.padded, strict=True))
        theta = logits.new_tensor([[[sx, 0, sx - 1], [0, sy, sy - 1]]])
        grid = F.affine_grid(theta, [1, 1, *out_size], align_corners=False)
        full = F.grid_sample(maps, grid, padding_mode="border", align_corners=False)
    return full.view(*logits.shape[:-2], *out_size)


def _to_pixels(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """(cx, cy, w, h) in 0..1 to (x1, y1, x2, y2) in pixels, clipped to the frame."""
    centre, extent = boxes.split(2, dim=-1)
    corners = torch.cat([centre - extent / 2, centre + extent / 2], -1).clamp(0, 1)
    return corners * corners.new_tensor([size[1], size[0], size[1], size[0]])
