"""Ground-truth instance sequences of a clip."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class SequenceTargets:
    """Instances of one clip as whole sequences.

    Attributes:
        labels: (n,) int64 classes in 0..K-1.
        boxes: (n, T, 4) as (cx, cy, w, h) in 0..1 of the unpadded frame; 0 where absent.
        valid: (n, T) bool, whether the instance is visible in the frame.
        masks: (n, T, H, W) bool at the size of the padded frames, empty where absent; None for a
            model without masks.
        frame_size: Height and width of the unpadded frames, in pixels.
    """

    labels: Tensor
    boxes: Tensor
    valid: Tensor
    masks: Tensor | None
    frame_size: tuple[int, int]

    @property
    def frame_labels(self) -> Tensor:
        """(n, T) int64; an absent frame counts as class 0."""
        return self.labels[:, None] * self.valid

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, keep: Tensor) -> "SequenceTargets":
        """Targets of the instances in ``keep`` (int64 indices)."""
        masks = None if self.masks is None else self.masks[keep]
        return SequenceTargets(
            self.labels[keep], self.boxes[keep], self.valid[keep], masks, self.frame_size
        )

    def largest(self, count: int) -> "SequenceTargets":
        """Keep the ``count`` instances of the largest area over the clip, in their order."""
        area = self.boxes[..., 2:].prod(-1) if self.masks is None else self.masks.flatten(2).sum(-1)
        return self.select(area.sum(1).topk(count).indices.sort().values)


def build_sequence_targets(
    frames: Sequence[Any], device: torch.device, with_masks: bool, max_instances: int
) -> SequenceTargets:
    """Collect the instances of a clip from the annotations of its frames.

    Args:
        frames: T frame samples with ``gt_instances`` (``bboxes`` xyxy in input pixels, ``labels``,
            ``instances_ids``, ``masks``) and the meta ``img_shape``.
        device: Where the targets are put.
        with_masks: Whether masks are collected.
        max_instances: Instances Q that the model predicts. Of a clip with more, the largest Q are
            kept, with one warning per process.

    Returns:
        The sequences, in order of first appearance; instances with no pixel or no box extent in a
        frame are absent there, those absent everywhere are left out.
    """
    rows: dict[int, int] = {}
    for frame in frames:
        for instance_id in frame.gt_instances.instances_ids.tolist():
            rows.setdefault(instance_id, len(rows))
    n, t, (h, w) = len(rows), len(frames), frames[0].img_shape[:2]
    labels = torch.zeros(n, dtype=torch.int64)
    boxes = torch.zeros(n, t, 4)
    valid = torch.zeros(n, t, dtype=torch.bool)
    padded_size = frames[0].batch_input_shape
    masks = torch.zeros(n, t, *padded_size, dtype=torch.bool) if with_masks else None
    size = torch.tensor([w, h, w, h])
    for i, frame in enumerate(frames):
        gt = frame.gt_instances
        index = torch.tensor([rows[k] for k in gt.instances_ids.tolist()], dtype=torch.int64)
        x1y1, x2y2 = torch.as_tensor(gt.bboxes, device="cpu").float().split(2, dim=-1)
        seen = (x2y2 > x1y1).all(-1)
        if masks is not None:
            frame_masks = gt.masks.to_tensor(torch.bool, "cpu")
            masks[index, i, : frame_masks.shape[-2], : frame_masks.shape[-1]] = frame_masks
            seen &= frame_masks.flatten(1).any(-1)
        labels[index] = gt.labels.cpu().long()
        boxes[index, i] = torch.cat([(x1y1 + x2y2) / 2, x2y2 - x1y1], -1) / size * seen[:, None]
        valid[index, i] = seen
    targets = SequenceTargets(labels, boxes, valid, masks, (h, w))
    targets = targets.select(valid.any(1).nonzero().squeeze(1))
    if len(targets) > max_instances:
        warnings.warn(
            f"a clip has more than the {max_instances} instances that the model predicts; "
            "keeping the largest ones (raise head.num_instances to use all)",
            stacklevel=2,
        )
        targets = targets.largest(max_instances)
    return SequenceTargets(
        targets.labels.to(device),
        targets.boxes.to(device),
        targets.valid.to(device),
        None if targets.masks is None else targets.masks.to(device),
        targets.frame_size,
    )
