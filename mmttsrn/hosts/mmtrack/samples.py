"""MMTracking's samples to tensors, and results to its samples.

A clip is one ``TrackDataSample``: the instances of its frames are listed one after the other, with
``map_instances_to_img_idx`` telling the frame of each, and meta data are lists, or single values
for one frame. The frames are key frames, then reference frames under names that begin with
``ref_``. A video to be predicted is T samples of one frame each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData
from mmtrack.structures import TrackDataSample
from torch import Tensor

from mmttsrn.errors import UserInputError
from mmttsrn.hosts.clip_truth import FrameTruth, clip_truth
from mmttsrn.structures import RESULTS_FIELD, SequenceResults, SequenceTargets

PREFIXES = ("", "ref_")
WHOLE_VIDEOS = "test_dataloader.batch_sampler=dict(type='EntireVideoBatchSampler')"


def stacked_frames(
    inputs: Mapping[str, Tensor], data_samples: Sequence[TrackDataSample] | None
) -> Tensor:
    """Frames of a batch (N, T, 3, H, W) in the order of time, see :func:`order_of`."""
    frames = torch.cat([inputs[f"{p}img"] for p in PREFIXES if f"{p}img" in inputs], dim=1)
    if data_samples is None or "ref_img" not in inputs:
        return frames
    orders = [order_of(sample) for sample in data_samples]
    return torch.stack([clip[order] for clip, order in zip(frames, orders, strict=True)])


def order_of(sample: TrackDataSample) -> list[int]:
    """Places of the T frames of a clip in the order of time.

    MMTracking samples reference frames around a key frame and puts that first; frames that are all
    key frames have their order already.
    """
    numbers = _of_frames(sample, "frame_id")
    if "ref_frame_id" not in sample.metainfo or None in numbers:
        return list(range(len(numbers)))
    return sorted(range(len(numbers)), key=numbers.__getitem__)


def image_sizes(sample: TrackDataSample) -> list[tuple[int, int]]:
    """Height and width without padding of the T frames of a clip, in the order of time."""
    sizes = _of_frames(sample, "img_shape")
    return [(sizes[i][0], sizes[i][1]) for i in order_of(sample)]


def clip_targets(
    sample: TrackDataSample, padded: tuple[int, int], with_masks: bool, max_instances: int
) -> SequenceTargets:
    """Collect the instances of a clip, see :func:`~mmttsrn.hosts.clip_truth.clip_truth`.

    Args:
        sample: Sample of T frames with ``gt_instances`` and ``ref_gt_instances`` (``bboxes``,
            ``labels``, ``instances_id``, ``masks``, ``map_instances_to_img_idx``).
        padded: Height and width of the padded frames.
        with_masks: Whether masks are collected.
        max_instances: Instances Q that the model predicts.
    """
    frames: list[FrameTruth] = []
    for prefix in PREFIXES:
        if f"{prefix}img_shape" in sample.metainfo:
            count = len(_as_list(sample.metainfo[f"{prefix}img_shape"]))
            truth = sample.get(f"{prefix}gt_instances")
            frames += [_frame_truth(truth, index) for index in range(count)]
    frames = [frames[i] for i in order_of(sample)]
    complete = all(_of_frames(sample, "complete"))
    return clip_truth(frames, image_sizes(sample)[0], padded, with_masks, max_instances, complete)


def _frame_truth(truth: InstanceData, frame: int) -> FrameTruth:
    found = (truth.map_instances_to_img_idx == frame).nonzero()[:, 0].cpu()
    masks = truth.get("masks")
    if masks is not None:
        masks = BitmapMasks(masks.masks[found.numpy()], masks.height, masks.width)
    boxes = torch.as_tensor(truth.bboxes).cpu()[found]
    labels = torch.as_tensor(truth.labels).cpu()[found]
    ids = torch.as_tensor(truth.instances_id).cpu()[found]
    return FrameTruth(ids.tolist(), boxes, labels, masks)


def check_whole_video(samples: Sequence[TrackDataSample]) -> None:
    """Refuse samples that are not all the frames of a video, in order."""
    first = samples[0]
    numbers = [sample.get("frame_id") for sample in samples]
    ids = {sample.get("video_id") for sample in samples}
    length, found = first.get("video_length", -1), f"{len(samples)} from number {numbers[0]}"
    if numbers != list(range(length)) or len(ids) > 1:
        what = f"video {first.get('video_id')}: expected all {length} frames in one batch"
        raise UserInputError(f"{what}, got {found}; set {WHOLE_VIDEOS}")


def store_results(
    samples: Sequence[TrackDataSample], results: SequenceResults, in_frames: bool
) -> None:
    """Give the samples of a video's frames its results.

    The last one gets them as a whole, as ``pred_sequences``, which is meta data to the host. With
    ``in_frames`` each one gets ``pred_track_instances`` as well, as models of MMTracking give
    them: ``bboxes``, ``scores``, ``labels``, ``instances_id``, and full ``masks`` (n, H, W).
    """
    known = replace(
        results,
        video_id=samples[0].get("video_id"),
        video_length=samples[0].get("video_length"),
        frame_paths=[sample.get("img_path") for sample in samples],
    )
    samples[-1].set_field(known, RESULTS_FIELD, field_type="metainfo")
    if in_frames:
        for frame, sample in enumerate(samples):
            sample.pred_track_instances = _frame_instances(results, frame)


def _frame_instances(results: SequenceResults, index: int) -> InstanceData:
    """Give the instances that are visible in a frame; their score is that of the sequence."""
    frame = results.frame(index)
    instances = InstanceData(
        bboxes=frame.boxes,
        scores=frame.scores,
        labels=frame.labels,
        instances_id=frame.instance_ids,
    )
    if frame.masks is not None:
        instances.masks = torch.from_numpy(frame.masks)
    return instances


def _of_frames(sample: TrackDataSample, key: str) -> list[Any]:
    """Meta data of the T frames of a clip, in the order of the inputs."""
    names = [f"{prefix}{key}" for prefix in PREFIXES]
    return [v for n in names if n in sample.metainfo for v in _as_list(sample.metainfo[n])]


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
