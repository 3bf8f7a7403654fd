"""MMDetection's samples to tensors, and results to its samples."""

from dataclasses import replace

from mmdet.structures import TrackDataSample

from mmttsrn.hosts.clip_truth import FrameTruth, clip_truth
from mmttsrn.structures import RESULTS_FIELD, SequenceResults, SequenceTargets


def clip_targets(sample: TrackDataSample, with_masks: bool, max_instances: int) -> SequenceTargets:
    """Collect the instances of a clip, see :func:`~mmttsrn.hosts.clip_truth.clip_truth`.

    Args:
        sample: T frame samples with ``gt_instances`` (``bboxes``, ``labels``, ``instances_ids``,
            ``masks``) and the meta ``img_shape``, ``batch_input_shape`` and, where not every object
            is annotated, ``complete=False``.
        with_masks: Whether masks are collected.
        max_instances: Instances Q that the model predicts.
    """
    frames = [
        FrameTruth(gt.instances_ids.tolist(), gt.bboxes, gt.labels, gt.get("masks"))
        for gt in (frame.gt_instances for frame in sample)
    ]
    size, padded = tuple(sample[0].img_shape[:2]), sample[0].batch_input_shape
    complete = all(frame.get("complete", True) for frame in sample)
    return clip_truth(frames, size, padded, with_masks, max_instances, complete)


def store_results(sample: TrackDataSample, results: SequenceResults) -> None:
    """Give a video's sample its results, as ``pred_sequences``.

    They are meta data to the host, whose tensor-like methods (``cpu()``, ``to()``) leave out data
    that is not a list of tensors.
    """
    frame = sample[0]
    known = replace(
        results,
        video_id=frame.get("video_id"),
        video_length=frame.get("ori_video_length", len(sample)),
        frame_paths=[frame.get("img_path") for frame in sample],
    )
    sample.set_field(known, RESULTS_FIELD, field_type="metainfo")
