"""Predictions of a test run in a pickle file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmdet.structures import DetDataSample
from mmdet.structures.mask import encode_mask_results
from mmengine.evaluator import DumpResults

FRAME_FIELDS = ("img_path", "frame_id", "ori_shape")


class DumpTrackResults(DumpResults):
    """Writes the predictions of all videos to a pickle file, masks as compressed RLE.

    The file holds a list with one dict per video: ``video_id`` and ``frames``, a list of dicts
    with ``img_path``, ``frame_id``, ``ori_shape`` and ``pred_track_instances``. The latter is a
    dict of the fields that the model predicts (``instances_id``, ``labels``, ``scores``,
    ``bboxes``, ... as CPU tensors; ``masks`` as a list of RLE dicts), the same instances in the
    same order in every frame.

    MMDetection's ``DumpDetResults`` leaves video predictions as they are, which would write every
    mask pixel.

    Args:
        out_file_path: Path that ends with ``.pkl`` or ``.pickle``.
        collect_device: Device for gathering the results of all processes.
        collect_dir: Folder for gathering them on the CPU.
    """

    default_prefix = "dump"  # it computes no figures; without a prefix MMEngine warns

    def process(self, data_batch: Any, predictions: Sequence[dict]) -> None:
        """Keep the predictions of a batch.

        Args:
            data_batch: Data from the data loader; not used.
            predictions: One ``TrackDataSample`` per video, as a dict.
        """
        for video in predictions:
            frames: list[DetDataSample] = video["video_data_samples"]
            self.results.append(
                dict(video_id=frames[0].video_id, frames=[_pack_frame(frame) for frame in frames])
            )


def _pack_frame(frame: DetDataSample) -> dict[str, Any]:
    instances = dict(frame.pred_track_instances.to("cpu").items())
    if "masks" in instances:
        instances["masks"] = encode_mask_results(instances["masks"].numpy())  # (n, H, W)
    fields = {name: frame.get(name) for name in FRAME_FIELDS}
    return dict(fields, pred_track_instances=instances)
