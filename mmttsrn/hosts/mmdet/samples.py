"""MMDetection's samples to tensors, and results to its samples."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mmdet.structures import TrackDataSample
from torch import Tensor

from mmttsrn.hosts.clip_truth import FrameTruth, clip_truth, padding_mask
from mmttsrn.structures import RESULTS_FIELD, SequenceResults, SequenceTargets


def prepare_frame(model: Any, frame: Tensor) -> Tensor:
    """Normalise and pad a frame (3, H, W) in BGR of 0 to 255, on the device of mmdet's model."""
    return model.data_preprocessor(dict(inputs=[frame[None]], data_samples=None))["inputs"][0, 0]


def padding_mask_of(inputs: Tensor, data_samples: Sequence[TrackDataSample] | None) -> Tensor:
    """(N, T, H, W) bool, true where a frame of ``inputs`` (N, T, 3, H, W) is padding."""
    n, t, _, h, w = inputs.shape
    sizes = [[frame.img_shape[:2] for frame in sample] for sample in data_samples or ()]
    return padding_mask((n, t, h, w), sizes, inputs.device)


def clip_targets(sample: TrackDataSample, with_masks: bool, max_instances: int) -> SequenceTargets:
    """Collect the instances of a clip, see :func:`~mmttsrn.hosts.clip_truth.clip_truth`.

    Args:
        sample: T frame samples with ``gt_instances`` (``bboxes``, ``labels``, ``instances_ids``,
            ``masks``) and the meta ``img_shape`` and ``batch_input_shape``.
        with_masks: Whether masks are collected.
        max_instances: Instances Q that the model predicts.
    """
    truths = [frame.gt_instances for frame in sample]
    frames = [
        FrameTruth(gt.instances_ids.tolist(), gt.bboxes, gt.labels, gt.get("masks"))
        for gt in truths
    ]
    first = sample[0]
    size = tuple(first.img_shape[:2])
    return clip_truth(frames, size, first.batch_input_shape, with_masks, max_instances)


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
