"""Packing of clips for MMTracking."""

from mmtrack.datasets.transforms import PackTrackInputs
from mmtrack.registry import TRANSFORMS as MMTRACK_TRANSFORMS

from mmttsrn.registry import TRANSFORMS


@MMTRACK_TRANSFORMS.register_module()
@TRANSFORMS.register_module()
class MMTrackPackInputs(PackTrackInputs):
    """MMTracking's ``PackTrackInputs`` after ``mmdet.LoadTrackAnnotations``.

    MMTracking's own loader has the ids of instances under a name (``gt_instances_id``) that today's
    transforms of MMDetection do not know, so that ``RandomCrop`` leaves those of removed instances.

    Args:
        **kwargs: Arguments of the base class.
    """

    mapping_table = PackTrackInputs.mapping_table | {"gt_instances_ids": "instances_id"}
