"""Masks from logits to compressed RLE at the original size."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from pycocotools import mask as mask_utils
from torch import Tensor

from mmttsrn.structures import Counts, FrameSizes, InstanceSequences
from mmttsrn.structures.frame_results import boxes_of_rles


class MaskEncoder:
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
        """RLE of the masks that are ``visible`` (S, t), and (S, t) which masks have a pixel."""
        num_sequences, num_frames = sequences.covered.shape
        has_pixel = torch.zeros(num_sequences, num_frames, dtype=torch.bool)
        if sequences.mask_logits is None:
            return None, has_pixel
        counts: Counts = [[None] * num_frames for _ in range(num_sequences)]
        rows, frames = sequences.covered.nonzero(as_tuple=True)
        for chunk in zip(rows.split(self.step), frames.split(self.step), strict=True):
            masks = self._masks(sequences.mask_logits[chunk].float())
            found = masks.flatten(1).any(1)
            has_pixel[chunk[0].cpu(), chunk[1].cpu()] = found
            shown = visible[chunk].cpu()
            places = zip(chunk[0].tolist(), chunk[1].tolist(), shown.tolist(), strict=True)
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


def boxes_of_masks(counts: Counts, size: tuple[int, int], shape: Sequence[int]) -> Tensor:
    """Boxes (n, T, 4) of masks of ``shape`` (n, T) as (x1, y1, x2, y2); zeros without a mask."""
    boxes = torch.zeros(*shape, 4)
    for row, texts in zip(boxes, counts, strict=True):
        shown = [t for t, text in enumerate(texts) if text is not None]
        row[shown] = boxes_of_rles([{"size": list(size), "counts": texts[t]} for t in shown])
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


def to_pixels(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """(cx, cy, w, h) in 0..1 to (x1, y1, x2, y2) in pixels, clipped to the frame."""
    centre, extent = boxes.split(2, dim=-1)
    corners = torch.cat([centre - extent / 2, centre + extent / 2], -1).clamp(0, 1)
    return corners * corners.new_tensor([size[1], size[0], size[1], size[0]])
