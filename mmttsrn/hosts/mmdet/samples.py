"""MMDetection's samples to tensors, and results to its samples."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from mmdet.structures import TrackDataSample
from torch import Tensor

from mmttsrn.structures import FrameSizes, SequenceResults, SequenceTargets

RESULTS_FIELD = "pred_sequences"


def prepare_frame(model: Any, frame: Tensor) -> Tensor:
    """Normalise and pad a frame (3, H, W) in BGR of 0 to 255, on the device of a host's model."""
    return model.data_preprocessor(dict(inputs=[frame[None]], data_samples=None))["inputs"][0, 0]


def padding_mask_of(inputs: Tensor, data_samples: Sequence[TrackDataSample] | None) -> Tensor:
    """(N, T, H, W) bool, true where a frame of ``inputs`` (N, T, 3, H, W) is padding."""
    n, t, _, h, w = inputs.shape
    mask = torch.zeros(n, t, h, w, dtype=torch.bool, device=inputs.device)
    for clip_mask, sample in zip(mask, data_samples or (), strict=data_samples is not None):
        for frame_mask, frame in zip(clip_mask, sample, strict=True):
            height, width = frame.img_shape[:2]
            frame_mask[height:] = True
            frame_mask[:, width:] = True
    return mask


def frame_sizes_of(sample: TrackDataSample, padded: Sequence[int]) -> FrameSizes:
    """Sizes of the frames of a video, of which all are equal."""
    frame = sample[0]
    return FrameSizes(
        (padded[0], padded[1]), tuple(frame.img_shape[:2]), tuple(frame.ori_shape[:2])
    )


def targets_of(
    data_samples: Sequence[TrackDataSample],
    device: torch.device,
    with_masks: bool,
    max_instances: int,
) -> list[SequenceTargets]:
    """Collect the true sequences of a batch, see :func:`clip_targets`, on ``device``."""
    return [clip_targets(s, with_masks, max_instances).to(device) for s in data_samples]


def clip_targets(sample: TrackDataSample, with_masks: bool, max_instances: int) -> SequenceTargets:
    """Collect the instances of a clip from the annotations of its frames.

    Args:
        sample: T frame samples with ``gt_instances`` (``bboxes`` xyxy in input pixels, ``labels``,
            ``instances_ids``, ``masks``) and the meta ``img_shape`` and ``batch_input_shape``.
        with_masks: Whether masks are collected.
        max_instances: Instances Q that the model predicts. Of a clip with more, the largest Q are
            kept, with one warning per process.

    Returns:
        The sequences on the CPU, in order of first appearance; instances with no pixel or no box
        extent in a frame are absent there, those absent everywhere are left out.
    """
    frames = list(sample)
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
    return targets


def store_results(sample: TrackDataSample, results: SequenceResults) -> None:
    """Give a video's sample its results, as ``pred_sequences``.

    They are meta data to the host, whose tensor-like methods (``cpu()``, ``to()``) leave out data
    that is no list of tensors.
    """
    frame = sample[0]
    known = replace(
        results,
        video_id=frame.get("video_id"),
        video_length=frame.get("ori_video_length", len(sample)),
        frame_paths=[frame.get("img_path") for frame in sample],
    )
    sample.set_field(known, RESULTS_FIELD, field_type="metainfo")
