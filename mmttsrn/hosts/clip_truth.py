"""True sequences of a clip from the annotations of its frames, whatever the host."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mmttsrn.structures import SequenceTargets


@dataclass
class FrameTruth:
    """The n instances that a host lists in a frame."""

    ids: list[int]  # which instances they are in the clip
    boxes: Tensor  # (n, 4) xyxy in input pixels
    labels: Tensor  # (n,) classes
    masks: Any  # mmdet's ``BitmapMasks`` of n masks, or None


def clip_truth(
    frames: Sequence[FrameTruth],
    frame_size: tuple[int, int],
    padded_size: tuple[int, int],
    with_masks: bool,
    max_instances: int,
    complete: bool = True,
) -> SequenceTargets:
    """Collect the instances of a clip.

    Args:
        frames: T frames.
        frame_size: Height and width of the frames without padding.
        padded_size: The same with it.
        with_masks: Whether masks are collected.
        max_instances: Instances Q that the model predicts. Of a clip with more, the largest Q are
            kept, with one warning per process.
        complete: Whether every object is annotated.

    Returns:
        The sequences on the CPU, in order of first appearance; instances with no pixel or no box
        extent in a frame are absent there, those absent everywhere are left out.
    """
    rows: dict[int, int] = {}
    for frame in frames:
        for instance_id in frame.ids:
            rows.setdefault(instance_id, len(rows))
    n, t, (h, w) = len(rows), len(frames), frame_size
    labels = torch.zeros(n, dtype=torch.int64)
    boxes = torch.zeros(n, t, 4)
    valid = torch.zeros(n, t, dtype=torch.bool)
    masks = torch.zeros(n, t, *padded_size, dtype=torch.bool) if with_masks else None
    size = torch.tensor([w, h, w, h])
    for i, frame in enumerate(frames):
        index = torch.tensor([rows[k] for k in frame.ids], dtype=torch.int64)
        x1y1, x2y2 = torch.as_tensor(frame.boxes, device="cpu").float().split(2, dim=-1)
        seen = (x2y2 > x1y1).all(-1)
        if masks is not None:
            frame_masks = frame.masks.to_tensor(torch.bool, "cpu")
            masks[index, i, : frame_masks.shape[-2], : frame_masks.shape[-1]] = frame_masks
            seen &= frame_masks.flatten(1).any(-1)
        labels[index] = frame.labels.cpu().long()
        boxes[index, i] = torch.cat([(x1y1 + x2y2) / 2, x2y2 - x1y1], -1) / size * seen[:, None]
        valid[index, i] = seen
    targets = SequenceTargets(labels, boxes, valid, masks, frame_size, complete)
    targets = targets.select(valid.any(1).nonzero().squeeze(1))
    if len(targets) > max_instances:
        warnings.warn(
            f"a clip has more than the {max_instances} instances that the model predicts; "
            "keeping the largest ones (raise head.num_instances to use all)",
            stacklevel=2,
        )
        targets = targets.largest(max_instances)
    return targets


def padding_mask(frames: Tensor, sizes: Sequence[Sequence[tuple[int, int]]]) -> Tensor:
    """(N, T, H, W) bool, true where a frame is padding.

    Args:
        frames: (N, T, 3, H, W).
        sizes: Height and width without padding of the T frames of each of N clips; empty for none.
    """
    mask = torch.zeros_like(frames[:, :, 0], dtype=torch.bool)
    for clip_mask, clip_sizes in zip(mask, sizes, strict=len(sizes) > 0):
        for frame_mask, (height, width) in zip(clip_mask, clip_sizes, strict=True):
            frame_mask[height:] = True
            frame_mask[:, width:] = True
    return mask
