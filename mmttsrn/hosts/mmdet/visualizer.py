"""Visualizer of video instance segmentation."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmdet.visualization import TrackLocalVisualizer
from mmengine.structures import InstanceData
from pycocotools import mask as mask_utils

from mmttsrn.registry import VISUALIZERS
from mmttsrn.structures import FrameResults
from mmttsrn.visualization.overlay import OverlayStyle, draw_instances


@VISUALIZERS.register_module()
class VISLocalVisualizer(TrackLocalVisualizer):
    """Draws masks, boxes and labels ``class score #id``, one colour per instance through a clip.

    Differs from its base: drawing is OpenCV's, colours depend on the instance id alone, ground
    truth (``instances_ids``, as the packer writes it) and predictions (``instances_id``) are both
    understood, and instances that are hidden in the frame are not drawn.

    Args:
        name: Name of the visualizer.
        image: RGB image (H, W, 3) to draw on.
        vis_backends: Configs of the backends that store images.
        save_dir: Folder of the backends.
        line_width: Width of contours and boxes in pixels.
        alpha: Opacity of the masks, 0 to 1.
        min_side: Frames whose short side is smaller are enlarged by a whole factor until it is
            not, so that labels stay legible; 0 never enlarges.
    """

    def __init__(
        self,
        name: str = "visualizer",
        image: np.ndarray | None = None,
        vis_backends: list[dict] | None = None,
        save_dir: str | None = None,
        line_width: int = 2,
        alpha: float = 0.45,
        min_side: int = 360,
    ) -> None:
        super().__init__(name, image, vis_backends, save_dir, line_width, alpha)
        self.style = OverlayStyle(alpha=alpha, line_width=line_width, min_side=min_side)

    def _draw_instances(self, image: np.ndarray, instances: InstanceData) -> np.ndarray:
        """Draw the instances of one frame.

        Args:
            image: RGB frame (H, W, 3), uint8.
            instances: n instances: ``labels`` (n,), ``instances_id`` or ``instances_ids`` (n,),
                and of ``masks`` (bool tensor (n, H, W), mask structure or list of RLE dicts),
                ``bboxes`` (n, 4) xyxy, ``scores`` (n,) whatever there is.

        Returns:
            RGB frame (zoom * H, zoom * W, 3), uint8.
        """
        if "labels" not in instances:  # the packer's empty ground truth
            instances = InstanceData(labels=[], instances_id=[], bboxes=torch.zeros(0, 4))
        classes = (self.dataset_meta or {}).get("classes") or ()
        frame = _frame_results(instances, (image.shape[0], image.shape[1]), classes)
        return draw_instances(image, frame, self.style)

    def add_datasample(
        self,
        name: str,
        image: np.ndarray,
        data_sample: DetDataSample | None = None,
        draw_gt: bool = True,
        draw_pred: bool = True,
        **kwargs: Any,
    ) -> None:
        """Do as the base class; a sample without annotations is not an error."""
        draw_gt = draw_gt and data_sample is not None and "gt_instances" in data_sample
        super().add_datasample(name, image, data_sample, draw_gt, draw_pred, **kwargs)


def _frame_results(
    instances: InstanceData, size: tuple[int, int], classes: Sequence[str]
) -> FrameResults:
    ids = instances.instances_id if "instances_id" in instances else instances.instances_ids
    ids, labels = torch.as_tensor(ids).cpu().long(), torch.as_tensor(instances.labels).cpu().long()
    scores = instances.scores.cpu() if "scores" in instances else None
    boxes = instances.get("bboxes")
    boxes = getattr(boxes, "tensor", boxes)  # mmdet's box structures hold a tensor
    if boxes is not None:
        boxes = torch.as_tensor(boxes).cpu().float()
    if "masks" not in instances:
        return FrameResults(0, ids, scores, labels, boxes, size, None, classes)
    masks = _dense_masks(instances.masks, size)
    return FrameResults.from_masks(ids, labels, masks, scores, boxes, classes)


def _dense_masks(masks: Any, size: tuple[int, int]) -> np.ndarray:
    """Masks (n, H, W) bool from a tensor, an array, a mask structure or a list of RLE dicts."""
    if isinstance(masks, torch.Tensor):
        masks = masks.numpy(force=True)
    elif isinstance(masks, Sequence):
        masks = [mask_utils.decode(rle) for rle in masks]
    elif hasattr(masks, "to_ndarray"):
        masks = masks.to_ndarray()
    return np.asarray(masks, bool).reshape(len(masks), *size)
