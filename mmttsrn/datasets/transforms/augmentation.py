"""Transforms that keep the frames and instances of a clip consistent."""

from mmcv.transforms import BaseTransform, TransformBroadcaster

from mmttsrn.host_internals import list_random_methods_once
from mmttsrn.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ClipBroadcaster(TransformBroadcaster):
    """Applies transforms to every frame of a clip with random parameters drawn once per clip.

    This is mmcv's ``TransformBroadcaster(share_random_params=True)`` for any transform: some
    classes list one of their random methods twice (a subclass that overrides it appends to the
    list of its base, as mmdet's ``AutoAugment`` does to ``RandomChoice``), which mmcv takes for
    a second draw and refuses.

    Args:
        transforms: Transforms of one frame, modules or their configs.
    """

    def __init__(self, transforms: list[dict | BaseTransform]) -> None:
        super().__init__(transforms, share_random_params=True)
        list_random_methods_once(self.transforms)


@TRANSFORMS.register_module()
class DropInvisibleInstances(BaseTransform):
    """Removes the instances of a frame whose mask has no pixel left, after crop and resize.

    All ground-truth lists of the frame stay aligned, ids included. A box without
    area (rounding, or a json box that disagrees with its mask) is replaced by that of the mask.

    Required keys: gt_masks, gt_bboxes. Modified keys: every ``gt_*`` list.
    """

    # Ids of instances are gt_instances_ids in mmdet and gt_instances_id in mmtrack.
    _ALIGNED_KEYS = (
        "gt_bboxes",
        "gt_bboxes_labels",
        "gt_instances_ids",
        "gt_instances_id",
        "gt_ignore_flags",
    )

    def transform(self, results: dict) -> dict:
        """Filter one frame."""
        visible = results["gt_masks"].masks.any(axis=(1, 2))  # n
        results["gt_masks"] = results["gt_masks"][visible]
        for key in self._ALIGNED_KEYS:
            if key in results:
                results[key] = results[key][visible]
        boxes = results["gt_bboxes"]
        flat = (boxes[:, 2] <= boxes[:, 0]) | (boxes[:, 3] <= boxes[:, 1])  # n
        if flat.any():
            boxes[flat] = results["gt_masks"][flat].get_bboxes("hbox").numpy()
        return results
